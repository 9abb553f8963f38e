"""Networks as the configuration describes them, of this project and from outside."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from tiny_methods import make_method
from tiny_training import as_options

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.networks import registry
from training_cli.training.config import load_config
from training_cli.training.optimisation.networks import check_patch_size, generator_arguments, run_together

BASE = {"source": "a", "target": "b", "output": "r", "max_steps": 1, "ngf": 6, "n_blocks": 2}


class Scaled(torch.nn.Module):
    """A gain a pixel, of so many features: a generator as somebody else would write one."""

    def __init__(self, in_channels: int, out_channels: int, features: int = 2, smooth: bool = False) -> None:
        super().__init__()
        first = torch.nn.Conv2d(in_channels, features, 3, padding=1)
        second = torch.nn.Conv2d(features, out_channels, 3, padding=1)
        self.layers = torch.nn.Sequential(first, torch.nn.Softplus() if smooth else torch.nn.ReLU(), second)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.layers(x))


@pytest.fixture
def scaled(monkeypatch):
    """The generator "scaled" in the registry."""
    monkeypatch.setitem(registry.GENERATORS, "scaled", registry.Generator(f"{__name__}:Scaled"))
    monkeypatch.setattr(registry, "_imported", lambda place: Scaled if place.endswith(":Scaled") else imported(place))


imported = registry._imported


@pytest.mark.parametrize(
    ("generator", "more", "arguments"),
    [
        ("resnet", "", {"ngf": 6, "n_blocks": 2}),
        ("unet_reference", "num_downs=5", {"ngf": 6, "num_downs": 5}),
        ("article", "", {"ngf": 6}),
        ("article", "n_blocks=3", {"ngf": 6, "n_blocks": 3}),
        ("resnet_reference", "norm=batch,dropout=true", {"ngf": 6, "n_blocks": 2, "norm": "batch", "dropout": True}),
    ],
)
def test_a_generator_gets_its_own_settings_and_those_common_ones_that_it_knows(generator, more, arguments):
    config = load_config(None, BASE | {"generator": generator, "generator_settings": more})
    assert generator_arguments(config) == arguments


def test_settings_that_a_generator_has_not_are_one_sentence():
    with pytest.raises(InputError, match="'resnet' takes no argument 'bins'"):
        make_method("cyclegan", generator_settings="bins=8")
    with pytest.raises(InputError, match="'article' cannot have n_blocks = 'many'"):
        make_method("cyclegan", generator="article", generator_settings="n_blocks=many")


@pytest.mark.parametrize("method", ["cyclegan", "paired"])
def test_a_generator_from_outside_is_trained_with_its_settings(scaled, method, tiny, pairs, tmp_path, sst):
    more = {"method": method, "pairs": pairs, "generator": "scaled", "generator_settings": "features=3,smooth=true"}
    ended = sst("train", *as_options(tiny | more))
    assert ended.code == 0, ended
    model = load_model(tmp_path / "run" / "model" / "model")
    arguments = {"in_channels": 3, "out_channels": 3, "features": 3, "smooth": True}
    assert (model.card.architecture.name, model.card.architecture.arguments) == ("scaled", arguments)
    assert model.card.training["settings"]["generator_settings"] == {"features": 3, "smooth": True}
    assert model.generator("forward")(torch.zeros(1, 3, 16, 16)).shape == (1, 3, 16, 16)
    changed = tiny | more | {"generator_settings": "features=4"}
    assert "generator_settings was" in sst("train", *as_options(changed), "--resume").err


@pytest.mark.parametrize("method", ["cyclegan", "cut", "paired", "perceptual"])
def test_the_bilateral_generator_is_trained_by_every_method(method, tiny, pairs, discs, tmp_path, sst, refused):
    more = {"method": method, "pairs": pairs, "generator": "bilateral", "generator_settings": "features=8,detail=4"}
    if method == "cut":
        assert "ResNet" in refused("train", *as_options(tiny | more))
        return
    if method == "perceptual":
        (discs / "picture").mkdir()
        gradient = np.linspace(0, 255, 48 * 48, dtype=np.uint8).reshape(48, 48)
        sitk.WriteImage(sitk.GetImageFromArray(gradient), discs / "picture" / "style.png")
        more |= {"target": discs / "picture", "pairs": "none", "features": "random"}
    assert sst("train", *as_options(tiny | more)).code == 0
    volume = read_volume(discs / "source" / "a.nii.gz")
    translation = translate_volume(
        volume, load_model(tmp_path / "run" / "model" / "model"), device="cpu", backend="torch"
    )
    assert translation.volume.same_grid(volume) and np.isfinite(translation.volume.array).all()


def test_fine_tuning_keeps_the_generators_settings(scaled, tiny, tmp_path, sst, refused):
    first = tiny | {"generator": "scaled", "generator_settings": "features=3", "max_steps": 1, "output": tmp_path / "a"}
    assert sst("train", *as_options(first)).code == 0
    again = {key: value for key, value in tiny.items() if key not in ("ngf", "n_blocks", "stack")}
    again |= {"init": tmp_path / "a" / "model" / "model", "max_steps": 1}
    sentence = refused("train", *as_options(again | {"generator_settings": "features=5"}))
    assert sentence == "The model model has features 3, but the settings ask for 5."
    assert sst("train", *as_options(again)).code == 0
    assert load_model(tmp_path / "run" / "model" / "model").card.architecture.arguments["features"] == 3


def test_batches_run_together_give_what_they_give_apart():
    torch.manual_seed(0)
    first, second = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8)
    for norm in (torch.nn.InstanceNorm2d, torch.nn.BatchNorm2d):
        network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), norm(2))
        apart = network(first), network(second)
        for image, expected in zip(run_together(network, first, second), apart, strict=True):
            torch.testing.assert_close(image, expected)


def test_patches_that_do_not_fit_are_one_sentence():
    network = torch.nn.Conv2d(1, 1, 5)
    check_patch_size(network, 1, 8, "discriminator")
    with pytest.raises(InputError, match="Patches of 8 pixels do not fit the generator"):
        check_patch_size(network, 1, 8, "generator")
    with pytest.raises(InputError, match="Patches of 4 pixels do not fit the discriminator"):
        check_patch_size(network, 1, 4, "discriminator")
