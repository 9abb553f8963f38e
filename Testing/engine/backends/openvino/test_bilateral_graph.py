"""The tone curves written down for OpenVINO are those that torch computes, in every precision."""

import copy
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from agreement import pictures
from tiny_models import make_tiny_bilateral

from surgical_style_engine.backends import autotune
from surgical_style_engine.backends.autotune import LEAST_PSNR, psnr_of
from surgical_style_engine.backends.choices import INT8
from surgical_style_engine.backends.openvino.bilateral_graph import bilateral_network
from surgical_style_engine.backends.openvino.int8 import round_to_int8
from surgical_style_engine.backends.openvino.library import core
from surgical_style_engine.backends.openvino.runner import OpenVinoRunner
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.backends.torch_runner import TorchRunner
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.names import list_models, shipped_models_folder
from surgical_style_engine.networks.bilateral import BilateralGenerator
from surgical_style_engine.networks.bilateral_layout import BilateralLayout
from surgical_style_engine.networks.fast.middle_slice import middle_only

pytestmark = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
SMALL = {"features": 8, "detail": 8}
SHIPPED = sorted(folder.name for folder, card, _ in list_models([shipped_models_folder()]) if not card.is_many)


def lively(**arguments) -> BilateralGenerator:
    torch.manual_seed(0)
    network = BilateralGenerator(**arguments).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if parameter.dim() == 1:
            parameter.add_(0.2 * torch.randn_like(parameter))
        elif name == "head.weight":
            parameter.mul_(50)
    network.guide[2].bias.zero_()
    return network


def written(network: BilateralGenerator, arguments: dict, channels: int):
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    return bilateral_network(BilateralLayout(**arguments), weights, channels)


def compiled(network, hint: str = "f32"):
    ready = core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": hint})
    return lambda batch: np.array(ready(batch)[0])


@pytest.mark.parametrize(
    ("arguments", "channels"),
    [
        ({}, 1),
        ({**SMALL}, 1),
        ({**SMALL, "in_channels": 1}, 1),
        ({**SMALL, "in_channels": 5, "bins": 2}, 1),
        ({**SMALL, "out_channels": 3}, 1),
        ({**SMALL, "out_channels": 3, "detail": 0}, 3),
        ({**SMALL, "in_channels": 9, "out_channels": 9, "bins": 5}, 3),
        ({**SMALL, "levels": 0}, 1),
        ({**SMALL, "levels": 1, "residual_percent": 0}, 1),
        ({**SMALL, "levels": 3, "residual_percent": 60}, 1),
        ({**SMALL, "detail": 0, "bins": 1}, 1),
        ({**SMALL, "features": 16, "dropout_percent": 10}, 1),
    ],
    ids=str,
)
def test_it_computes_what_torch_does(arguments, channels):
    """At any size, and in any batch; channels below those of the network's output: the middle slice of a stack."""
    network = lively(**arguments)
    run, part = compiled(written(network, arguments, channels)), middle_only(network, channels)
    rng = np.random.default_rng(1)
    for size in ((64, 64), (61, 43), (16, 17), (100, 36)):
        batch = np.tanh(rng.normal(size=(2, network.in_channels, *size))).astype(np.float32)
        wanted = part(torch.from_numpy(batch)).numpy()
        found = run(batch)
        assert found.shape == wanted.shape == (2, channels, *size) and wanted.std() > 0.02
        assert np.abs(found - wanted).max() < 1e-4
        exact = copy.deepcopy(part).double()(torch.from_numpy(batch).double()).numpy()
        assert np.abs(found - exact).max() < 1e-4 and psnr_of(found, wanted) > 100


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_constant_slices_are_as_in_torch(value):
    """Normalisation of what does not vary: of its variance nothing but rounding may be left."""
    network = lively(**SMALL)
    batch = np.full((1, 3, 48, 40), value, np.float32)
    found = compiled(written(network, SMALL, 1))(batch)
    assert np.isfinite(found).all()
    assert np.abs(found - network(torch.from_numpy(batch)).numpy()).max() < 1e-4


def test_intensities_beyond_the_range_are_as_in_torch():
    network = lively(**SMALL)
    batch = 3 * np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    found = compiled(written(network, SMALL, 1))(batch)
    assert np.abs(found - network(torch.from_numpy(batch)).numpy()).max() < 2e-5


@pytest.mark.parametrize("whole_stack", [False, True])
def test_a_model_folder_in_every_precision_and_direction(tmp_path, whole_stack):
    model = load_model(make_tiny_bilateral(tmp_path, whole_stack=whole_stack))
    batch = pictures(2, 52, 44, channels=3)
    made = []
    for direction in ("forward", "backward"):
        exact = make_runner(model, direction, "cpu", "fp32", "torch").run(batch)
        assert exact.shape == (2, 1, 52, 44) and exact.std() > 0.1
        assert psnr_of(make_runner(model, direction, "cpu", "fp32", "openvino").run(batch), exact) > 110
        for backend in ("torch", "openvino"):
            rounded = make_runner(model, direction, "cpu", "bf16", backend)
            assert rounded.precision == "bf16" and psnr_of(rounded.run(batch), exact) > LEAST_PSNR
        made.append(exact)
    assert np.abs(made[0] - made[1]).max() > 0.1


class TestInt8:
    def test_narrow_networks_have_nothing_to_gain_and_auto_does_without(self, tmp_path):
        model = load_model(make_tiny_bilateral(tmp_path))
        with pytest.raises(InputError, match="has no layers that eight bits would speed up; use fp32, bf16 or auto"):
            make_runner(model, precision="int8")
        ways = autotune._measure(model, "forward")
        assert {entry.backend for entry in ways} >= {"torch", "openvino"}
        assert not {entry.precision for entry in ways} & set(INT8)

    def test_the_default_network_has_nothing_to_gain(self):
        assert round_to_int8(written(lively(), {}, 1)) == 0

    def test_of_wide_networks_the_u_alone_is_rounded(self):
        """Where tone is made, the grid's head, the places and the curves, all stays as it is."""
        arguments = {"features": 32, "levels": 1, "detail": 16}
        network = lively(**arguments)
        model = written(network, arguments, 1)
        assert round_to_int8(model) == 1 + 2 * 4  # the stem's last and four blocks'
        rounded_layers = [
            node
            for node in model.get_ordered_ops()
            if node.get_type_name() == "Convolution"
            and node.input_value(1).get_node().get_type_name() == "FakeQuantize"
        ]
        assert {tuple(node.input_value(1).get_shape()) for node in rounded_layers} == {(64, 64, 3, 3)}
        batch = np.tanh(np.random.default_rng(1).normal(size=(1, 3, 64, 64))).astype(np.float32)
        wanted = network(torch.from_numpy(batch)).numpy()
        assert 20 < psnr_of(compiled(model)(batch), wanted) < 100


def test_the_runner_is_named_by_what_it_computes_in(tmp_path):
    runner = OpenVinoRunner(load_model(make_tiny_bilateral(tmp_path)), "forward", "cpu", "fp32")
    assert (runner.backend, runner.precision, runner.device) == ("openvino", "fp32", "cpu")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_are_as_in_torch(name):
    model = load_model(name)
    picture = autotune.like_a_slice(model.card.stack)
    for direction in model.card.directions:
        wanted = TorchRunner(model, direction, "cpu", "fp32").run(picture)
        found = {kind: OpenVinoRunner(model, direction, "cpu", kind).run(picture) for kind in ("fp32", "bf16")}
        assert np.abs(found["fp32"] - wanted).max() < 1e-4
        body = picture.max(axis=1)[0] > autotune.BODY_FROM
        assert psnr_of(found["bf16"][:, :, body], wanted[:, :, body]) > LEAST_PSNR
        assert wanted[:, :, body].std() > 0.1, "it draws something"
