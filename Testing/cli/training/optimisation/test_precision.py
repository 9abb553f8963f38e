"""A training takes the precision that is faster here, and the same in all of its processes."""

import pytest
import torch

from surgical_style_engine.backends import autotune
from training_cli.training.config import load_config
from training_cli.training.optimisation import precision

CPU = torch.device("cpu")


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setattr(autotune, "is_on", lambda: True)
    monkeypatch.setattr(precision, "bf16_helps", lambda device: True)
    settings = {"source": "a", "target": "b", "output": "r", "max_steps": 1, "ngf": 4, "n_blocks": 1, "patch_size": 32}
    return load_config(None, settings)


@pytest.mark.parametrize("slow, wanted", [("fp32", "bf16"), ("bf16", "fp32")])
def test_the_faster_one_by_measuring(config, monkeypatch, slow, wanted):
    passes = []

    def measured(network, image, reduced):
        passes.append((tuple(image.shape), reduced))
        return 2.0 if reduced == (slow == "bf16") else 1.0

    monkeypatch.setattr(precision, "_pass", measured)
    assert precision.faster_precision(config, CPU) == wanted
    assert {shape for shape, _ in passes} == {(1, 1, 32, 32)}
    assert {reduced for _, reduced in passes} == {True, False}


def test_a_real_measurement_leaves_the_random_numbers_alone(config):
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    assert precision.faster_precision(config, CPU) in ("bf16", "fp32")
    assert torch.equal(torch.rand(4), wanted)


def test_both_passes_compute_what_they_say(config):
    seen = []

    class Network(torch.nn.Conv2d):
        def forward(self, x):
            made = super().forward(x)
            seen.append(made.dtype)
            return made

    network = Network(1, 1, 3)
    for reduced in (True, False):
        assert precision._pass(network, torch.rand(1, 1, 8, 8), reduced) > 0
    assert seen == [torch.bfloat16, torch.float32]


def test_without_the_instructions_nothing_is_measured(config, monkeypatch):
    monkeypatch.setattr(precision, "bf16_helps", lambda device: False)
    monkeypatch.setattr(precision, "_pass", None)
    assert precision.faster_precision(config, CPU) == "fp32"


@pytest.mark.parametrize("why", ["several processes", "turned off", "a GPU", "a network that cannot be"])
def test_otherwise_it_is_what_the_hardware_states(config, monkeypatch, why):
    if why == "several processes":
        monkeypatch.setenv("WORLD_SIZE", "2")
    if why == "turned off":
        monkeypatch.setattr(autotune, "is_on", lambda: False)
    if why == "a network that cannot be":
        config.generator = "nonsense"
    else:
        monkeypatch.setattr(precision, "_pass", None)
    assert precision.faster_precision(config, torch.device("cuda" if why == "a GPU" else "cpu")) == "bf16"
