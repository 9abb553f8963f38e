"""One of the volumes in the other's contrast, with how far each voxel of it is trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.geometry import to_canonical
from surgical_style_engine.volumes.registration.alike.register import Weighed, with_air
from surgical_style_engine.volumes.volume import Volume

from ..trust.error_bound import ErrorBound, bound_or_reason
from ..trust.verdict import verdict_of
from .ways import Way

SLICE_MM = 3.0  # distance of the axial slices that are translated; a registration needs no more
TRUSTED = 0.5  # of the bound's limit, up to which a voxel has all its weight
LEAST_BOUND = 0.05  # of the limit, so that nothing is divided by


@dataclass(frozen=True, eq=False)
class Translated:
    """A translation that is to be registered, or the reason why not.

    Attributes:
        weighed: The translation with its weights; None where it is not trusted.
        level: Of the verdict, "green", "amber", "red" or "none".
        sentence: The verdict.
    """

    weighed: Weighed | None
    level: str
    sentence: str


def translated_for(volume: Volume, model: StyleModel, way: Way, options: RunOptions) -> Translated:
    """Translate a volume on fewer slices, judge the translation, and weigh its voxels.

    Args:
        volume: Scalar 3-D.
        model: A style.
        way: In which direction.
        options: How the network is run.

    Raises:
        OutOfMemoryError, Cancelled: As ``translate_volume`` does.
    """
    thinned = fewer_slices(volume)
    try:
        translation = translate_volume(thinned, model, direction=way.direction, options=options)
    except InputError as error:
        return Translated(None, "red", str(error))
    body = body_mask(thinned)
    calibration, bound, why = bound_or_reason(thinned, model, way.direction, translation, body, None, "quick", options)
    verdict = verdict_of({}, translation.doubts, calibration, bound, why)
    if verdict.level not in ("green", "amber") or bound is None:
        return Translated(None, verdict.level, verdict.sentence)
    weight = weights_of(bound, body)
    synthetic = replace(translation.volume, name=volume.name)
    return Translated(Weighed(synthetic, with_air(weight, body, thinned)), verdict.level, verdict.sentence)


def as_it_is(volume: Volume) -> Weighed:
    """A real volume: its body, all of which is trusted."""
    body = body_mask(volume)
    return Weighed(volume, with_air(body.astype(np.float32), body, volume))


def weights_of(bound: ErrorBound, body: np.ndarray) -> np.ndarray:
    """Weights (z, y, x): one over the square of the error bound, as of a variance, at most 1; 0 in the air."""
    share = np.maximum(bound.volume.array[0] / np.float32(bound.limit), np.float32(LEAST_BOUND))
    return np.where(body, np.minimum(1, (TRUSTED / share) ** 2), 0).astype(np.float32)


def fewer_slices(volume: Volume) -> Volume:
    """Every so many of the axial slices, so that they lie about SLICE_MM apart; no voxel is interpolated."""
    canonical, _ = to_canonical(volume)
    step = max(1, round(SLICE_MM / canonical.spacing[2]))
    if step == 1:
        return volume
    spacing = (*canonical.spacing[:2], canonical.spacing[2] * step)
    return replace(canonical, array=np.ascontiguousarray(canonical.array[:, ::step]), spacing=spacing, stated=None)
