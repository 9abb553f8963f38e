"""Networks, models and volumes for tests of what is around a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tiny_models import head

from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.normalization import RGB, HUWindow, PercentileLandmarks, RobustPercentile
from surgical_style_engine.volumes.volume import Volume

MR = Domain(
    name="T1w",
    modality="MR",
    normalization=RobustPercentile(),
    inverse=PercentileLandmarks(low=10, high=900, maximum=1500),
)
T2 = MR.model_copy(update={"name": "T2w", "inverse": PercentileLandmarks(low=0, high=400, maximum=700)})
CT = Domain(name="CT", modality="CT", units="HU", normalization=HUWindow(), inverse=HUWindow().fit(np.zeros(1)))
SHARP = CT.model_copy(update={"name": "sharp kernel"})


def of(modality: str) -> Domain:
    return MR.model_copy(update={"modality": modality})


COLOUR = Domain(name="painting", channels=3, normalization=RGB(), inverse=RGB().fit(np.zeros(1, np.uint8)))


def make_model(source=MR, target=T2, directions=("forward", "backward"), **fields) -> StyleModel:
    """A model without weights, for runners made here."""
    card = ModelCard(
        name="fake",
        title="fake",
        architecture=Architecture(name="resnet"),
        domains=Domains(source=source, target=target),
        directions=list(directions),
        **{"spacing_mm": None, **fields},
    )
    return StyleModel(card, Path())


class Fake(Runner):
    """A network by a function of a batch; notes the shapes of the batches. ``most``: slices that memory holds."""

    backend = "fake"

    def __init__(self, function=np.negative, device="cpu", most=1000):
        self.function, self.device, self.most, self.shapes = function, device, most, []

    def run(self, batch):
        if len(batch) > self.most:
            raise MemoryError
        self.shapes.append(batch.shape)
        return np.asarray(self.function(batch), np.float32)


def brain(noise=0.0, shape=(12, 40, 36), seed=1) -> Volume:
    array = head(seed, shape)
    array = array + np.abs(np.random.default_rng(0).normal(0, noise, shape)).astype(np.float32)
    return Volume(array[None], (1.0, 1.0, 3.0), (4.0, 5.0, 6.0))


def tissue_ct(seed=1) -> Volume:
    """A head in HU: air at -1000."""
    return Volume(np.where(head(seed) > 0, head(seed) - 300, -1000).astype(np.int16)[None])


def half_mask(volume: Volume) -> Volume:
    array = np.zeros((1, *volume.array.shape[1:]), np.uint8)
    array[:, :, :, : array.shape[3] // 2] = 3
    return volume.with_array(array)
