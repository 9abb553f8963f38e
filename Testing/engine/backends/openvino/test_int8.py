"""Eight bits: exactly the rounding that is stated, image by image, and close to fp32 on real slices."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from model_folders import FIRST_SHIPPED

from surgical_style_engine.backends import autotune
from surgical_style_engine.backends.autotune import LEAST_PSNR, psnr_of
from surgical_style_engine.backends.choices import INT8
from surgical_style_engine.backends.openvino.int8 import LEVELS, WEIGHT_LEVELS, round_to_int8
from surgical_style_engine.backends.openvino.library import core, openvino_package
from surgical_style_engine.backends.openvino.runner import OpenVinoRunner
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.backends.torch_runner import TorchRunner
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.networks.resnet import ResnetGenerator

pytestmark = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
CHANNELS = 64


def compiled(network: torch.nn.Module, channels: int, eight: bool = True):
    """(function of a batch, how many layers were changed)."""
    openvino = openvino_package()
    model = openvino.convert_model(
        network.eval(), example_input=torch.zeros(1, channels, 24, 24), input=[(-1, channels, -1, -1)]
    )
    changed = round_to_int8(model) if eight else 0
    ready = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda batch: np.array(ready(np.ascontiguousarray(batch, np.float32))[0]), changed


def rounded(values: torch.Tensor, largest: torch.Tensor, levels: int) -> torch.Tensor:
    step = largest / levels
    return (values / step).round() * step


def images(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("positive", [False, True], ids=["signed", "after ReLU"])
@pytest.mark.parametrize("gain", [1e-3, 1.0, 1e3])
def test_one_convolution_is_exactly_the_stated_rounding(positive, gain):
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(CHANNELS, CHANNELS, 3, bias=True)
    first = torch.nn.ReLU() if positive else torch.nn.Identity()
    run, changed = compiled(torch.nn.Sequential(first, torch.nn.ReflectionPad2d(1), layer), CHANNELS)
    assert changed == 1
    batch = images(1, 2, CHANNELS, 20, 28) * np.float32(gain)
    found = run(batch)

    x = first(torch.from_numpy(batch).double())
    largest = x.abs().amax((1, 2, 3), keepdim=True)
    x = rounded(x, largest, 2 * LEVELS + 1 if positive else LEVELS)
    weight = layer.weight.detach().double()
    weight = rounded(weight, weight.abs().amax((1, 2, 3), keepdim=True), WEIGHT_LEVELS)
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1), "reflect")
    bias = layer.bias.detach().double()[:, None, None]
    convolved = torch.nn.functional.conv2d(padded, weight)
    error = np.abs(found - (convolved + bias).numpy())
    # A value halfway between two levels may go either way in single precision: a few pixels, one level.
    assert np.quantile(error, 0.99) < 2e-5 * float(convolved.std())
    assert error.max() < 0.05 * float(convolved.std())
    # And that differs from no rounding at all.
    plain = torch.nn.functional.conv2d(
        torch.nn.functional.pad(first(torch.from_numpy(batch).double()), (1, 1, 1, 1), "reflect"),
        layer.weight.detach().double(),
    )
    assert 20 < 20 * np.log10(float(plain.std()) / float((plain - convolved).std())) < 50


def test_the_largest_values_do_not_overflow():
    """Without VNNI, two products are added in 16 bits."""
    layer = torch.nn.Conv2d(CHANNELS, CHANNELS, 3, bias=False)
    torch.nn.init.ones_(layer.weight)
    run, _ = compiled(torch.nn.Sequential(torch.nn.ReLU(), layer), CHANNELS)
    np.testing.assert_allclose(run(np.ones((1, CHANNELS, 12, 12))), 9 * CHANNELS, rtol=1e-5)
    run, _ = compiled(torch.nn.Sequential(layer), CHANNELS)
    np.testing.assert_allclose(run(-np.ones((1, CHANNELS, 12, 12))), -9 * CHANNELS, rtol=1e-5)


class TestGenerator:
    @pytest.fixture(scope="class")
    def ways(self):
        torch.manual_seed(0)
        network = ResnetGenerator(1, 1, ngf=16, n_blocks=2)
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
        eight, changed = compiled(network, 1)
        return eight, compiled(network, 1, eight=False)[0], changed

    def test_residual_convolutions_and_nothing_else(self, ways):
        assert ways[2] == 4

    def test_near_fp32_but_not_it(self, ways):
        """These weights are random; what trained ones keep is further below."""
        eight, full, _ = ways
        batch = np.tanh(images(2, 1, 1, 48, 64))
        assert 30 < psnr_of(eight(batch), full(batch)) < 90

    def test_an_image_does_not_depend_on_its_batch(self, ways):
        eight, _, _ = ways
        batch = np.tanh(images(3, 3, 1, 32, 32)) * np.float32([[[[0.01]]], [[[1]]], [[[0.1]]]])
        together, alone = eight(batch), np.concatenate([eight(image[None]) for image in batch])
        assert psnr_of(together, alone) > 60

    def test_the_same_input_gives_the_same_output(self, ways):
        batch = np.tanh(images(4, 1, 1, 32, 48))
        assert np.array_equal(ways[0](batch), ways[0](batch))

    @pytest.mark.parametrize("value", [-1.0, 0.0])
    def test_a_flat_image_gives_numbers(self, ways, value):
        assert np.isfinite(ways[0](np.full((1, 1, 32, 32), value, np.float32))).all()


class TestRunner:
    def test_what_has_nothing_to_gain_is_told(self, tmp_path):
        from tiny_models import make_tiny_model

        model = load_model(make_tiny_model(tmp_path))
        with pytest.raises(InputError) as caught:
            make_runner(model, precision="int8")
        sentence = f"The model {model.card.name} has no layers that eight bits would speed up; use fp32, bf16 or auto."
        assert str(caught.value) == sentence
        # And auto does without.
        assert not {entry.precision for entry in autotune._measure(model, "forward")} & set(INT8)

    @pytest.mark.parametrize("backend", ["torch", "openvino", "auto"])
    @pytest.mark.parametrize("precision", list(INT8))
    def test_the_backend(self, backend, precision):
        model = load_model(FIRST_SHIPPED)
        if backend == "torch":
            with pytest.raises(InputError, match=r"needs the backend openvino; use fp32, bf16 or auto\.$"):
                make_runner(model, precision=precision, backend=backend)
            with pytest.raises(InputError, match=r"needs the backend openvino; use fp32, bf16 or auto\.$"):
                TorchRunner(model, "forward", "cpu", precision)
            return
        runner = make_runner(model, precision=precision, backend=backend)
        assert (runner.backend, runner.precision, runner.device) == ("openvino", precision, "cpu")
        with pytest.raises(InputError, match="runs on the CPU"):
            make_runner(model, precision=precision, device="cuda")

    @pytest.mark.parametrize("direction", ["forward", "backward"])
    def test_a_trained_model_multiplies_in_int8_and_keeps_45_db(self, direction):
        model = load_model(FIRST_SHIPPED)
        runner = OpenVinoRunner(model, direction, "cpu", "int8")
        kinds = [
            (node.get_rt_info()["layerType"].astype(str), node.get_rt_info()["runtimePrecision"].astype(str))
            for node in runner._compiled.get_runtime_model().get_ordered_ops()
            if "layerType" in node.get_rt_info()
        ]
        assert sum(kind == "Convolution" and precision in ("i8", "u8") for kind, precision in kinds) == 12
        picture = autotune.like_a_slice(3)
        wanted = TorchRunner(model, direction, "cpu", "fp32").run(picture)
        body = picture.max(axis=1)[0] > autotune.BODY_FROM
        assert LEAST_PSNR < psnr_of(runner.run(picture)[:, :, body], wanted[:, :, body]) < 90

    @pytest.mark.parametrize("patient", ["longitudinal/patient04_study1", "mni/patient07"])
    @pytest.mark.parametrize("direction", ["forward", "backward"])
    def test_every_real_slice_keeps_45_db_within_the_head(self, shared_data, direction, patient):
        model = load_model(FIRST_SHIPPED)
        contrast = model.card.domain_from(direction).name
        raw = patient.startswith("longitudinal")
        contrast = contrast.upper() if raw else contrast.removesuffix("w")
        volume = read_volume(shared_data / "open-ms" / f"{patient}_{contrast}.nii.gz")
        volume = volume.with_array(volume.array[:, ::6])
        made = {
            precision: translate_volume(volume, model, direction=direction, device="cpu", precision=precision)
            for precision in ("fp32", "int8")
        }
        assert made["int8"].precision == "int8"
        head = made["fp32"].normalized_input[0] > -0.85
        for index in np.flatnonzero(head.mean(axis=(1, 2)) > 0.05):
            found, wanted = (made[name].normalized_output[0, index][head[index]] for name in ("int8", "fp32"))
            assert psnr_of(found, wanted) > LEAST_PSNR, index
