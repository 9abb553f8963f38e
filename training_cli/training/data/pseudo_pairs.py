"""Pseudo-pairs: volumes of the target domain laid on those of the source domain, whosever they are.

Without registered pairs an adversarial game has to find out which tissue becomes bright, and often does not. Two heads
laid on each other by an affine transform say so at once, though not to the pixel: see ``tolerant``.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from surgical_style_engine.common.thresholds import BODY_FROM
from training_cli.training.config import TrainingConfig

from .between_patients import centred, coarse, fit_affine, laid_on
from .cache import Cache
from .items import CachedItem, TrainingData

VERSION = 1  # of what is cached
PARTNERS = 4  # targets laid on each source at most
MOST = 48  # pseudo-pairs at most, where each source has one
LEAST_MM = 60.0  # of the body along each axis: what is thinner has no place of its own in another patient
Report = Callable[[str], None]
Pairs = list[tuple[CachedItem, CachedItem]]


def make_pseudo_pairs(data: TrainingData, config: TrainingConfig, cache: Cache, report: Report) -> Pairs:
    """Register targets of other patients to each source, as far as that can be done; cached, always the same.

    Args:
        data: both domains.
        config: of the training.
        cache: where the registered volumes are kept.
        report: gets lines for the person watching.

    Returns:
        Items on a common grid, as those of registered pairs; empty where nothing fits, which is said.
    """
    if reason := _unfit(data, config):
        report(f"No pseudo-pairs: {reason}.")
        return []
    begun = time.monotonic()
    plan = planned(data.source, data.target)
    report(f"Laying volumes of other patients on each other: {len(plan)} pseudo-pairs")
    registered = [_Registrations(config, cache).pair(a, b) for a, b in plan]
    fitting = [pair for pair in registered if pair is not None]
    minutes = f"in {(time.monotonic() - begun) / 60:.1f} minutes"
    if not fitting:
        report(f"No pseudo-pairs: no volume fits another, which was found out {minutes}.")
    else:
        report(f"{len(fitting)} of {len(plan)} pseudo-pairs fit, {minutes}; pseudo_pairs=none does without.")
    return fitting


def planned(source: Sequence[CachedItem], target: Sequence[CachedItem]) -> Pairs:
    """Which targets to lay on which sources: some for each, spread over all; masked ones on masked ones.

    Args:
        source: items of the source domain.
        target: items of the target domain.
    """
    partners = max(1, min(PARTNERS, MOST // max(1, len(source))))
    plan = []
    for number, item in enumerate(source):
        alike = [other for other in target if _is_masked(other) == _is_masked(item)]
        step = max(1, len(alike) // partners)
        for turn in range(min(partners, len(alike))):
            plan.append((item, alike[(number + turn * step) % len(alike)]))
    return plan


def _unfit(data: TrainingData, config: TrainingConfig) -> str:
    """Why these images cannot be laid on each other, for a sentence; empty where they can."""
    if any(item.channels != 1 for item in (data.source[0], data.target[0])):
        return "the images are in colour"
    for side, items in (("source", data.source), ("target", data.target)):
        sizes = [min(extent_mm(item, config.spacing)) for item in items]
        if max(sizes) < LEAST_MM:
            return f"the volumes of the {side} are pictures or slabs, thinner than {LEAST_MM:g} mm"
    return ""


def extent_mm(item: CachedItem, pixel_mm: float) -> tuple[float, float, float]:
    """How far the slices with body, and the body's box, reach along each axis."""
    top, bottom, left, right = item.box
    through = (int(item.body[-1]) - int(item.body[0]) + 1) * item.slice_mm if len(item.body) else 0.0
    return through, (bottom - top) * pixel_mm, (right - left) * pixel_mm


def _is_masked(item: CachedItem) -> bool:
    return item.name.endswith("(masked)")


class _Registrations:
    """Lays items on each other, or finds in the cache that it was done."""

    def __init__(self, config: TrainingConfig, cache: Cache) -> None:
        self.config, self.cache = config, cache

    def pair(self, a: CachedItem, b: CachedItem) -> tuple[CachedItem, CachedItem] | None:
        """The source's item with the slices that both have, and the target on its grid; None where they do not fit."""
        # The names of arrays are digests of their files and settings.
        name = f"pseudo-pair {VERSION} {a.path.stem} {b.path.stem}"
        key = hashlib.sha256(name.encode()).hexdigest()[:24]
        if self.cache.is_refused(key):
            return None
        moved = self.cache.find(key) or self._registered(key, a, b)
        if moved is None:
            return None
        body = np.intersect1d(a.body, moved.body)
        return (replace(a, body=body, valid=moved.valid), moved) if len(body) else None

    def _registered(self, key: str, a: CachedItem, b: CachedItem) -> CachedItem | None:
        spacing = self.config.spacing
        if min(*extent_mm(a, spacing), *extent_mm(b, spacing)) < LEAST_MM:
            self.cache.refuse(key)
            return None
        own = a.load()[0]
        fixed, moving = (centred(item.load()[0], item.slice_mm, spacing) for item in (a, b))
        try:
            fit = fit_affine(coarse(fixed), coarse(moving))
        except RuntimeError:  # ITK's: nothing overlaps
            fit = None
        if fit is None or not fit.plausible:
            self.cache.refuse(key)
            return None
        warped, covered = laid_on(fixed, moving, fit.transform)
        valid = covered & (warped > BODY_FROM) & (own > BODY_FROM)
        return self.cache.store_moved(key, b, f"{b.name} laid on {a.name}", warped[None], valid, a.slice_mm)
