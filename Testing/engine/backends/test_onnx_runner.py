"""Exported generators in ONNX Runtime, and in OpenVINO, translate as the network itself."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from agreement import pictures
from fakes import brain
from tiny_models import make_tiny_bilateral, make_tiny_model

from surgical_style_engine.backends.onnx_runner import OnnxRunner
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.card import Architecture
from surgical_style_engine.models.folder import StyleModel, load_model, save_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def exported(model: StyleModel, folder) -> StyleModel:
    """The model with its forward generator as an ONNX file."""
    axes = {0: "n", 2: "h", 3: "w"}
    channels = model.card.domain_from("forward").channels * model.card.stack
    torch.onnx.export(
        model.generator("forward"),
        (torch.rand(1, channels, 32, 32),),
        str(folder / "generator.onnx"),
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": axes, "output": axes},
        dynamo=False,
    )
    card = model.card.model_copy(
        update={"architecture": Architecture(name="onnx"), "directions": ["forward"], "name": "exported"}
    )
    save_model(folder / "exported", card, folder / "generator.onnx")
    return load_model(folder / "exported")


@pytest.fixture(scope="module", params=[make_tiny_model, make_tiny_bilateral])
def both(request, tmp_path_factory):
    """A model of small networks, and the same as an ONNX model."""
    folder = tmp_path_factory.mktemp("models")
    model = load_model(request.param(folder))
    return model, exported(model, folder)


@pytest.mark.filterwarnings("ignore")  # the exporter tells of its own deprecation
class TestExported:
    @pytest.mark.parametrize("size", [(32, 32), (44, 64), (52, 36)])
    def test_slices(self, both, size):
        model, onnx_model = both
        batch = pictures(3, *size, channels=model.card.stack)
        wanted = make_runner(model, device="cpu", precision="fp32", backend="torch").run(batch)
        runner = OnnxRunner(onnx_model, "cpu")
        found = runner.run(batch)
        assert found.shape == wanted.shape == (3, 1, *size) and found.dtype == np.float32
        assert np.abs(found - wanted).max() < 1e-4
        assert (runner.backend, runner.precision) == ("onnxruntime", "fp32")

    @pytest.mark.parametrize(
        "backend",
        ["auto", pytest.param("openvino", marks=pytest.mark.skipif(not find_spec("openvino"), reason="no OpenVINO"))],
    )
    def test_a_volume(self, both, backend):
        model, onnx_model = both
        volume = brain(5, (7, 50, 44))
        made = [
            translate_volume(volume, one, device="cpu", precision="fp32", backend=name).normalized_output
            for one, name in ((model, "torch"), (onnx_model, backend))
        ]
        assert made[0].std() > 0.05 and np.abs(made[0] - made[1]).max() < 1e-3

    def test_only_operations_of_the_standard(self, both):
        network = onnx.load(str(both[1].weights_path))
        assert {node.domain for node in network.graph.node} == {""}


@pytest.mark.parametrize(
    ("device", "precision", "sentence"),
    [
        ("cuda", "auto", "ONNX models run on the CPU; use the device auto or cpu."),
        ("cpu", "bf16", "ONNX models run in fp32; use the precision auto or fp32."),
    ],
)
def test_what_it_does_not_do(device, precision, sentence):
    with pytest.raises(InputError) as caught:
        OnnxRunner(None, device, precision)
    assert str(caught.value) == sentence
