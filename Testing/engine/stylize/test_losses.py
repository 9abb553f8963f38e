"""The objective: Gram matrices, content, style, smoothness and the neighbour."""

import numpy as np
import pytest
import torch
from style_pictures import tensor, waves
from tiny_models import head

from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.stylize.losses import Objective, StyleTarget, gram, total_variation
from surgical_style_engine.stylize.random_features import random_features


def test_gram_and_variation_by_hand():
    values = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])  # two channels, one row of two pixels
    np.testing.assert_allclose(gram(values)[0], [[2.5, 1.5], [1.5, 4.5]])
    only_first = torch.tensor([[[[1.0, 0.0]]]])
    np.testing.assert_allclose(gram(values, only_first)[0], [[1, 3], [3, 9]])
    assert float(total_variation(torch.tensor([[[[0.0, 0.5], [0.0, 0.5]]]]))) == pytest.approx(0.25)


def test_objective_knows_content_and_style():
    style, content = tensor(waves()), tensor(np.repeat(head()[6:7] / 800, 3, axis=0))
    target = StyleTarget(random_features(style), style)
    objective = Objective(target, content, StyleSettings())
    assert float(objective(content)["content"]) == 0 and float(objective(content)["style"]) > 0.1
    itself = Objective(target, style, StyleSettings())(style)
    assert float(itself["style"]) < 1e-6
    held = Objective(target, content, StyleSettings(), neighbour=(content + 0.1, torch.ones_like(content[:, :1])))
    assert float(held(content)["consistency"]) == pytest.approx(0.01, rel=1e-4)
