"""Routes of models for many domains, written down for OpenVINO and computed by torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surgical_style_engine.backends.openvino.runner import OpenVinoRunner
from surgical_style_engine.backends.torch_runner import TorchRunner
from surgical_style_engine.models.folder import StyleModel


def check_route(model: StyleModel, direction: str, size: tuple[int, int]) -> None:
    """Assert that both compute the same image of such a size, and no flat one, in fp32."""
    channels = 3 * model.card.domain_from(direction).channels
    batch = np.random.default_rng(0).uniform(-1, 1, (2, channels, *size)).astype(np.float32)
    expected = TorchRunner(model, direction, "cpu", "fp32").run(batch)
    result = OpenVinoRunner(model, direction, "auto", "fp32").run(batch)
    assert result.shape == expected.shape == (2, 1, *size)
    assert np.abs(result - expected).max() < 1e-4 and expected.std() > 0.01


def check_no_torch(model: StyleModel, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Assert that a route of two inputs is written down and run without torch."""
    monkeypatch.setattr(torch, "zeros", None)
    monkeypatch.setattr("surgical_style_engine.models.folder.check_torch", lambda what: pytest.fail(what))
    batch = np.zeros((1, 6, 32, 32), np.float32)
    assert OpenVinoRunner(model, direction, "auto", "fp32").run(batch).shape == (1, 1, 32, 32)
