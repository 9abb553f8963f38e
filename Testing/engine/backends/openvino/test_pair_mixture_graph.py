"""A route of a mixture written down for OpenVINO is what torch computes."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from tiny_models import make_tiny_mixture

from surgical_style_engine.backends.openvino.runner import OpenVinoRunner
from surgical_style_engine.backends.torch_runner import TorchRunner
from surgical_style_engine.models.folder import load_model

pytestmark = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_tiny_mixture(tmp_path_factory.mktemp("mixture")))


@pytest.mark.parametrize("direction", ["T1w>T2w", "FLAIR>T2w", "T1w+FLAIR>T2w", "FLAIR+T1w>T2w", "T1w+FLAIR+PD>T2w"])
@pytest.mark.parametrize("size", [(32, 64), (20, 36)])
def test_every_route_in_fp32(model, direction, size):
    channels = 3 * model.card.domain_from(direction).channels
    batch = np.random.default_rng(0).uniform(-1, 1, (2, channels, *size)).astype(np.float32)
    expected = TorchRunner(model, direction, "cpu", "fp32").run(batch)
    result = OpenVinoRunner(model, direction, "auto", "fp32").run(batch)
    assert result.shape == expected.shape == (2, 1, *size)
    assert np.abs(result - expected).max() < 1e-4 and expected.std() > 0.01


def test_no_torch_is_needed(model, monkeypatch):
    monkeypatch.setattr(torch, "zeros", None)
    monkeypatch.setattr("surgical_style_engine.models.folder.check_torch", lambda what: pytest.fail(what))
    batch = np.zeros((1, 6, 32, 32), np.float32)
    assert OpenVinoRunner(model, "T1w+FLAIR>T2w", "auto", "fp32").run(batch).shape == (1, 1, 32, 32)
