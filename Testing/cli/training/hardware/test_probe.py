"""How long an image takes is measured, for every method, without a trace."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from training_cli.training.config import load_config
from training_cli.training.config.method_registry import methods
from training_cli.training.hardware import probe
from training_cli.training.hardware.probe import seconds_an_image
from training_cli.training.methods.cyclegan import CycleGAN

CPU = torch.device("cpu")
SMALL = {"ngf": 4, "n_blocks": 1, "ndf": 4, "n_layers": 2, "patch_size": 32}


def config(**settings):
    return load_config(None, {"source": "a", "target": "b", "output": "r", "max_minutes": 1} | SMALL | settings)


@pytest.fixture
def measuring(monkeypatch):
    monkeypatch.setenv("SST_PROBE", "on")


# A method for many domains has a recipe of its own in place of a preset.
MEASURED = sorted(name for name, entry in methods().items() if name != "perceptual" and not entry.many_domains)


@pytest.mark.parametrize("method", MEASURED)
def test_every_method_is_measured_and_random_numbers_are_left_alone(measuring, method):
    torch.manual_seed(4)
    np.random.seed(4)
    random.seed(4)
    expected = torch.rand(1), np.random.random(), random.random()
    torch.manual_seed(4)
    np.random.seed(4)
    random.seed(4)
    seconds = seconds_an_image(config(method=method, pairs="p.csv", stack=3, batch_size=2), CPU)
    assert 1e-4 < seconds < 60
    assert (torch.rand(1), np.random.random(), random.random()) == expected


def test_what_is_slow_is_measured_small_and_taken_to_grow_with_the_pixels(measuring, monkeypatch):
    sides = []

    def step(config, device, folder):
        sides.append((config.patch_size, config.batch_size))
        return 0.5, 0.0

    monkeypatch.setattr(probe, "_step_seconds", step)
    monkeypatch.setattr(probe, "_seconds", lambda run: 0.25)
    assert seconds_an_image(config(patch_size=256, batch_size=4), CPU) == pytest.approx(0.5 * 16 + 0.25)
    assert sides == [(64, 1)]
    monkeypatch.setattr(probe, "_step_seconds", lambda config, device, folder: (0.01, 0.02))
    assert seconds_an_image(config(patch_size=256), CPU) == pytest.approx(0.03)
    assert seconds_an_image(config(patch_size=256, workers=4), CPU) == pytest.approx(0.01)


def test_quick_steps_that_a_budget_begins_with_count_by_their_share(measuring, monkeypatch):
    steps = []

    def timed(self, batch, progress, rate):
        steps.append((progress, bool(batch["paired"].all()), bool(batch.get("rough", torch.tensor(False)).any())))
        return {}

    def seconds(run):
        before = len(steps)
        run()
        if len(steps) == before:
            return 0.05  # of preparing
        return 0.1 if steps[-1][0] < 0.8 else 0.4

    monkeypatch.setattr(CycleGAN, "step", timed)
    monkeypatch.setattr(probe, "_seconds", seconds)
    # 10 images a second for the first 80 % of the time, then 2.5.
    assert seconds_an_image(config(), CPU) == pytest.approx(0.05 + 1 / (0.8 * 10 + 0.2 * 2.5))
    full = [step for step in steps if step[0] > 0.8]
    assert len(full) == len(steps) - len(full) > 0 and all(paired and rough for _, paired, rough in steps)

    warmed_up = {"pairs": "p.csv", "pairs_warmup": 0.4}
    for settings, places in (({"pseudo_pairs": "none"}, [0.999]), (warmed_up, [0.399, 0.999])):
        steps.clear()
        seconds_an_image(config(**settings), CPU)
        assert sorted({step[0] for step in steps}) == pytest.approx(places)
        assert not any(rough for _, _, rough in steps)


def test_nothing_is_measured_where_that_is_off_processes_must_agree_or_the_training_cannot_be(monkeypatch):
    monkeypatch.setenv("SST_PROBE", "off")
    assert seconds_an_image(config(), CPU) is None
    monkeypatch.setenv("SST_PROBE", "on")
    assert seconds_an_image(config(generator="bilateral", generator_settings="features=3"), CPU) is None
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert seconds_an_image(config(), CPU) is None
