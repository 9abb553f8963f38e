"""Weights of the reference code and ONNX generators become model folders; everything else one sentence."""

import os
import tarfile

import numpy as np
import pytest
import torch
from torch import nn

from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.importers.reference import import_reference
from surgical_style_engine.models.importers.reference_layouts import recognise
from surgical_style_engine.networks import build_discriminator, build_generator
from surgical_style_engine.volumes.volume import Volume

SIDES = {"name": "m", "source_name": "A", "target_name": "B"}
MR_TO_CT = {**SIDES, "source_modality": "MR", "target_modality": "CT"}
LAYOUTS = [
    ("resnet_reference", {"n_blocks": 6}),
    ("resnet_reference", {"n_blocks": 9, "ngf": 6, "dropout": True}),
    ("resnet_reference", {"n_blocks": 9, "antialias": True, "antialias_up": True}),
    ("resnet_reference", {"n_blocks": 6, "antialias": True}),
    ("resnet_reference", {"n_blocks": 6, "norm": "batch"}),
    ("resnet_reference", {"n_blocks": 6, "norm": "none"}),
    ("unet_reference", {"num_downs": 5}),
    ("unet_reference", {"num_downs": 8, "norm": "instance"}),
]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def generator(name="resnet_reference", **arguments):
    """A network with weights large enough to make pictures of."""
    defaults = {"ngf": 4, "in_channels": 3, "out_channels": 3} | ({"n_blocks": 2} if "resnet" in name else {})
    network = build_generator(name, **{**defaults, **arguments}).eval()
    state = {
        key: torch.randn_like(value) * 0.3 if value.is_floating_point() and not key.endswith("filt") else value
        for key, value in network.state_dict().items()
    }
    network.load_state_dict(state)
    return network


def saved(path, network):
    torch.save(network if isinstance(network, dict) else network.state_dict(), path)
    return path


@torch.no_grad()
@pytest.mark.parametrize(("name", "arguments"), LAYOUTS)
def test_layouts_are_recognised_from_their_keys(tmp_path, name, arguments):
    network = generator(name, **arguments)
    import_reference(saved(tmp_path / "latest_net_G_A.pth", network), tmp_path / "m", **SIDES)
    model = load_model(tmp_path / "m")
    found = model.card.architecture
    expected = arguments | {"norm": arguments.get("norm", "batch" if name == "unet_reference" else "instance")}
    if expected["norm"] == "batch":  # as the reference tests: the statistics of each image
        expected["norm"] = "batch_image"
    assert found.name == name and found.arguments["ngf"] == arguments.get("ngf", 4)
    assert {key: found.arguments.get(key) for key in expected if key != "dropout"} == {
        key: value for key, value in expected.items() if key != "dropout"
    }
    image = torch.rand(1, 3, 64, 32) * 2 - 1
    if expected["norm"] == "batch_image":
        network.train()  # with one image a batch
    torch.testing.assert_close(model.generator("forward")(image), network(image), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_old_and_wrapped_files(tmp_path):
    network = generator()
    state = network.state_dict()
    old = {f"module.{key}": value.half() for key, value in state.items()}
    for number in (2, 5, 8):  # as InstanceNorm layers of torch before 0.4 left them
        old[f"module.model.{number}.running_mean"] = torch.zeros(4)
        old[f"module.model.{number}.running_var"] = torch.ones(4)
        old[f"module.model.{number}.num_batches_tracked"] = torch.tensor(0)
    path = tmp_path / "old.pth"
    torch.save({"state_dict": old}, path, _use_new_zipfile_serialization=False)
    import_reference(path, tmp_path / "m", **SIDES)
    weight = load_model(tmp_path / "m").generator("forward").state_dict()["model.1.weight"]
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight, state["model.1.weight"], atol=1e-3, rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet_reference", "unet_reference"])
def test_scalar_sides_are_folded(tmp_path, name):
    """A network fed three equal channels gives on one channel what it gave on three."""
    network = generator(name)
    state = network.state_dict()
    last = "model.model.3" if name == "unet_reference" else f"model.{len(network.model) - 2}"
    channel = 1 if name == "unet_reference" else 0
    grey = state[f"{last}.weight"].mean(channel, keepdim=True)
    state[f"{last}.weight"].copy_(grey.expand_as(state[f"{last}.weight"]))  # what a grey target makes of it
    state[f"{last}.bias"].fill_(0.1)
    card = import_reference(saved(tmp_path / "g.pth", network), tmp_path / "m", **MR_TO_CT)
    assert (card.domains.source.channels, card.domains.target.channels) == (1, 1)
    assert card.domains.target.units == "HU" and card.domains.target.inverse.low == -1000
    image = torch.rand(1, 1, 32, 32) * 2 - 1
    network.train(name == "unet_reference")
    expected = network(image.expand(-1, 3, -1, -1))
    result = load_model(tmp_path / "m").generator("forward")(image)
    torch.testing.assert_close(result, expected[:, :1], atol=1e-5, rtol=1e-4)


def test_both_directions_translate_a_volume(tmp_path):
    """The whole way: a picture-trained pair of networks in the volume pipeline, in both directions."""
    there, back = saved(tmp_path / "A.pth", generator()), saved(tmp_path / "B.pth", generator(n_blocks=3))
    card = import_reference(
        there,
        tmp_path / "m",
        **MR_TO_CT,
        other_direction=back,
        target_window=(-200, 300),
        spacing_mm=2.0,
        licence="CC0",
        image_size=128,
    )
    assert card.directions == ["forward", "backward"] and card.architecture.backward_arguments["n_blocks"] == 3
    assert set(card.training["files"]) == {"A.pth", "B.pth"} and card.training["image_size"] == 128
    model = load_model(tmp_path / "m")
    values = np.random.default_rng(0).uniform(0, 500, (1, 3, 30, 26)).astype(np.float32)
    volume = Volume(values, (1.0, 1.0, 3.0))
    result = translate_volume(volume, model, device="cpu")
    assert result.volume.array.shape == values.shape and result.slices == 3
    assert -200 <= result.volume.array.min() < result.volume.array.max() <= 300
    assert translate_volume(result.volume, model, direction="backward", device="cpu").slices == 3
    readme = (tmp_path / "m" / "README.md").read_text()
    assert "A.pth" in readme and "CC0" in readme and "128x128" in readme


def test_code_is_refused_and_not_run(tmp_path):
    marker = tmp_path / "ran"

    class Writes:
        def __reduce__(self):
            return os.mkdir, (str(marker),)

    for number, content in enumerate(({"model.1.weight": Writes()}, generator())):
        for new in (True, False):
            path = tmp_path / f"{number}{new}.pth"
            torch.save(content, path, _use_new_zipfile_serialization=new)
            with pytest.raises(InputError, match="holds code beside weights"):
                import_reference(path, tmp_path / "m", **SIDES)
    with tarfile.open(tmp_path / "oldest.pth", "w") as archive:
        archive.add(tmp_path / "0True.pth", "pickle")
    with pytest.raises(InputError, match="oldest format"):
        import_reference(tmp_path / "oldest.pth", tmp_path / "m", **SIDES)
    assert not marker.exists() and not (tmp_path / "m").exists()


def test_what_is_no_generator(tmp_path):
    whole = generator().state_dict()
    nan = {key: value.clone() for key, value in whole.items()}
    nan["model.4.bias"][0] = float("nan")
    cases = [
        (build_discriminator("patchgan", ndf=4).state_dict(), "holds a discriminator"),
        (nn.Linear(2, 2).state_dict(), "no generator of the reference code"),
        ({key: value for key, value in whole.items() if key != "model.4.bias"}, "lacks the weights model.4.bias"),
        (whole | {"model.99.conv_block.1.weight": torch.zeros(1)}, "last layer is no convolution"),
        (whole | {"model.9.weight": torch.zeros(1)}, "model.9.weight, which"),
        (whole | {"model.4.weight": torch.zeros(8, 4, 5, 5)}, r"shape \(8, 4, 5, 5\)"),
        (nan, "not finite numbers: model.4.bias"),
        (whole | {"epoch": 7}, "something beside weights: 'epoch'"),
        ({}, "no state dictionary"),
        (generator(in_channels=2).state_dict(), "2 to 3 channels"),
        (generator("unet_reference", num_downs=5).state_dict() | {"model.model.3.weight": torch.zeros(1)}, "U-Net"),
    ]
    for state, sentence in cases:
        with pytest.raises(InputError, match=sentence):
            import_reference(saved(tmp_path / "x.pth", state), tmp_path / "m", **SIDES)
    for content in (b"", b"not weights at all", (tmp_path / "x.pth").read_bytes()[:300]):
        (tmp_path / "x.pth").write_bytes(content)
        with pytest.raises(InputError, match="no weights of torch" if content else "is empty"):
            import_reference(tmp_path / "x.pth", tmp_path / "m", **SIDES)
    assert not (tmp_path / "m").exists()


def test_settings_that_do_not_fit(tmp_path):
    path = saved(tmp_path / "g.pth", generator())
    unet = saved(tmp_path / "u.pth", generator("unet_reference", num_downs=5))
    grey = saved(tmp_path / "1.pth", generator(in_channels=1))
    for settings, sentence in (
        ({"name": "../m"}, "cannot be a model's name"),
        ({"plane": "oblique"}, "cannot have this plane"),
        ({"source_window": (5, 5)}, "must ascend"),
        ({"other_direction": tmp_path / "absent.pth"}, "no file"),
        ({"other_direction": unet}, "of different kinds"),
        ({"other_direction": grey}, "do not fit"),
    ):
        with pytest.raises(InputError, match=sentence):
            import_reference(path, tmp_path / "m", **{**SIDES, **settings})
    import_reference(path, tmp_path / "m", **SIDES)
    with pytest.raises(InputError, match="exists already"):
        import_reference(grey, tmp_path / "m", **SIDES)
    assert import_reference(grey, tmp_path / "m", **SIDES, overwrite=True).domains.source.channels == 1


def test_recognising_allocates_nothing_for_huge_claims():
    """Shapes that claim a network larger than memory are refused by comparing, not by building."""
    state = {f"model.{n}.conv_block.1.weight": torch.zeros(1) for n in range(10, 200)}
    state |= {"model.1.weight": torch.zeros(1000, 1, 1, 1), "model.1.bias": torch.zeros(1)}
    state |= {"model.950.weight": torch.zeros(1, 1, 1, 1), "model.950.bias": torch.zeros(1)}
    with pytest.raises(InputError, match=r"where \(1000,\) is needed"):
        recognise(state)
