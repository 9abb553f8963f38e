"""LPIPS: as the package lpips computes it, inside a region only, and its unweighted form with the original VGG-16."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from published_weights import torchvision_file, vgg16_wheel

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.weights import sha256_of
from surgical_style_engine.stylize import features, fetch
from surgical_style_engine.stylize.fetch import fetch_features
from surgical_style_engine.stylize.lpips import LAYERS, PerceptualDistance, check_distance, load_distance
from surgical_style_engine.stylize.published import PRETRAINED, cached_weights
from surgical_style_engine.stylize.vgg import vgg_features


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """Weights of chance in torchvision's layout."""
    return torch.load(torchvision_file(tmp_path_factory.mktemp("torch") / "w.pth"), weights_only=True)


def network(state):
    return vgg_features(PRETRAINED["vgg16-torchvision"], state)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SST_FEATURES", str(tmp_path / "features"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


def heads_file():
    lpips = pytest.importorskip("lpips")
    return Path(os.path.dirname(lpips.__file__)) / "weights" / "v0.1" / "vgg.pth"


def pictures(count=3, channels=3, side=48):
    generator = torch.Generator().manual_seed(3)
    base = torch.rand(1, channels, side, side + 16, generator=generator) * 2 - 1
    noise = torch.randn(count - 1, channels, side, side + 16, generator=generator)
    strength = torch.linspace(0.1, 0.6, count - 1)[:, None, None, None]
    return torch.cat([base, (base + strength * noise).clamp(-1, 1)])


@pytest.mark.parametrize("weighted", [True, False])
def test_it_is_what_the_package_lpips_computes(state, cache, weighted):
    lpips = pytest.importorskip("lpips")
    theirs = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False, lpips=weighted)
    slices = (theirs.net.slice1, theirs.net.slice2, theirs.net.slice3, theirs.net.slice4, theirs.net.slice5)
    for part in slices:
        for index, layer in part.named_children():
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight.data, layer.bias.data = state[f"features.{index}.weight"], state[f"features.{index}.bias"]
    heads = None
    if weighted:
        from safetensors.numpy import load_file

        heads = load_file(fetch_features("lpips", heads_file()).path)
    ours = PerceptualDistance(network(state), heads)
    for channels in (3, 1):
        images = pictures(channels=channels)
        with torch.no_grad():
            colour = images.expand(-1, 3, -1, -1)
            expected = theirs(colour[:1].expand(2, -1, -1, -1), colour[1:]).flatten()
        torch.testing.assert_close(ours.of_pictures(images).float(), expected, rtol=1e-4, atol=1e-6)
    assert ours.key == ("lpips" if weighted else "vgg_distance")


def test_by_hand(state):
    """One layer after the other, in numpy, from the network's activations."""
    net = network(state)
    random = np.random.default_rng(0)
    heads = {f"layer{i}": random.uniform(size=w).astype(np.float32) for i, w in enumerate((64, 128, 256, 512, 512))}
    images = pictures(2)
    found = float(PerceptualDistance(net, heads).of_pictures(images))
    expected = 0.0
    with torch.no_grad():
        activations = net((images + 1) / 2, set(LAYERS))
    for number, layer in enumerate(LAYERS):
        first, second = activations[layer].numpy().astype(np.float64)
        first, second = (array / np.sqrt((array**2).sum(axis=0)) for array in (first, second))
        expected += ((first - second) ** 2 * heads[f"layer{number}"][:, None, None]).sum(axis=0).mean()
    assert found == pytest.approx(expected, rel=1e-5) and found > 0.01


class TestVolumes:
    @pytest.fixture
    def volumes(self):
        images = pictures(2, channels=1, side=32).numpy()
        reference = np.stack([images[0], images[0][:, ::-1], images[0]], axis=1)
        other = np.stack([images[1], images[1][:, ::-1], images[0]], axis=1)
        return reference, other, np.ones(reference.shape[1:], bool)

    def test_equal_images_and_everywhere(self, state, volumes):
        reference, other, region = volumes
        distance = PerceptualDistance(network(state))
        found = distance.of_volumes({"same": reference, "other": other}, reference, region)
        assert found["same"] == 0
        slices = [
            float(distance.of_pictures(torch.from_numpy(np.stack([reference[:, z], other[:, z]])))) for z in range(3)
        ]
        assert slices[2] == 0 and found["other"] == pytest.approx(np.mean(slices), rel=1e-6)

    def test_outside_of_the_region_nothing_counts(self, state, volumes):
        reference, other, region = volumes
        region[:, :16] = False
        region[2] = False
        elsewhere = np.where(region, reference, other)
        distance = PerceptualDistance(network(state))
        found = distance.of_volumes({"elsewhere": elsewhere, "other": other}, reference, region)
        assert found["elsewhere"] == 0 and found["other"] > 0

    def test_slices_along_another_axis(self, state, volumes):
        reference, other, region = volumes
        turned = [np.swapaxes(array, -3, -2) for array in (reference, other)]
        distance = PerceptualDistance(network(state))
        straight = distance.of_volumes({"x": other}, reference, region)
        across = distance.of_volumes({"x": turned[1]}, turned[0], np.swapaxes(region, 0, 1), slice_axis=1)
        assert across == straight

    def test_too_small_or_empty_is_absent_not_zero(self, state, volumes):
        reference, other, region = volumes
        distance = PerceptualDistance(network(state))
        small = distance.of_volumes({"x": other[..., :15, :]}, reference[..., :15, :], region[:, :15])
        assert small == {"x": None}
        assert distance.of_volumes({"x": other}, reference, ~region) == {"x": None}


class TestWhatIsOnTheMachine:
    def test_nothing(self, cache):
        with pytest.raises(InputError, match="sst models features lpips and .*vgg16-torchvision fetch them"):
            load_distance()

    def test_the_original_network_goes_without_weights_made_for_another(self, cache):
        fetch_features("vgg16", vgg16_wheel())
        assert check_distance() == "vgg_distance"
        distance = load_distance()
        assert distance.key == "vgg_distance"
        values = distance.of_pictures(pictures(4))
        assert 0 < values[0] < values[1] < values[2], "more noise looks more different"

    def test_torchvisions_network_and_the_channel_weights(self, cache, monkeypatch):
        path = torchvision_file(cached_weights("vgg16-torchvision"))
        published = replace(PRETRAINED["vgg16-torchvision"], sha256_prefix=sha256_of(path)[:8])
        monkeypatch.setitem(features.PRETRAINED, "vgg16-torchvision", published)
        with pytest.raises(InputError):
            check_distance()
        fetch_features("lpips", heads_file())
        assert check_distance() == "lpips" and load_distance().key == "lpips"
        shutil.copyfile(path, cached_weights("lpips"))
        with pytest.raises(InputError, match="damaged"):
            load_distance()
        assert fetch.NAMES[-1] == "lpips"
