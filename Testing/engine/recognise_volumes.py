"""Heads and CTs of simple shapes, and verdicts, for tests of the recogniser and of what goes by it."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.volumes.recognise.kinds import modality_of
from surgical_style_engine.volumes.recognise.verdict import VOXELS, Verdict
from surgical_style_engine.volumes.recognise.voxels import Look
from surgical_style_engine.volumes.volume import Volume


def _distance(shape: tuple[int, int, int], spacing: float) -> np.ndarray:
    axes = [(np.arange(count) - (count - 1) / 2) * spacing for count in shape]
    return np.sqrt(sum(part**2 for part in np.meshgrid(*axes, indexing="ij")))


def head(extracted: bool = False, seed: int = 0) -> Volume:
    """MR: brain of 700, fluid of 200 in the middle, dark skull, bright scalp; noise where there is more than air."""
    random = np.random.default_rng(seed)
    distance = _distance((90, 90, 90), 2.0)
    array = np.select([distance < 15, distance < 62], [200.0, 700.0], 0.0)
    if not extracted:
        array = np.where((distance > 70) & (distance < 78), 900.0, array)
    noise = random.normal(0, 25, array.shape)
    array = array + np.where(array > 0, noise, 0 if extracted else np.abs(noise))
    return Volume(array[None].astype(np.float32), (2.0, 2.0, 2.0))


def ct(seed: int = 0) -> Volume:
    """CT: soft tissue of 35 HU in a skull of 900, in air."""
    distance = _distance((90, 90, 90), 2.0)
    array = np.select([distance < 65, distance < 72, distance < 78], [35.0, 900.0, 20.0], -1000.0)
    noise = np.random.default_rng(seed).normal(0, 15, array.shape)
    return Volume(np.clip(array + noise, -1024, 3071)[None].astype(np.int16), (2.0, 2.0, 2.0))


def verdict(kind, sources=(VOXELS,), certain=False, agent_known=True, **fields):
    """A verdict, by its voxels unless another source is given."""
    values = {"extracted": None, "synthetic": "", "disagreement": "", "look": Look(kind), **fields}
    modality = values.pop("modality", modality_of(kind))
    return Verdict(kind, sources, modality, certain, agent_known, **values)
