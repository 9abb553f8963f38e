"""Networks that describe a style: random filters, and VGG-19 where its weights are at hand."""

from dataclasses import replace

import pytest
import torch
from style_pictures import brain, tensor, waves

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.inference.stylize import stylize_volume
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.models.weights import sha256_of
from surgical_style_engine.stylize import features
from surgical_style_engine.stylize.published import VGG19
from surgical_style_engine.stylize.random_features import random_features


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


@pytest.fixture
def small_vgg(monkeypatch, tmp_path):
    """A file laid out as torchvision's, with few channels, taken for the published one."""
    blocks = ((4, 4), (6, 6), (8, 8, 8, 8), (8, 8, 8, 8), (8,))
    torch.manual_seed(0)
    state, before, index = {}, 3, 0
    for block in blocks:
        for width in block:
            state[f"features.{index}.weight"] = torch.randn(width, before, 3, 3) / (9 * before) ** 0.5
            state[f"features.{index}.bias"] = torch.zeros(width)
            before, index = width, index + 2
        index += 1
    state["classifier.0.weight"] = torch.zeros(2, 2)
    path = tmp_path / "vgg.pth"
    torch.save(state, path)
    small = replace(VGG19, blocks=blocks, sha256_prefix=sha256_of(path)[:8])
    monkeypatch.setitem(features.PRETRAINED, "vgg19", small)
    return path


def test_vgg_layout_is_torchvisions():
    """Indices and shapes of the real network, without its weights."""
    vgg = pytest.importorskip("torchvision").models.vgg19
    with torch.device("meta"):
        layers = vgg(weights=None).features
    found = [index for index, layer in enumerate(layers) if isinstance(layer, torch.nn.Conv2d)]
    pools = [index for index, layer in enumerate(layers) if isinstance(layer, torch.nn.MaxPool2d)]
    index, expected, expected_pools = 0, [], []
    for block in VGG19.blocks:
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
    published = replace(features.PRETRAINED["vgg19"], sha256_prefix=sha256_of(other)[:8])
    monkeypatch.setitem(features.PRETRAINED, "vgg19", published)
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
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    nowhere = replace(VGG19, url="http://127.0.0.1:9/models/vgg19-dcbb9e9d.pth")  # nothing listens there
    monkeypatch.setitem(features.PRETRAINED, "vgg19", nowhere)
    with pytest.raises(StyleTransferError, match="could not be downloaded .*--features FILE"):
        features.download_features()
    assert not list((tmp_path / "hub").rglob("*.pth*"))


def test_a_second_network_is_an_entry_of_the_registry(small_vgg, monkeypatch, tmp_path):
    """A file tells by its digest whose weights it holds; without files, the first that is in the cache is taken."""
    state = torch.load(small_vgg, weights_only=True)
    other = {**state, "features.0.bias": torch.ones(4)}
    torch.save(other, tmp_path / "other.pth")
    digest = sha256_of(tmp_path / "other.pth")
    published = replace(features.PRETRAINED["vgg19"], name="other", title="Other", sha256_prefix=digest[:8])
    published = replace(published, url="http://127.0.0.1:9/other-0.pth", content_layers=("conv3_1",))
    monkeypatch.setitem(features.PRETRAINED, "other", published)
    assert features.pick_features("auto", small_vgg) == "vgg19"
    assert features.pick_features("auto", tmp_path / "other.pth") == "other"
    network = features.load_features("auto", tensor(waves()), file=tmp_path / "other.pth")
    assert network.name == "other" and network.content_layers == ("conv3_1",)
    assert network.blocks[0]["conv1_1"].bias.tolist() == [1, 1, 1, 1]
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    assert features.pick_features("auto") == "random"
    features.cached_weights("other").parent.mkdir(parents=True)
    torch.save(other, features.cached_weights("other"))
    assert features.pick_features("auto") == "other"
    with pytest.raises(InputError, match="--download-features"):
        features.load_features("vgg19", tensor(waves()))
