"""Quantile regression of errors (Koenker & Bassett, Econometrica 1978): a network trained in torch, kept as numbers.

The same network learns to tell voxels of labelled tumours, whose bounds have to be wider than others' that look alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from surgical_style_engine.metrics.uncertainty.bound import FARTHEST, LOG_LEAST, LOG_MOST, likeness
from surgical_style_engine.metrics.uncertainty.features import FULL_FEATURES, OUTPUT_MEAN, QUICK_FEATURES
from surgical_style_engine.models.calibration import ErrorModel, Layer

from .samples import Patient, Voxels, three_classes

HIDDEN = 16
STEPS, BATCH, RATE = 300, 2048, 5e-3
TUMOUR_WEIGHT = 0.15  # of a patient's tumour beside the whole body, so that tumours are learned although they are few
# Of a bound's logarithm around its mean, what is kept: with a dozen patients the rest is theirs alone, and makes the
# bounds of others wider at equal coverage.
KEPT = 0.5
ABNORMAL = 0.7  # quantile of likeness to a tumour from which a voxel is taken for abnormal
TELLING = 0.1  # weight of telling tumours, by cross entropy, beside the quantile's loss


def regressed(patients: Sequence[Patient], level: float, full: bool, seed: int = 0) -> ErrorModel:
    """An error model that is not calibrated yet: all factors are 1.

    Args:
        patients: What it is learned from.
        level: The quantile.
        full: With the disagreement of turned variants.
        seed: Of weights and batches.
    """
    import torch
    from torch import nn

    names = FULL_FEATURES if full else QUICK_FEATURES
    voxels = Voxels.joined([part for patient in patients for part in _parts(patient)])
    features = voxels.features[:, : len(names)]
    centre, scale = features.mean(axis=0), features.std(axis=0) + np.float32(1e-6)
    values = torch.from_numpy(np.clip((features - centre) / scale, -FARTHEST, FARTHEST))
    errors, weights = torch.from_numpy(voxels.errors), torch.from_numpy(voxels.weights / voxels.weights.mean())
    labels = torch.from_numpy(voxels.in_tumour.astype(np.float32))
    torch.manual_seed(seed)
    last = nn.Linear(HIDDEN, 2)
    network = nn.Sequential(nn.Linear(len(names), HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), last)
    with torch.no_grad():
        last.bias[0] = float(np.log(np.quantile(voxels.errors, level) + 1e-6))
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        chosen = torch.randint(len(errors), (BATCH,))
        outputs = network(values[chosen])
        beyond = errors[chosen] - outputs[:, 0].clamp(float(LOG_LEAST), float(LOG_MOST)).exp()
        terms = torch.maximum(level * beyond, (level - 1) * beyond)
        told = nn.functional.binary_cross_entropy_with_logits(outputs[:, 1], labels[chosen], reduction="none")
        terms = terms + TELLING * told
        loss = (weights[chosen] * terms).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        middle = float(network(values)[:, 0].mean())
        last.weight[0].mul_(KEPT)
        last.bias[0].mul_(KEPT).add_((1 - KEPT) * middle)
    layers = [
        Layer(weights=_rounded(layer.weight.detach().numpy()), bias=_rounded(layer.bias.detach().numpy()))
        for layer in network
        if isinstance(layer, nn.Linear)
    ]
    model = ErrorModel(
        features=list(names),
        centre=_rounded(centre),
        scale=_rounded(scale),
        layers=layers,
        edges=(0.0, 0.0),
        unlike=0.0,
        factors=[1.0] * 6,
    )
    body = np.concatenate([patient.body.features for patient in patients])
    unlike = float(np.quantile(likeness(model, body[:, : len(names)]), ABNORMAL))
    return model.model_copy(update={"edges": three_classes(body[:, OUTPUT_MEAN]), "unlike": unlike})


def _parts(patient: Patient) -> list[Voxels]:
    tumour = patient.tumour
    if tumour is None:
        return [patient.body]
    return [patient.body, replace(tumour, weights=tumour.weights * np.float32(TUMOUR_WEIGHT))]


def _rounded(values: np.ndarray) -> list:
    return np.round(values.astype(np.float64), 6).tolist()
