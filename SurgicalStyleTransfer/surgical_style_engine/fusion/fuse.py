"""Several modalities of one patient in, one volume on the reference's grid out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.file_warnings import file_warnings
from surgical_style_engine.volumes.normalization import HUWindow, RobustPercentile
from surgical_style_engine.volumes.volume import Volume, check_volume

from .align import Aligned, align
from .detail import fuse_detail
from .guided import fuse_guided
from .inputs import FusionInputs
from .pyramid import fuse_pyramid
from .weighted import fuse_weighted

METHODS: dict[str, Callable[[FusionInputs, Callable[[float], None]], np.ndarray]] = {
    "weighted": fuse_weighted,
    "pyramid": fuse_pyramid,
    "guided": fuse_guided,
    "detail": fuse_detail,
}
UNITS = ("reference", "none")
MOST_INPUTS = 16
REGISTRATION_STEPS, METHOD_STEPS = 10, 10
EMPTY_FRACTION = 0.3  # of the body where an input that is at its minimum is called empty


@dataclass(frozen=True, eq=False)
class Fusion:
    """What came of a fusion.

    volume: float32 on the reference's grid, in `units` (a sentence that says what the numbers are). fused: the result
    (z,y,x) in [0, 1] before units. inputs: the normalised inputs (z,y,x) in [0, 1], the reference first; outside its
    field of view an input shows the reference. aligned: the other volumes on the reference's grid, in their own units,
    with their transforms. body: bool (z,y,x). covered: bool (z,y,x), inside the field of view of every input. names:
    of the inputs. weights: sum to 1.
    """

    volume: Volume
    fused: np.ndarray
    inputs: list[np.ndarray]
    aligned: list[Aligned]
    body: np.ndarray
    covered: np.ndarray
    names: list[str]
    method: str
    weights: list[float]
    units: str
    seconds: float
    warnings: list[str]


def fuse_volumes(
    volumes: Sequence[Volume],
    *,
    method: str = "pyramid",
    weights: Sequence[float] | None = None,
    register: str = "auto",
    mask: np.ndarray | Volume | None = None,
    normalizations: Sequence[Any] | None = None,
    units: str = "reference",
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Fusion:
    """Fuse scalar volumes of one patient; the first is the reference, whose grid the result has.

    method: weighted, pyramid, guided or detail (see their modules). weights: one a volume, at least 0, equal if None;
    in weighted fusion they are the weights, elsewhere they multiply what an input is chosen by. register: see `align`.
    mask: bool (z,y,x) on the reference's grid or labelmap on any, where registration looks and quality is measured;
    the reference's body mask if None. normalizations: a specification of `normalization` a volume, or None for the
    default: a HU window for CT (by its Modality tag), else robust percentiles. units: "reference" maps the result to
    the reference's range and keeps the reference's own values where no other volume has any; "none" leaves [0, 1].
    progress: called with (steps done, steps in all).

    Raises InputError for what cannot be fused and Cancelled between two steps (in a registration: two iterations).
    """
    started = time.monotonic()
    names = _check(volumes, method, weights, normalizations, units)
    shares = [1.0] * len(volumes) if weights is None else [float(weight) for weight in weights]
    shares = [weight / sum(shares) for weight in shares]
    reference = volumes[0]
    steps = _Steps(progress, cancelled, REGISTRATION_STEPS * (len(volumes) - 1) + METHOD_STEPS)
    steps.go(0)
    body = body_mask(reference) if mask is None else _mask(mask, reference)
    landmarks = [
        (specification or default_normalization(volume)).fit(volume.array)
        for volume, specification in zip(volumes, normalizations or [None] * len(volumes), strict=True)
    ]
    aligned = []
    for volume, name in zip(volumes[1:], names[1:], strict=True):
        aligned.append(align(volume, reference, body, register, name=name, cancelled=cancelled))
        steps.go(REGISTRATION_STEPS * len(aligned))

    first = _normalized(reference, landmarks[0])
    arrays, covered, present = [first], np.ones(body.shape, bool), np.zeros(body.shape, np.float32)
    warnings = file_warnings(*volumes, mask if isinstance(mask, Volume) else None)
    warnings += [sentence for entry in aligned for sentence in entry.warnings]
    for entry, marks, name in zip(aligned, landmarks[1:], names[1:], strict=True):
        array = _normalized(entry.volume, marks)
        if float((array[body & entry.coverage] <= 1e-6).mean()) > EMPTY_FRACTION:
            warnings.append(f"{name} is empty in a large part of the body (brain-extracted?) and darkens it there.")
        if entry.support is not None:
            array = first + entry.support * (array - first)
            covered &= entry.coverage
        np.maximum(present, 1 if entry.support is None else entry.support, out=present)
        arrays.append(array)
    inputs = FusionInputs(arrays, [None, *(entry.support for entry in aligned)], shares, reference.spacing[::-1], body)
    before = steps.done
    fused = METHODS[method](inputs, lambda part: steps.go(before + int(METHOD_STEPS * part)))
    # Filters reach a little over the border of the others' field of view; there is nothing of them to show.
    fused = first + present * (_within(fused, arrays, shares) - first)

    array, sentence = fused, "no units, 0 to 1"
    if units == "reference":
        array = landmarks[0].inverse(fused * 2 - 1)
        array = np.where(present > 0, array, reference.array[0].astype(np.float32))
        sentence = f"the range of {names[0]}, not measured values"
    warnings.append(f"The fused values have {sentence}: look at them, measure nothing in them.")
    if not covered[body].any():
        warnings.append("No part of the body is covered by all inputs.")
    return Fusion(
        volume=reference.with_array(array[None].astype(np.float32)),
        fused=fused,
        inputs=arrays,
        aligned=aligned,
        body=body,
        covered=covered,
        names=names,
        method=method,
        weights=shares,
        units=sentence,
        seconds=time.monotonic() - started,
        warnings=warnings,
    )


def default_normalization(volume: Volume) -> Any:
    """A HU window for CT, robust percentiles for everything else."""
    return HUWindow() if volume.metadata.get("Modality") == "CT" else RobustPercentile()


def _check(volumes, method, weights, normalizations, units) -> list[str]:
    """Raise InputError for what cannot be fused; the inputs' names for sentences."""
    if len(volumes) < 2:
        raise InputError("Fusion needs at least two modalities, a reference and another one.")
    if len(volumes) > MOST_INPUTS:
        raise InputError(f"Fusion takes {MOST_INPUTS} volumes at most, not {len(volumes)}.")
    if method not in METHODS:
        raise InputError(f"There is no fusion method '{method}'; use {', '.join(METHODS)}.")
    if units not in UNITS:
        raise InputError(f"There are no units '{units}'; use {' or '.join(UNITS)}.")
    if weights is not None:
        if len(weights) != len(volumes):
            raise InputError(
                f"{len(volumes)} volumes need {len(volumes)} weights, the reference's first, not {len(weights)}."
            )
        if not all(np.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights) > 0:
            raise InputError("The weights are numbers from 0 on, one of them above 0.")
    if normalizations is not None and len(normalizations) != len(volumes):
        raise InputError(f"{len(volumes)} volumes need {len(volumes)} normalisations, not {len(normalizations)}.")
    names = []
    for number, volume in enumerate(volumes):
        name = volume.name or ("The reference" if number == 0 else f"Input {number + 1}")
        check_volume(volume, name)
        if volume.channels != 1:
            raise InputError(f"{name} is in colour; fusion takes scalar volumes.")
        if volume.is_2d != volumes[0].is_2d:
            raise InputError(f"{name} cannot be fused with the reference: one is a picture, the other a volume.")
        names.append(name)
    return names


def _mask(mask: np.ndarray | Volume, reference: Volume) -> np.ndarray:
    if isinstance(mask, Volume):
        mask = geometry.labels_like(mask, reference).array[0] != 0
    array = np.asarray(mask).astype(bool)
    array = array[0] if array.ndim == 4 else array
    if array.shape != reference.array.shape[1:]:
        raise InputError(f"The mask has shape {array.shape}, the reference {reference.array.shape[1:]}.")
    if not array.any():
        raise InputError("The mask is empty.")
    return array


def _normalized(volume: Volume, landmarks: Any) -> np.ndarray:
    """(z,y,x) float32 in [0, 1]."""
    array = landmarks.forward(volume.array[0])
    array += 1
    array *= np.float32(0.5)
    return array


def _within(fused: np.ndarray, arrays: list[np.ndarray], weights: list[float]) -> np.ndarray:
    """`fused` held, voxel by voxel, between the darkest and the brightest input: no halo can come into an even area."""
    used = [array for array, weight in zip(arrays, weights, strict=True) if weight > 0]
    low, high = used[0].copy(), used[0].copy()
    for array in used[1:]:
        np.minimum(low, array, out=low)
        np.maximum(high, array, out=high)
    return np.clip(fused, low, high, out=fused)


class _Steps:
    """Progress and cancelling between steps."""

    def __init__(self, progress, cancelled, total: int) -> None:
        self.done, self.total = 0, total
        self._progress, self._cancelled = progress, cancelled

    def go(self, done: int) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("The fusion was cancelled.")
        if self._progress is not None and done > self.done:
            self._progress(done, self.total)
        self.done = done
