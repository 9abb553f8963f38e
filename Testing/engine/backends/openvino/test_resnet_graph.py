"""The network written down for OpenVINO is the one that torch computes, in every precision."""

import copy
from collections import Counter
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from model_folders import FIRST_SHIPPED

from surgical_style_engine.backends import autotune
from surgical_style_engine.backends.autotune import psnr_of
from surgical_style_engine.backends.openvino.int8 import round_to_int8
from surgical_style_engine.backends.openvino.library import core, openvino_package
from surgical_style_engine.backends.openvino.resnet_graph import block_kernel, resnet_network, upsampling_kernel
from surgical_style_engine.backends.openvino.runner import OpenVinoRunner, traced_network
from surgical_style_engine.backends.openvino.writers import written_network
from surgical_style_engine.backends.torch_runner import TorchRunner, middle_generator
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.networks.fast.block_convolution import BlockConv2d
from surgical_style_engine.networks.fast.middle_slice import middle_only
from surgical_style_engine.networks.fast.upsampling import _pairs_added
from surgical_style_engine.networks.resnet import ResnetGenerator
from surgical_style_engine.networks.resnet_layout import ResnetLayout

pytestmark = [
    pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


def lively(in_channels: int, out_channels: int, ngf: int, n_blocks: int) -> ResnetGenerator:
    torch.manual_seed(0)
    network = ResnetGenerator(in_channels, out_channels, ngf, n_blocks).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return network


def traced(network: torch.nn.Module, channels: int):
    return openvino_package().convert_model(
        network, example_input=torch.zeros(1, channels, 64, 64), input=[(-1, channels, -1, -1)]
    )


def compiled(network):
    ready = core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda batch: np.array(ready(batch)[0])


@pytest.mark.parametrize("size", [(36, 52), (20, 44), (64, 64)])
@pytest.mark.parametrize(
    ("arguments", "channels"),
    [
        ((1, 1, 8, 1), 1),
        ((3, 3, 8, 1), 3),
        ((3, 3, 8, 1), 1),
        ((3, 1, 8, 6), 1),
        ((1, 3, 8, 1), 3),
        ((3, 3, 32, 6), 1),
        ((9, 9, 8, 1), 3),
        ((2, 5, 8, 0), 5),
    ],
)
def test_it_computes_what_torch_does(arguments, channels, size):
    """channels below those of the network's output: the middle slice of a stack."""
    network = lively(*arguments)
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    run = compiled(resnet_network(ResnetLayout(*arguments), weights, channels))
    batch = np.tanh(np.random.default_rng(1).normal(size=(2, arguments[0], *size))).astype(np.float32)
    with torch.inference_mode():
        wanted = middle_only(network, channels)(torch.from_numpy(batch)).numpy()
    found = run(batch)
    assert found.shape == wanted.shape == (2, channels, *size) and wanted.std() > 0.1
    assert np.abs(found - wanted).max() < 1e-4


@pytest.mark.parametrize("out_channels", [1, 3])
def test_prepared_kernels_are_those_of_torchs_layers(out_channels):
    """Bit for bit; the block's by what it gives for a single pixel, which is the kernel turned over."""
    weight = torch.randn(5, 7, 3, 3)
    wanted = _pairs_added(_pairs_added(weight, 2), 3).transpose(0, 1)
    assert np.array_equal(upsampling_kernel(weight.numpy()), wanted.numpy())
    layer = BlockConv2d(2, out_channels, 7).requires_grad_(False)
    kernel = torch.from_numpy(block_kernel(layer.weight.numpy(), layer.block))
    image = torch.zeros(1, 2, 22, 22)
    image[:, :, 11, 12] = 1
    bias = layer.bias.repeat_interleave(layer.block**2)
    made = torch.nn.functional.conv2d(image, kernel, bias, stride=layer.block)
    assert torch.equal(torch.nn.functional.pixel_shuffle(made, layer.block), layer(image))


@pytest.mark.parametrize("direction", ["forward", "backward"])
class TestTrainedModel:
    def test_it_is_the_traced_graph(self, direction):
        """The same heavy operations in the same order, each of the same shape and weights."""
        model = load_model(FIRST_SHIPPED)
        heavy = {"Convolution", "GroupConvolution", "ConvolutionBackpropData", "MVN", "Pad", "Relu", "Tanh"}

        written, wanted = (
            [node for node in network.get_ordered_ops() if node.get_type_name() in heavy]
            for network in (written_network(model, direction), traced_network(model, direction))
        )
        assert Counter(node.get_type_name() for node in written)["MVN"] == 17
        for ours, torchs in zip(written, wanted, strict=True):
            assert ours.get_type_name() == torchs.get_type_name()
            assert ours.get_attributes() == torchs.get_attributes()
            if ours.get_input_size() > 1:  # weights, widths or axes
                ours, torchs = (node.input_value(1).get_node().data for node in (ours, torchs))
                assert ours.shape == torchs.shape and np.array_equal(ours, torchs)

    def test_fp32(self, direction):
        """By torch in double precision: in single, its tiles round by as much again."""
        model = load_model(FIRST_SHIPPED)
        picture = autotune.like_a_slice(3)
        found = OpenVinoRunner(model, direction, "cpu", "fp32").run(picture)
        network = copy.deepcopy(middle_generator(model, direction)).double()
        with torch.inference_mode():
            wanted = network(torch.from_numpy(picture).double()).numpy()
        assert found.shape == wanted.shape and np.abs(found - wanted).max() < 1e-4
        assert psnr_of(found, TorchRunner(model, direction, "cpu", "fp32").run(picture)) > 90
        assert np.abs(found - compiled(traced_network(model, direction))(picture)).max() < 1e-5

    def test_int8_changes_the_same_layers_to_the_same_effect(self, direction):
        model = load_model(FIRST_SHIPPED)
        networks = written_network(model, direction), traced_network(model, direction)
        assert [round_to_int8(network) for network in networks] == [12, 12]
        found, wanted = (compiled(network)(autotune.like_a_slice(3)) for network in networks)
        # Where sums differ in the last digit, a value may fall on the next of 256 levels.
        assert psnr_of(found, wanted) > 70
