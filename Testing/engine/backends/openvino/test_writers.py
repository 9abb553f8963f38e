"""Networks that are written down for OpenVINO are those whose layout is known; another is one entry more."""

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import make_model

from surgical_style_engine.backends.openvino import writers
from surgical_style_engine.backends.openvino.library import operations
from surgical_style_engine.backends.openvino.runner import OpenVinoRunner
from surgical_style_engine.models.card import Architecture
from surgical_style_engine.models.folder import StyleModel, save_model
from surgical_style_engine.networks.registry import GENERATORS, Generator

pytestmark = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")


@dataclass(frozen=True)
class GainLayout:
    """A network of one number."""

    in_channels: int = 1
    out_channels: int = 1

    def shapes(self) -> dict[str, list[int]]:
        return {"gain": [1]}


def write_gain(layout: GainLayout, weights: dict[str, np.ndarray], channels: int):
    import openvino

    op = operations()
    image = op.parameter(openvino.PartialShape([-1, layout.in_channels, -1, -1]), np.float32)
    return openvino.Model([op.multiply(image, op.constant(weights["gain"].reshape(1, 1, 1, 1)))], [image], "gain")


def test_every_layout_has_its_writer():
    assert set(writers.WRITERS) == {name for name, entry in GENERATORS.items() if entry.layout}


def test_a_generator_from_outside_runs_without_torch(tmp_path, monkeypatch):
    import torch

    monkeypatch.setitem(sys.modules, "outside", SimpleNamespace(GainLayout=GainLayout))
    monkeypatch.setitem(GENERATORS, "gain", Generator("nowhere:Gain", layout="outside:GainLayout"))
    monkeypatch.setitem(writers.WRITERS, "gain", write_gain)
    card = make_model(directions=["forward"]).card.model_copy(update={"architecture": Architecture(name="gain")})
    card = save_model(tmp_path / "gain", card, {"gain": torch.tensor([-0.5])})
    runner = OpenVinoRunner(StyleModel(card, tmp_path / "gain"), "forward", "cpu", "fp32")
    batch = np.linspace(-1, 1, 32 * 32, dtype=np.float32).reshape(1, 1, 32, 32)
    np.testing.assert_allclose(runner.run(batch), -0.5 * batch, atol=1e-6)
