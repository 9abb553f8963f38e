"""How good a translation is, as far as that shows without pairs: what "best" means among the checkpoints of a run.

Where there are pseudo-pairs (volumes of other patients laid on the source), it is the SSIM of translations with these,
both averaged over 4 mm: of all that was tried, it ranked checkpoints most as registered images do.

Without them, two questions, whose answers rank less well: are the intensities at each place of the body those that the
target domain has there, and is the anatomy still that of the source? The first needs no registration, only the body's
box: height, front to back and left to right in a few parts each. A translation that keeps the source's order of tissues
fails it, though its histogram as a whole may fit. docs/quality.md says how far the score
ranks checkpoints as registered images would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from surgical_style_engine.common.thresholds import BODY_FROM
from surgical_style_engine.inference.plane_job import MULTIPLE
from surgical_style_engine.metrics.reference import ssim
from surgical_style_engine.metrics.structure import semantic_consistency
from surgical_style_engine.volumes import slices
from training_cli.training.config import TrainingConfig
from training_cli.training.data.items import CachedItem, TrainingData

VOLUMES = 8  # of each domain that are looked at
SLICES = 10  # of each volume
COARSE_MM = 4.0  # over which translations and pseudo-pairs are averaged: roughly what these are off
PSEUDO_PAIRS = 12  # that are looked at
MOSTLY = 0.9  # of a coarse pixel that must be comparable
PARTS = (5, 4, 4)  # of the body's box: along the slices, rows and columns
QUANTILES = np.linspace(0.02, 0.98, 25)
LEAST_PIXELS = 200  # of a part, in both domains
LARGEST_STRUCTURE = 0.5  # above that more likeness to the source is no merit: two real contrasts differ, too


def unpaired_score(network: torch.nn.Module, data: TrainingData, config: TrainingConfig) -> dict[str, float]:
    """Judge a generator from source to target by images that belong to different patients.

    Args:
        network: (n, stack*c, h, w) -> (n, c or stack*c, h, w), both in [-1, 1].
        data: the domains, of which some volumes are looked at, always the same.
        config: of the training.

    Returns:
        With pseudo-pairs "agreement": SSIM with these at 4 mm. Without, "placed": mean distance of intensities between
        translations and targets over the parts of the body, 0 to 2, less is better; "structure":
        `semantic_consistency` with the source, 0 to 1. Always "score": more is better.
    """
    was_training = network.training
    network.eval()
    try:
        if data.pseudo_pairs:
            agreement = _agreement(network, data, config)
            return {"agreement": agreement, "score": agreement}
        looks = [_Look(item, config) for item in _some(data.source)]
        translated = [look.translated(network, data.target[0].channels) for look in looks]
    finally:
        network.train(was_training)
    real = [_Look(item, config) for item in _some(data.target)]
    values = _values_by_part(translated, looks)
    placed = placed_distance(values, _values_by_part([look.images for look in real], real))
    structure = float(np.mean([_structure(look, image) for look, image in zip(looks, translated, strict=True)]))
    return {"placed": placed, "structure": structure, "score": min(structure, LARGEST_STRUCTURE) - placed}


def _agreement(network: torch.nn.Module, data: TrainingData, config: TrainingConfig) -> float:
    """Mean SSIM of translations with volumes of other patients laid on them, averaged over COARSE_MM."""
    agreements = []
    for source, other in _some(data.pseudo_pairs, PSEUDO_PAIRS):
        look = _Look(source, config)
        translated = look.translated(network, other.channels)
        real = look.cut(other.load()[:, look.places].swapaxes(0, 1).astype(np.float32))
        valid = source.load_valid()
        known = look.body if valid is None else look.cut(valid[look.places])
        size = max(1, round(COARSE_MM / config.spacing))
        translated, real = (_pooled(x, size).swapaxes(0, 1) for x in (translated, real))
        inside = _pooled(known.astype(np.float32), size) > MOSTLY
        if inside.any():
            agreements.append(ssim(translated, real, inside, limits=(-1.0, 1.0)))
    return float(np.mean(agreements)) if agreements else 0.0


def _pooled(x: np.ndarray, size: int) -> np.ndarray:
    """Means over squares of the last two axes; what does not fill one is left out."""
    h, w = (length // size * size for length in x.shape[-2:])
    return x[..., :h, :w].reshape(*x.shape[:-2], h // size, size, w // size, size).mean((-3, -1))


def placed_distance(first: dict[int, np.ndarray], second: dict[int, np.ndarray]) -> float:
    """Mean Wasserstein-1 distance of values over the parts that both have, weighed by the number of values.

    Args:
        first: values by the number of a part.
        second: the same of the other domain.
    """
    total, weight = 0.0, 0
    for part in first.keys() & second.keys():
        a, b = first[part], second[part]
        if min(len(a), len(b)) >= LEAST_PIXELS:
            total += len(a) * float(np.abs(np.quantile(a, QUANTILES) - np.quantile(b, QUANTILES)).mean())
            weight += len(a)
    return total / weight if weight else 2.0


class _Look:
    """A few slices of a volume, cut to the body's box.

    stacks: (n, stack*c, h, w). images: (n, c, h, w), the middle ones. body: (n, h, w) bool. parts: (n, h, w), numbers.
    """

    def __init__(self, item: CachedItem, config: TrainingConfig) -> None:
        array, body = item.load(), item.body
        self.config = config
        top, bottom, left, right = item.box
        self.places = places = body[np.linspace(0, len(body) - 1, min(SLICES, len(body))).astype(int)]
        step = slices.stack_step(config.stack_spacing, item.slice_mm)
        indices = slices.stack_indices(array.shape[1], config.stack, step)[places]
        stacks = slices.gather_stacks(array, indices).astype(np.float32)
        self.box = slice(max(0, top), bottom), slice(max(0, left), right)
        self.stacks = self.cut(stacks)
        self.images = _middle(self.stacks, item.channels, config.stack)
        self.body = self.images.max(1) > BODY_FROM
        shares = [
            (places - body[0]) / max(1, body[-1] - body[0]),
            np.linspace(0, 1, self.images.shape[2]),
            np.linspace(0, 1, self.images.shape[3]),
        ]
        z, y, x = (np.minimum((s * n).astype(int), n - 1) for s, n in zip(shares, PARTS, strict=True))
        _, rows, columns = PARTS
        self.parts = (z[:, None, None] * rows + y[:, None]) * columns + x

    def cut(self, array: np.ndarray) -> np.ndarray:
        """(..., h, w) cut to the body's box."""
        rows, columns = self.box
        return array[..., rows, columns]

    @torch.inference_mode()
    def translated(self, network: torch.nn.Module, channels: int) -> np.ndarray:
        """(n, channels, h, w): the slices through the network, one after the other."""
        device = next(network.parameters()).device
        results = []
        for stack in self.stacks:
            padded, crop = slices.pad_to_multiple(stack[None], MULTIPLE)
            out = network(torch.from_numpy(padded).to(device)).float().clamp(-1, 1).cpu().numpy()
            rows, columns = crop
            results.append(_middle(out, channels, self.config.stack)[0, ..., rows, columns])
        return np.stack(results)


def _middle(stacks: np.ndarray, channels: int, stack: int) -> np.ndarray:
    """The middle slice's channels of (n, stack*c, h, w), or all where there is only one slice."""
    if stacks.shape[1] == channels:
        return stacks
    first = stack // 2 * channels
    return stacks[:, first : first + channels]


def _some(items: Sequence[Any], most: int = VOLUMES) -> list[Any]:
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).astype(int))]


def _values_by_part(images: Sequence[np.ndarray], looks: Sequence[_Look]) -> dict[int, np.ndarray]:
    """The body's values, channels averaged, by the part of the body that they are in."""
    values = np.concatenate([image.mean(1)[look.body] for image, look in zip(images, looks, strict=True)])
    parts = np.concatenate([look.parts[look.body] for look in looks])
    return {int(part): values[parts == part] for part in np.unique(parts)}


def _structure(look: _Look, translated: np.ndarray) -> float:
    source = look.images.mean(1)[None]
    return semantic_consistency(source, translated.mean(1)[None], look.body) if look.body.any() else 0.0
