"""The score without pairs ranks what a registered image would rank."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training_cli.training.config import load_config
from training_cli.training.data.items import CachedItem, TrainingData
from training_cli.training.state.unpaired_score import placed_distance, unpaired_score

SHAPE = (12, 48, 40)
SETTINGS = {"source": "a", "target": "b", "output": "r", "max_steps": 1, "stack_spacing": 1.0}


class Tone(torch.nn.Module):
    """gain * x + offset within the body of the middle slice, air as it was."""

    def __init__(self, gain: float, offset: float, noise: float = 0.0) -> None:
        super().__init__()
        self.gain, self.noise = torch.nn.Parameter(torch.tensor(gain)), noise
        self.offset = torch.nn.Parameter(torch.tensor(offset))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x[:, x.shape[1] // 2 : x.shape[1] // 2 + 1]
        random = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)) * self.noise
        return torch.where(x > -0.95, (self.gain * x + self.offset + random).clamp(-0.85, 1), -1.0)


def anatomy(seed: int) -> np.ndarray:
    """A body with texture and a bright part in the middle, in [-0.6, 0.6], air -1; every patient a little different."""
    random = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    values = -0.3 + 0.2 * np.sin(9 * x + random.uniform(0, 6)) * np.cos(8 * y + random.uniform(0, 6)) + 0 * z
    values[(x**2 + y**2) < random.uniform(0.08, 0.14)] = 0.5
    values += random.normal(0, 0.02, SHAPE)
    values[x**2 + y**2 > 0.9] = -1
    return values


@pytest.fixture
def data(tmp_path: Path) -> TrainingData:
    """Three patients of the source; of three others the target, whose contrast is inverted."""

    def item(name: str, seed: int, inverted: bool) -> CachedItem:
        values = anatomy(seed)
        values = np.where(values > -0.99, -0.8 * values - 0.1, -1) if inverted else values
        np.save(tmp_path / f"{name}.npy", values[None].astype(np.float16))
        box = (0, SHAPE[1], 0, SHAPE[2])
        return CachedItem(name, tmp_path / f"{name}.npy", 1.0, np.arange(SHAPE[0]), box, {}, {})

    source = [item(f"s{n}", n, False) for n in range(3)]
    return TrainingData(source, [item(f"t{n}", 10 + n, True) for n in range(3)], [])


@pytest.mark.parametrize("stack", [1, 3])
def test_the_right_translation_scores_highest_and_the_source_lowest(data, stack):
    config = load_config(None, SETTINGS | {"stack": stack})
    networks = {
        "right": Tone(-0.8, -0.1),
        "too pale": Tone(-0.4, -0.1),
        "the same histogram, the wrong order": Tone(0.8, 0.2),
        "the source": Tone(1.0, 0.0),
        "noise": Tone(0.0, 0.0, 0.3),
    }
    scores = {name: unpaired_score(network, data, config)["score"] for name, network in networks.items()}
    assert max(scores, key=scores.get) == "right"
    assert scores["right"] > scores["too pale"] > scores["the same histogram, the wrong order"]
    found = unpaired_score(networks["right"], data, config)
    assert found["placed"] < 0.08 and found["structure"] > 0.7
    assert unpaired_score(networks["noise"], data, config)["structure"] < 0.3


def test_pseudo_pairs_decide_where_there_are_any(data, tmp_path):
    """Others that lie on the sources only roughly still say which tone is right."""
    for number, (a, b) in enumerate(zip(data.source, data.target, strict=True)):
        valid = tmp_path / f"{number}.valid.npy"
        np.save(valid, a.load()[0] > -0.99)
        data.pseudo_pairs.append((replace(a, valid=valid), b))
    config = load_config(None, SETTINGS)
    networks = {"right": Tone(-0.8, -0.1), "pale": Tone(-0.2, -0.1), "wrong order": Tone(0.8, 0.2)}
    found = {name: unpaired_score(network, data, config) for name, network in networks.items()}
    assert all(set(entry) == {"agreement", "score"} for entry in found.values())
    assert found["right"]["score"] > found["pale"]["score"] > found["wrong order"]["score"]
    assert found["right"]["score"] > found["wrong order"]["score"] + 0.1


def test_a_network_in_training_stays_so(data):
    network = Tone(1.0, 0.0).train()
    unpaired_score(network, data, load_config(None, SETTINGS))
    assert network.training


def test_parts_are_compared_one_by_one():
    low, high = np.full(300, -0.5), np.full(300, 0.5)
    assert placed_distance({1: low, 2: high}, {1: low, 2: high}) == 0
    assert placed_distance({1: low, 2: high}, {1: high, 2: low}) == pytest.approx(1.0)
    assert placed_distance({1: low}, {1: low[:10]}) == 2.0  # too few to compare
