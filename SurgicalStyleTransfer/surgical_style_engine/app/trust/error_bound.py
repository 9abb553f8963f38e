"""The calibrated bound of the error of every voxel of a translation, in the target's units."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.cycle import ModelGrid
from surgical_style_engine.inference.planes import VolumeRun, planes_for
from surgical_style_engine.inference.result import Translation
from surgical_style_engine.inference.runners import runner_for
from surgical_style_engine.metrics.uncertainty.bound import NOT_BOUNDED, bound_map
from surgical_style_engine.metrics.uncertainty.features import NEAR
from surgical_style_engine.models.calibration import DirectionCalibration, Quickness, read_calibration
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.volume import Volume

MAIN_PART = 0.5  # of [-1, 1] to both sides of 0, where normalised intensities and units go together linearly


@dataclass(frozen=True, eq=False)
class ErrorBound:
    """The bound of a translation's error.

    Attributes:
        volume: (1, z, y, x) float32, half widths in the target's units; `NOT_BOUNDED` outside of the region.
        limit: In the same units: from there on a voxel says no more than one grey for the whole body would.
        mean: Of the region, the same units.
        untrusted_share: Share of the region at or above the limit.
        expected_psnr: (value, low, high) in dB; None where that was not calibrated.
        level: Share of voxels that the bound is made to cover.
        units: Of the target; "" for arbitrary ones.
        quickness: "quick" or "full".
    """

    volume: Volume
    limit: float
    mean: float
    untrusted_share: float
    expected_psnr: tuple[float, float, float] | None
    level: float
    units: str
    quickness: Quickness

    def note(self) -> dict[str, str]:
        """What the header of its file says."""
        return {
            "ErrorBound": f"nine of ten voxels are expected within this of the real image; {NOT_BOUNDED:g}: not bounded"
            if self.level == 0.9
            else f"{self.level:.0%} of the voxels are expected within this; {NOT_BOUNDED:g}: not bounded",
            "ErrorBoundLimit": f"{self.limit:g}",
        }


def calibration_of(model: StyleModel, direction: str) -> tuple[DirectionCalibration | None, str]:
    """What is known of a model's errors.

    Args:
        model: A style.
        direction: forward or backward.

    Returns:
        The calibration and ""; or None and why there is none, a sentence.
    """
    title = model.card.name
    if not model.folder or not model.folder.parts:
        return None, f"The style {title} is not calibrated."
    try:
        calibration = read_calibration(model.folder, model.card)
    except InputError as error:
        return None, str(error)
    known = None if calibration is None else calibration.directions.get(model.card.measured_as(direction))
    if known is None:
        source, target = model.card.domain_from(direction).name, model.card.domain_to(direction).name
        return None, f"The style {title} is not calibrated from {source} to {target}: how far it errs is not known."
    return known, ""


def why_not_bounded(
    card: ModelCard, volume: Volume, translation: Translation, mask: Volume | None, options: RunOptions
) -> str:
    """Why the calibration says nothing of an image, a sentence; "" where it does.

    Args:
        card: Of the model.
        volume: The input.
        translation: As it is delivered.
        mask: Outside of which the input stayed.
        options: How the network was run.
    """
    other_plane = bool(options.planes) and planes_for(volume, options.planes, card) != [card.plane]
    changes = (
        ("a strength below 1", translation.strength != 1),
        ("a region outside of which the input stays", mask is not None),
        ("structure guard or matching", translation.adjusted is not None),
        ("a flattened bias", translation.flattened is not None),
        ("an average over planes or variants", translation.disagreement is not None),
        ("another plane than the model's own", other_plane),
    )
    for what, is_so in changes:
        if is_so:
            return f"The error bound is calibrated for translations as the network gives them, not for {what}."
    if volume.is_2d or min(volume.array.shape[1:]) == 1:
        return "The error bound is calibrated for volumes, not for a single slice."
    return ""


def bound_or_reason(
    volume: Volume,
    model: StyleModel,
    direction: str,
    translation: Translation,
    region: np.ndarray,
    mask: Volume | None,
    quickness: Quickness,
    options: RunOptions,
) -> tuple[DirectionCalibration | None, ErrorBound | None, str]:
    """The calibration, the bound, and where there is none, why: a sentence. Arguments as of `error_bound`."""
    calibration, why = calibration_of(model, direction)
    why = why or why_not_bounded(model.card, volume, translation, mask, options)
    if calibration is None or why:
        return calibration, None, why
    bound = error_bound(volume, model, direction, translation, region, calibration, quickness, options)
    return calibration, bound, ""


def error_bound(
    volume: Volume,
    model: StyleModel,
    direction: str,
    translation: Translation,
    region: np.ndarray,
    calibration: DirectionCalibration,
    quickness: Quickness = "quick",
    options: RunOptions | None = None,
) -> ErrorBound:
    """The bound of a translation that `why_not_bounded` has nothing against.

    Args:
        volume: The input.
        model: That translated it.
        direction: forward or backward.
        translation: With its normalised arrays.
        region: Bool (z, y, x), the body.
        calibration: Of the model in this direction.
        quickness: "full" also runs the turned variants of an ensemble, four times the translation.
        options: How the network is run for that.

    Raises:
        InputError: Where the calibration needs features that this version does not know.
        OutOfMemoryError, Cancelled: As ``translate_volume`` does.
    """
    card = model.card
    known = calibration.error_model(quickness)
    grid = ModelGrid(volume, card.plane, card.spacing_mm)
    spread = None
    if "disagreement" in known.features:
        spread = _on_slices(grid, _disagreement(volume, model, direction, translation, options or RunOptions()))[0]
    source, output = (
        _on_slices(grid, array) for array in (translation.normalized_input, translation.normalized_output)
    )
    body = _on_slices(grid, region)[0] > 0.5
    box = _box(body)
    bounds = np.full(body.shape, NOT_BOUNDED, np.float32)
    bounds[box] = bound_map(known, source[0][box], output[0][box], body[box], None if spread is None else spread[box])
    inside = bounds[body]
    mean_square = float(np.mean(np.square(inside, dtype=np.float64)))
    normalised = _to_input(grid, bounds, body)
    slope = _slope(card, direction)
    array = np.where(region[None], normalised * np.float32(slope), NOT_BOUNDED).astype(np.float32)
    target = card.domain_to(direction)
    return ErrorBound(
        volume=replace(volume, array=array, name=""),
        limit=calibration.uninformed * slope,
        mean=float(inside.mean(dtype=np.float64)) * slope,
        untrusted_share=float(np.mean(inside >= calibration.uninformed)),
        expected_psnr=_expected_psnr(calibration, mean_square),
        level=calibration.level,
        units=target.units,
        quickness="full" if known is calibration.full else "quick",
    )


def _expected_psnr(calibration: DirectionCalibration, mean_square: float) -> tuple[float, float, float] | None:
    known = calibration.psnr
    if known is None:
        return None
    value = known.intercept + known.slope * 10 * np.log10(4 / mean_square)
    return float(value), float(value - known.below), float(value + known.above)


def _disagreement(
    volume: Volume, model: StyleModel, direction: str, translation: Translation, options: RunOptions
) -> np.ndarray:
    """Standard deviation over the turned variants of an ensemble in the model's plane, (1, z, y, x)."""
    run = VolumeRun(
        volume.with_array(translation.normalized_input),
        model.card,
        model.card.domain_to(direction).channels,
        runner_for(model, direction, options),
        options,
    )
    spread = run.averaged([model.card.plane], ensemble=True, with_input=False)[2]
    assert spread is not None  # an ensemble has several variants
    return spread


def _on_slices(grid: ModelGrid, array: np.ndarray) -> np.ndarray:
    """(c, z, y, x) or (z, y, x) on the input's grid -> (c, s, h, w) with the model's pixels."""
    return geometry.plane_first(grid.to_model(array), grid.plane)


def _to_input(grid: ModelGrid, bounds: np.ndarray, body: np.ndarray) -> np.ndarray:
    """(s, h, w) with the model's pixels -> (1, z, y, x) on the input's grid.

    Beyond the body's edge the mean stands, so that resampling does not make the bound smaller there.
    """
    filled = np.where(body, bounds, np.float32(bounds[body].mean(dtype=np.float64)))
    return grid.to_input(geometry.plane_first_undo(filled[None], grid.plane), np.arange(grid.depth))


def _box(body: np.ndarray) -> tuple[slice, ...]:
    """The rows and columns of a body and, around it, what features look at; beyond, wider ones see air in any case."""
    slices = [slice(None)]
    for others in ((0, 2), (0, 1)):
        places = np.flatnonzero(body.any(axis=others))
        slices.append(slice(max(0, int(places[0]) - NEAR - 1), int(places[-1]) + NEAR + 2))
    return tuple(slices)


def _slope(card: ModelCard, direction: str) -> float:
    """Units of the target for each normalised one, but for the few voxels above the robust maximum."""
    ends = card.domain_to(direction).inverse.inverse(np.array([-MAIN_PART, MAIN_PART], np.float32))
    return float(ends[1] - ends[0]) / (2 * MAIN_PART)
