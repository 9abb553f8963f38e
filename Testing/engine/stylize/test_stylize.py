"""Optimisation-based style transfer: objective, optimisation, sequence of slices, the volume pipeline around it."""

import numpy as np
import pytest
from tiny_models import head

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.imageio.volume_io import write_volume
from surgical_style_engine.models.style_settings import StyleSettings, parse_settings
from surgical_style_engine.volumes.volume import Volume

torch = pytest.importorskip("torch")
from surgical_style_engine.imageio.style_picture import luminance_like, read_picture, reduced  # noqa: E402
from surgical_style_engine.stylize import features  # noqa: E402
from surgical_style_engine.stylize.features import random_features  # noqa: E402
from surgical_style_engine.stylize.losses import Objective, StyleTarget, gram, total_variation  # noqa: E402
from surgical_style_engine.stylize.optimise import Task, optimise, scales_and_steps  # noqa: E402
from surgical_style_engine.stylize.runner import StyleImageRunner  # noqa: E402
from surgical_style_engine.stylize.sequence import flicker, middle_first, stylize_sequence  # noqa: E402
from surgical_style_engine.stylize.stylize import stylize_volume  # noqa: E402

QUICK = {"steps": 12, "neighbour_steps": 4, "features": "random"}


def waves(height=48, width=64):
    """A picture (3, h, w) in [0, 1]: blue and yellow stripes that bend."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wave = 0.5 + 0.5 * np.sin(0.7 * x + 2 * np.sin(0.15 * y))
    return np.stack([wave, wave, 1 - wave]).astype(np.float32)


def tensor(array):
    return torch.from_numpy(np.ascontiguousarray(array))[None].float()


def brain(depth=4, size=40, seed=1):
    """Oblique, anisotropic, int16."""
    angle = 0.3
    direction = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, -1.0]])
    array = head(seed, (depth, size, size - 4))[None].astype(np.int16)
    return Volume(array, (1.1, 0.9, 3.0), (-20.0, 12.5, 7.25), direction)


def test_gram_and_variation_by_hand():
    values = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])  # two channels, one row of two pixels
    np.testing.assert_allclose(gram(values)[0], [[2.5, 1.5], [1.5, 4.5]])
    only_first = torch.tensor([[[[1.0, 0.0]]]])
    np.testing.assert_allclose(gram(values, only_first)[0], [[1, 3], [3, 9]])
    assert float(total_variation(torch.tensor([[[[0.0, 0.5], [0.0, 0.5]]]]))) == pytest.approx(0.25)


def test_objective_knows_content_and_style():
    style, content = tensor(waves()), tensor(np.repeat(head()[6:7] / 800, 3, axis=0))
    target = StyleTarget(random_features(style), style)
    objective = Objective(target, content, StyleSettings())
    assert float(objective(content)["content"]) == 0 and float(objective(content)["style"]) > 0.1
    itself = Objective(target, style, StyleSettings())(style)
    assert float(itself["style"]) < 1e-6
    held = Objective(target, content, StyleSettings(), neighbour=(content + 0.1, torch.ones_like(content[:, :1])))
    assert float(held(content)["consistency"]) == pytest.approx(0.01, rel=1e-4)


def test_random_features_are_whitened_and_reproducible():
    style = tensor(waves())
    first, again, other = (random_features(style, seed) for seed in (0, 0, 1))
    wanted = set(first.style_layers)
    one, two, three = (network(style, wanted) for network in (first, again, other))
    assert set(one) == wanted
    assert all(torch.equal(one[name], two[name]) for name in wanted)
    assert not torch.allclose(one["fine1"], three["fine1"])
    before_relu = first.fine[0](style)[..., 4:-4, 4:-4]
    assert abs(float(before_relu.mean())) < 0.1 and 0.3 < float(before_relu.std()) < 1.5
    assert one["strokes3"].shape[-2:] == (12, 16)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_optimisation_lowers_the_objective_and_changes_only_what_it_may(optimizer):
    style, content = tensor(waves()), tensor(head()[6:7, :40, :36] / 800)
    target = StyleTarget(random_features(style), style)
    change = torch.zeros_like(content)
    change[..., 10:30, 10:30] = 1
    settings = StyleSettings(optimizer=optimizer, schedule="single")
    seen = []
    done = optimise(Task(content, lambda scale: target, change), settings, 15, lambda n, total: seen.append((n, total)))
    assert done.terms["total"] < 0.8 * done.curve[0][1] and done.terms["total"] == pytest.approx(
        min(total for _, total in done.curve)
    )
    assert torch.equal(done.image[change == 0], content[change == 0])
    assert 0 <= float(done.image.min()) and float(done.image.max()) <= 1
    assert seen == [(n, 15) for n in range(len(seen))] and 10 < len(seen) <= 16


def test_scales():
    assert [scale for scale, _ in scales_and_steps((200, 160), "multiscale", 100)] == [4, 2, 1]
    assert sum(count for _, count in scales_and_steps((200, 160), "multiscale", 101)) == 101
    assert scales_and_steps((40, 40), "multiscale", 9) == [(1, 9)] == scales_and_steps((200, 160), "single", 9)
    assert [scale for scale, _ in scales_and_steps((70, 90), "multiscale", 50)] == [2, 1]


def test_order_and_flicker():
    body = np.zeros((5, 2, 2), bool)
    body[1:4, 0] = True
    body[2] = True
    assert middle_first(body) == [(2, None), (3, 2), (4, 3), (1, 2), (0, 1)]
    slices = np.arange(5, dtype=np.float32)[None, :, None, None] * np.ones((1, 5, 2, 2), np.float32)
    assert flicker(slices, body) == 1 and flicker(slices[:, :1], body[:1]) is None


def test_neighbours_hold_each_other():
    z, y, x = np.mgrid[:5, :40, :36].astype(np.float32)
    content = (0.5 + 0.1 * np.sin(0.2 * x + 0.3 * z) + 0.1 * np.cos(0.15 * y))[None].astype(np.float32)
    body = np.ones(content.shape[1:], bool)
    settings = StyleSettings(features="random", steps=24, neighbour_steps=8)
    held = stylize_sequence(content, waves(), random_features, settings, body=body)
    by_itself = settings.model_copy(update={"independent": True})
    alone = stylize_sequence(content, waves(), random_features, by_itself, body=body)
    assert held.flicker < 0.7 * alone.flicker
    assert held.slices.shape == (3, 5, 40, 36) and "consistency" in held.terms and "consistency" not in alone.terms
    assert held.flicker_content == alone.flicker_content > 0
    assert held.order == [0, 1, 2, 3, 4]


def test_colour_volume_keeps_geometry_and_air():
    volume = brain()
    done = stylize_volume(volume, waves(), StyleSettings(**QUICK), style_name="waves")
    made = done.translation.volume
    assert made.array.shape == (3, *volume.array.shape[1:]) and made.same_grid(volume, tolerance=0)
    assert (made.origin, made.spacing) == (volume.origin, volume.spacing)
    assert 0 <= made.array.min() and made.array.max() <= 255
    air = volume.array[0] == 0
    corner = (slice(None), 0, 0, 0)
    assert air[corner[1:]] and (made.array[corner] == 0).all()
    spread = np.abs(made.array[0] - made.array[2])[~air]
    assert spread.mean() > 5, "blue and yellow came through"
    assert done.figures["features"] == "random" and any("random filters" in text for text in done.translation.warnings)
    assert done.figures["losses"]["style"] > 0 and len(done.figures["loss_curve"]) >= 10
    assert done.figures["seconds_per_slice"] > 0 and done.translation.slices == 2, "two slices are air"


def test_luminance_is_in_the_inputs_units_and_strength_and_mask_work():
    volume = brain()
    settings = StyleSettings(colour="luminance", **QUICK)
    whole = stylize_volume(volume, waves(), settings).translation
    assert whole.volume.array.shape == volume.array.shape
    assert whole.volume.array.min() >= 0 and 400 < whole.volume.array.max() <= volume.array.max() + 1
    none = stylize_volume(volume, waves(), settings, strength=0).translation
    np.testing.assert_array_equal(none.volume.array, volume.array)
    mask = np.zeros((1, *volume.array.shape[1:]), np.uint8)
    mask[:, 1:3, 10:30, 10:30] = 1
    inside = stylize_volume(volume, waves(), settings, mask=volume.with_array(mask)).translation
    outside = mask == 0
    np.testing.assert_array_equal(inside.volume.array[outside], volume.array[outside])
    assert np.abs(inside.volume.array - volume.array)[mask == 1].mean() > 10


def test_colour_with_a_mask_leaves_grey_outside():
    volume = brain()
    mask = np.zeros((1, *volume.array.shape[1:]), np.uint8)
    mask[:, :, :20] = 1
    made = stylize_volume(volume, waves(), StyleSettings(**QUICK), mask=volume.with_array(mask)).translation.volume
    grey = made.array[:, :, 20:]
    np.testing.assert_array_equal(grey[0], grey[2])
    assert not np.array_equal(made.array[0, :, :20], made.array[2, :, :20])


def test_picture_and_reduced_size():
    picture = Volume(np.uint8(head(shape=(8, 70, 90))[4:5] / 4)[None], is_2d=True)
    sizes = []
    done = stylize_volume(
        picture, waves(), StyleSettings(size=40, **QUICK), progress=lambda done, total: sizes.append((done, total))
    )
    assert done.translation.volume.array.shape == (3, 1, 70, 90) and done.translation.volume.is_2d
    assert done.figures["flicker"] is None
    shares = [a / b for a, b in sizes]
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 10, "progress within the single slice"


@pytest.mark.parametrize(("colour", "channels"), [("rgb", 3), ("luminance", 1)])
def test_colour_photographs_are_contents_too(colour, channels):
    photo = Volume(np.uint8(255 * waves(50, 44)[[2, 0, 1]])[:, None], is_2d=True)
    done = stylize_volume(photo, waves(), StyleSettings(colour=colour, **QUICK)).translation
    assert done.volume.array.shape == (channels, 1, 50, 44)
    assert 0 <= done.volume.array.min() and 100 < done.volume.array.max() <= 255


def test_cancelled_between_two_steps():
    calls = []

    def cancelled():
        calls.append(1)
        return len(calls) > 8

    with pytest.raises(Cancelled):
        stylize_volume(brain(), waves(), StyleSettings(features="random", steps=1000), cancelled=cancelled)
    assert len(calls) == 9


def test_compare_independent():
    found = stylize_volume(brain(), waves(), StyleSettings(**QUICK), compare_independent=True).figures
    assert found["flicker_independent"] > 0 and found["flicker_independent"] != found["flicker"]


def test_settings_are_checked():
    with pytest.raises(InputError, match="setting colour"):
        parse_settings({"colour": "cmyk"})
    with pytest.raises(InputError, match="setting steps"):
        parse_settings({"steps": 0})
    with pytest.raises(InputError, match="no layer 'conv1_1'"):
        StyleImageRunner(waves(), parse_settings({"features": "random", "layers": {"conv1_1": 1.0}}))
    with pytest.raises(InputError, match="above zero"):
        StyleImageRunner(waves(), parse_settings({"features": "random", "layers": {"fine1": 0.0}}))
    with pytest.raises(InputError, match="fp32"):
        StyleImageRunner(waves(), StyleSettings(features="random"), precision="bf16")
    with pytest.raises(InputError, match="OpenVINO"):
        StyleImageRunner(waves(), StyleSettings(features="random"), backend="openvino")
    with pytest.raises(InputError, match="NaN"):
        stylize_volume(Volume(np.full((1, 2, 9, 9), np.nan, np.float32)), waves(), StyleSettings(**QUICK))
    with pytest.raises(InputError, match="ascend"):
        stylize_volume(brain(), waves(), StyleSettings(**QUICK), window=(5, 1))


def test_layers_change_the_result():
    content = head()[None, 6:7, :40, :36] / 800
    fine, coarse = (
        stylize_sequence(content, waves(), random_features, StyleSettings(layers={name: 1.0}, **QUICK)).slices
        for name in ("fine1", "strokes4")
    )
    assert np.abs(fine - coarse).mean() > 0.005


# Style pictures


def save(path, array):
    write_volume(Volume(array[:, None], is_2d=True), path)
    return path


def test_pictures_of_any_depth(tmp_path):
    colours = (waves() * 255).astype(np.uint8)
    plain = read_picture(save(tmp_path / "a.png", colours))
    assert plain.shape == (3, 48, 64) and plain.dtype == np.float32 and abs(plain - colours / 255).max() < 1e-6
    deep = read_picture(save(tmp_path / "b.png", colours.astype(np.uint16) * 257))
    np.testing.assert_allclose(deep, plain, atol=1e-5)
    grey = read_picture(save(tmp_path / "c.tif", colours[:1]))
    assert grey.shape == (3, 48, 64) and np.array_equal(grey[0], grey[2])
    from PIL import Image

    Image.fromarray(np.dstack([*colours, np.full((48, 64), 9, np.uint8)])).save(tmp_path / "d.png")
    np.testing.assert_allclose(read_picture(tmp_path / "d.png"), plain, atol=1e-6)
    assert max(reduced(np.zeros((3, 100, 4000), np.float32)).shape) == 1024


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 1, 1), np.uint8), "too small"),
        (np.zeros((3, 20, 90), np.uint8), "too small"),
        (np.full((3, 50, 50), 77, np.uint8), "one colour"),
    ],
)
def test_pictures_without_a_style(tmp_path, array, reason):
    with pytest.raises(InputError, match=reason):
        read_picture(save(tmp_path / "p.png", array))


def test_files_that_are_no_pictures(tmp_path):
    with pytest.raises(InputError, match="no style picture"):
        read_picture(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(InputError):
        read_picture(tmp_path / "text.png")
    write_volume(brain(), tmp_path / "v.nii.gz")
    with pytest.raises(InputError, match="is no picture"):
        read_picture(tmp_path / "v.nii.gz")


def test_luminance_is_matched():
    made = luminance_like(waves(), 0.4, 0.1)
    assert made.shape == (3, 48, 64) and np.array_equal(made[0], made[1])
    assert made.mean() == pytest.approx(0.4, abs=0.01) and made.std() == pytest.approx(0.1, abs=0.01)


# VGG-19


@pytest.fixture
def small_vgg(monkeypatch, tmp_path):
    """A file laid out as torchvision's, with few channels, taken for the published one."""
    monkeypatch.setattr(features, "VGG_BLOCKS", ((4, 4), (6, 6), (8, 8, 8, 8), (8, 8, 8, 8), (8,)))
    torch.manual_seed(0)
    state, before, index = {}, 3, 0
    for block in features.VGG_BLOCKS:
        for width in block:
            state[f"features.{index}.weight"] = torch.randn(width, before, 3, 3) / (9 * before) ** 0.5
            state[f"features.{index}.bias"] = torch.zeros(width)
            before, index = width, index + 2
        index += 1
    state["classifier.0.weight"] = torch.zeros(2, 2)
    path = tmp_path / "vgg.pth"
    torch.save(state, path)
    from surgical_style_engine.models.folder import sha256_of

    monkeypatch.setattr(features, "SHA256_PREFIX", sha256_of(path)[:8])
    return path


def test_vgg_layout_is_torchvisions():
    """Indices and shapes of the real network, without its weights."""
    vgg = pytest.importorskip("torchvision").models.vgg19
    with torch.device("meta"):
        layers = vgg(weights=None).features
    found = [index for index, layer in enumerate(layers) if isinstance(layer, torch.nn.Conv2d)]
    pools = [index for index, layer in enumerate(layers) if isinstance(layer, torch.nn.MaxPool2d)]
    index, expected, expected_pools = 0, [], []
    for block in features.VGG_BLOCKS:
        for width in block:
            assert layers[index].out_channels == width
            expected.append(index)
            index += 2
        expected_pools.append(index)
        index += 1
    assert expected == found[: len(expected)] and expected_pools[:-1] == pools[: len(expected_pools) - 1]


def test_vgg_from_a_file(small_vgg):
    network = features.load_features("vgg19", tensor(waves()), file=small_vgg)
    found = network(tensor(waves()), {"conv1_1", "conv4_2", "conv5_1"})
    assert set(found) == {"conv1_1", "conv4_2", "conv5_1"} and found["conv4_2"].shape == (1, 8, 6, 8)
    first = torch.nn.functional.conv2d(
        (tensor(waves()) - network.mean) / network.std, network.blocks[0]["conv1_1"].weight, padding=1
    )
    torch.testing.assert_close(found["conv1_1"], first.relu())
    done = stylize_volume(brain(), waves(), StyleSettings(steps=6, neighbour_steps=2), features_file=small_vgg)
    assert done.figures["features"] == "vgg19" and not done.translation.warnings


def test_wrong_files_are_refused(tmp_path, monkeypatch, small_vgg):
    other = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(1)}, other)
    with pytest.raises(InputError, match="damaged, or not torchvision's vgg19-dcbb9e9d.pth"):
        features.load_features("vgg19", tensor(waves()), file=other)
    from surgical_style_engine.models.folder import sha256_of

    monkeypatch.setattr(features, "SHA256_PREFIX", sha256_of(other)[:8])
    with pytest.raises(InputError, match="does not hold the weights of torchvision's VGG-19"):
        features.load_features("vgg19", tensor(waves()), file=other)
    with pytest.raises(InputError, match="no file"):
        features.load_features("vgg19", tensor(waves()), file=tmp_path / "none.pth")


def test_without_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    assert features.pick_features("auto") == "random"
    with pytest.raises(InputError, match="--download-features .* --features random"):
        features.load_features("vgg19", tensor(waves()))
    with pytest.raises(InputError, match="no features 'resnet'"):
        features.pick_features("resnet")


def test_offline_download_says_what_to_do(monkeypatch, tmp_path):
    from surgical_style_engine.errors import StyleTransferError

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(features, "URL", "http://127.0.0.1:9/models/vgg19-dcbb9e9d.pth")  # nothing listens there
    with pytest.raises(StyleTransferError, match="could not be downloaded .*--features FILE"):
        features.download_features()
    assert not list((tmp_path / "hub").rglob("*.pth*"))
