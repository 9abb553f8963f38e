"""The optimisation lowers the objective, from coarse to fine."""

import pytest
import torch
from style_pictures import tensor, waves
from tiny_models import head

from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.stylize.losses import StyleTarget
from surgical_style_engine.stylize.optimise import Task, optimise, scales_and_steps
from surgical_style_engine.stylize.random_features import random_features


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_optimisation_lowers_the_objective_and_changes_only_what_it_may(optimizer):
    style, content = tensor(waves()), tensor(head()[6:7, :40, :36] / 800)
    target = StyleTarget(random_features(style), style)
    change = torch.zeros_like(content)
    change[..., 10:30, 10:30] = 1
    settings = StyleSettings(optimizer=optimizer, schedule="single")
    seen = []
    done = optimise(Task(content, lambda scale: target, change), settings, 15, lambda n, total: seen.append((n, total)))
    assert done.terms["total"] < 0.8 * done.curve[0][1] and done.terms["total"] == pytest.approx(
        min(total for _, total in done.curve)
    )
    assert torch.equal(done.image[change == 0], content[change == 0])
    assert 0 <= float(done.image.min()) and float(done.image.max()) <= 1
    assert seen == [(n, 15) for n in range(len(seen))] and 10 < len(seen) <= 16


def test_scales():
    assert [scale for scale, _ in scales_and_steps((200, 160), "multiscale", 100)] == [4, 2, 1]
    assert sum(count for _, count in scales_and_steps((200, 160), "multiscale", 101)) == 101
    assert scales_and_steps((40, 40), "multiscale", 9) == [(1, 9)] == scales_and_steps((200, 160), "single", 9)
    assert [scale for scale, _ in scales_and_steps((70, 90), "multiscale", 50)] == [2, 1]
