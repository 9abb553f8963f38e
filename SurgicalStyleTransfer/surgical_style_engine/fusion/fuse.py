"""Several modalities of one patient in, one volume on the reference's grid out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import Unpack

from surgical_style_engine.volumes.normalization import HUWindow, Landmarks, Normalization, RobustPercentile
from surgical_style_engine.volumes.volume import Volume

from .align import Aligned
from .inputs import FusionInputs
from .methods import METHODS
from .options import FusionOptions, FusionSettings
from .prepare import Steps, align_all, body_of, first_warnings
from .result import Fusion

EMPTY_FRACTION = 0.3  # of the body where an input that is at its minimum is called empty


def fuse_volumes(
    volumes: Sequence[Volume], options: FusionOptions | None = None, **settings: Unpack[FusionSettings]
) -> Fusion:
    """Fuse scalar volumes of one patient without training.

    Args:
        volumes: (1, z, y, x) each, on grids of their own; the first is the reference, whose grid the result has.
        options: How.
        **settings: Fields of ``FusionOptions``, laid over ``options``.

    Returns:
        The fused volume and what it was made of.

    Raises:
        InputError: For what cannot be fused.
        Cancelled: Between two steps (in a registration: two iterations).

    >>> ramp = np.arange(4096.0).reshape(1, 16, 16, 16)
    >>> fusion = fuse_volumes([Volume(ramp), Volume(-ramp)], method="detail")
    >>> fusion.volume.array.shape, fusion.weights
    ((1, 16, 16, 16), [0.5, 0.5])
    """
    started = time.monotonic()
    options = FusionOptions.of(options, settings)
    names = options.check(volumes)
    reference, shares = volumes[0], options.shares(len(volumes))
    steps = Steps(len(volumes), options.progress, options.cancelled)
    body = body_of(options.mask, reference)
    landmarks = _landmarks(volumes, options.normalizations)
    aligned = align_all(volumes, names, body, options.register, steps)
    warnings = first_warnings(volumes, options.mask, aligned)
    stack = _Stack.of(reference, aligned, landmarks, body)
    warnings += stack.empty_warnings(names)
    supports = [None, *(entry.support for entry in aligned)]
    inputs = FusionInputs(stack.arrays, supports, shares, reference.spacing[::-1], body)
    fused = stack.bounded(METHODS[options.method](inputs, steps.part_of_method()), shares)
    array, units = fused, "no units, 0 to 1"
    if options.units == "reference":
        array = np.where(stack.present > 0, landmarks[0].inverse(fused * 2 - 1), reference.array[0].astype(np.float32))
        units = f"the range of {names[0]}, not measured values"
    warnings.append(f"The fused values have {units}: look at them, measure nothing in them.")
    if not stack.covered[body].any():
        warnings.append("No part of the body is covered by all inputs.")
    return Fusion(
        volume=reference.with_array(array[None].astype(np.float32)),
        fused=fused,
        inputs=stack.arrays,
        aligned=aligned,
        body=body,
        covered=stack.covered,
        names=names,
        method=options.method,
        weights=shares,
        units=units,
        seconds=time.monotonic() - started,
        warnings=warnings,
    )


def _landmarks(volumes: Sequence[Volume], normalizations: Sequence[Normalization | None] | None) -> list[Landmarks]:
    return [
        (specification or default_normalization(volume)).fit(volume.array)
        for volume, specification in zip(volumes, normalizations or [None] * len(volumes), strict=True)
    ]


def default_normalization(volume: Volume) -> Normalization:
    """A HU window for CT, robust percentiles for everything else."""
    return HUWindow() if volume.metadata.get("Modality") == "CT" else RobustPercentile()


@dataclass(frozen=True, eq=False)
class _Stack:
    """The normalised inputs on the reference's grid, (z, y, x) each.

    Attributes:
        arrays: In [0, 1], the reference first; outside its field of view an input shows the reference.
        covered: bool, inside the field of view of every input.
        present: How much there is of any other input than the reference, 0 to 1.
        empty: For each input but the reference, whether a large part of the body is at its minimum.
    """

    arrays: list[np.ndarray]
    covered: np.ndarray
    present: np.ndarray
    empty: list[bool]

    @classmethod
    def of(
        cls, reference: Volume, aligned: Sequence[Aligned], landmarks: Sequence[Landmarks], body: np.ndarray
    ) -> _Stack:
        """Normalise all inputs, and blend each into the reference at the border of its field of view."""
        first = _normalized(reference, landmarks[0])
        arrays, covered, present = [first], np.ones(body.shape, bool), np.zeros(body.shape, np.float32)
        empty = []
        for entry, marks in zip(aligned, landmarks[1:], strict=True):
            array = _normalized(entry.volume, marks)
            empty.append(float((array[body & entry.coverage] <= 1e-6).mean()) > EMPTY_FRACTION)
            if entry.support is not None:
                array = first + entry.support * (array - first)
                covered &= entry.coverage
            np.maximum(present, 1 if entry.support is None else entry.support, out=present)
            arrays.append(array)
        return cls(arrays, covered, present, empty)

    def bounded(self, fused: np.ndarray, weights: Sequence[float]) -> np.ndarray:
        """The fused array held, voxel by voxel, between the darkest and the brightest input of any weight.

        No halo can come into an even area. Filters reach a little over the border of the others' field of view; there
        the reference stays, as there is nothing of them to show.
        """
        used = [array for array, weight in zip(self.arrays, weights, strict=True) if weight > 0]
        low, high = used[0].copy(), used[0].copy()
        for array in used[1:]:
            np.minimum(low, array, out=low)
            np.maximum(high, array, out=high)
        first = self.arrays[0]
        return first + self.present * (np.clip(fused, low, high, out=fused) - first)

    def empty_warnings(self, names: Sequence[str]) -> list[str]:
        """A sentence for each input that is empty in a large part of the body."""
        return [
            f"{name} is empty in a large part of the body (brain-extracted?) and darkens it there."
            for name, is_empty in zip(names[1:], self.empty, strict=True)
            if is_empty
        ]


def _normalized(volume: Volume, landmarks: Landmarks) -> np.ndarray:
    """(z, y, x) float32 in [0, 1]."""
    array = landmarks.forward(volume.array[0])
    array += 1
    array *= np.float32(0.5)
    return array
