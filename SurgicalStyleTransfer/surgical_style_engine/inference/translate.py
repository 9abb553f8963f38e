"""The volume pipeline: a volume in, its translation on exactly the same grid out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.backends.select import Runner, make_runner
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import Domain, ModelCard, StyleModel
from surgical_style_engine.models.importers.picture import from_picture, is_style_image, output_domain
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.body_or_all import find_body
from surgical_style_engine.volumes.histogram_distance import body_histogram, nearest_distance
from surgical_style_engine.volumes.volume import Volume, check_volume

from .ensemble import Variant, variants_of
from .plane_job import LARGEST_WHOLE, Counter, PlaneJob, Progress

FLAT = -0.999  # normalised intensity of a background without noise, such as brain extraction leaves
FLAT_FRACTION = 0.1  # least part of a volume that is flat for that background to be left alone
LEAST_USEFUL = 0.05  # automatic strength below which a warning says that little was translated
LEAST_UNUSUAL = 0.1  # distance of intensity histograms below which no volume stands out
_NOTHING = np.empty((0, 0, 0, 0), np.float32)
# Radiographs come under several names.
_SAME_MODALITY = {"CR": "DX", "DR": "DX", "RG": "DX"}
_MODALITIES = {"MR", "CT", "PT", "NM", "US", "DX", "XA", "MG"}


@dataclass
class Translation:
    """What came of a run. ``volume`` is float32 in the units of the domain it ends in, on the input's grid.

    normalized_input, normalized_output: (c, z, y, x) float32 in [-1, 1] on that grid, before strength and mask.
    disagreement: standard deviation over the planes and the variants of an ensemble, normalised units, where several
    were run. slices: how many slices went through the network, all planes together.
    adjusted: ``normalized_output`` after structure guard and matching, where there were any. flattened: the input
    without its bias field, in its own units, where that was asked for. strength: the one used. consistency: Semantic
    Consistency at that strength, where the strength was chosen by it. mixed: the input, whose units are others, shows
    through, so that not all voxels are in the units of the domain.
    """

    volume: Volume
    normalized_input: np.ndarray
    normalized_output: np.ndarray
    slices: int
    seconds: float
    device: str
    precision: str
    backend: str
    warnings: list[str]
    disagreement: Volume | None = None
    adjusted: np.ndarray | None = None
    flattened: np.ndarray | None = None
    strength: float = 1.0
    consistency: float | None = None
    mixed: bool = False

    @property
    def judged(self) -> np.ndarray:
        """What the quality figures look at: the normalised output with its adjustments, before strength and mask."""
        return self.normalized_output if self.adjusted is None else self.adjusted


def translate_volume(
    volume: Volume,
    model: StyleModel,
    *,
    direction: str = "forward",
    planes: Sequence[str] | None = None,
    strength: float = 1.0,
    mask: Volume | None = None,
    adjustments: Adjustments | None = None,
    device: str = "auto",
    precision: str = "auto",
    backend: str = "auto",
    batch_size: int | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    runner: Runner | None = None,
    keep_normalized: bool = True,
) -> Translation:
    """Translate a volume with a model.

    planes: planes to run and average, the model's own by default; pictures and single slices run in their own.
    strength: blend of input (0) and translation (1). mask: labelmap on any grid; outside it the input stays.
    adjustments: what else to do, in the order: flatten the bias (input) -> network (ensemble) -> structure guard ->
    matching -> strength and mask -> output. progress: called with (slices done, slices in all) after every batch.
    runner: a warm one to use again. keep_normalized: False leaves the normalised arrays out of the result (empty), to
    spare memory where nothing is judged or adjusted afterwards.

    Units. A translation is in the target domain's units: HU for CT; where units are arbitrary, as in MR, the range in
    the middle of the training volumes, so that a cohort comes out alike. Where strength or mask let the input through,
    it depends on both domains how the two meet:

    - the same physical units (HU and HU): they are blended in them; strength 0 and voxels outside the mask are the
      input exactly.
    - arbitrary units on both sides (MR and MR): blended as normalised intensities, on a scale that goes from the
      input's own range at strength 0 to the target's at 1; with a mask, on the input's range throughout, so that both
      sides of its border compare. Strength 0 and voxels outside the mask are the input exactly.
    - otherwise (MR and CT): the input is shown in the target's units, its normalised intensities mapped to the
      target's range. Such voxels hold the input's contrast, not measurements; a warning says so.

    With a reference to match, the range of the reference takes the place of the target's. With a flattened bias, what
    is blended in is the flattened input, at strength 0 too; voxels outside the mask are still the input exactly.

    Raises InputError for unusable volumes, OutOfMemoryError, and Cancelled between two batches.
    """
    started = time.monotonic()
    check_volume(volume)
    if not 0 <= strength <= 1:
        raise InputError(f"The strength is between 0 and 1, not {strength:g}.")
    if batch_size is not None and batch_size < 1:
        raise InputError(f"The batch size is at least 1, not {batch_size}.")
    model.check_direction(direction)
    origin, goal = model.card.domain_from(direction), model.card.domain_to(direction)
    check_suitable(volume, model, direction)
    _check_mixable(origin, goal, model.card, strength < 1 or mask is not None)
    inside = _mask_on_grid(mask, volume) if mask is not None else None
    adjustments = adjustments or Adjustments()
    _check_adjustments(adjustments, goal)
    if adjustments.ensemble and is_style_image(model.card):
        raise InputError(f"The style {model.card.name} is an optimisation, of which no ensemble is made.")
    flattened = _flattened(volume, origin) if adjustments.flatten_bias else None
    landmarks = origin.normalization.fit(volume.array if flattened is None else flattened)
    goal = output_domain(model.card, direction, landmarks)
    warnings = suitability_warnings(volume, model, direction, landmarks)
    canonical, reorientation = geometry.to_canonical(volume if flattened is None else volume.with_array(flattened))
    chosen = planes_for(canonical, planes, model.card)
    plain = strength == 1 and inside is None and adjustments.is_none_after_network
    one_run = len(chosen) == 1 and not adjustments.ensemble
    direct = plain and one_run and not keep_normalized and not from_picture(model.card)
    large = direct and volume.array.size > LARGEST_WHOLE
    if not large:
        canonical = replace(canonical, array=landmarks.forward(canonical.array))
    runner = runner or make_runner(model, direction, device, precision, backend)
    warnings += [note] if (note := getattr(runner, "note", "")) else []
    if is_style_image(model.card):
        runner.begin()
        warnings += runner.warnings
    counter = Counter(progress, cancelled)
    normalized_input = normalized_output = _NOTHING
    array = disagreement = None
    if direct:
        array = _run_direct(
            canonical,
            reorientation,
            chosen[0],
            model.card,
            goal,
            runner,
            batch_size,
            counter,
            landmarks.forward if large else None,
            volume.array.shape[1:],
        )
    else:
        output, spread = _run_planes(
            canonical, chosen, model.card, goal.channels, runner, batch_size, counter, adjustments.ensemble
        )
        disagreement = None if spread is None else volume.with_array(reorientation.undo(spread))
        normalized_output = reorientation.undo(output)
        if not plain or keep_normalized:
            normalized_input = reorientation.undo(canonical.array)
        del output
    del canonical
    if counter.total == 0:
        warnings.append("No slice holds anything to translate; the output is the input in the target's units.")
    if counter.smallest_batch:
        warnings.append(f"Memory was short; the batch was reduced to {counter.smallest_batch} slices.")

    made = Translation(
        volume if array is None else volume.with_array(array),
        normalized_input,
        normalized_output,
        counter.total,
        0.0,
        runner.device,
        runner.precision,
        runner.backend,
        warnings,
        disagreement,
        flattened=flattened,
    )
    if array is None:
        made = _adjusted(volume, made, landmarks, origin, goal, adjustments, strength, inside)
    made.mixed = (made.strength < 1 or inside is not None) and not _same_units(origin, goal, landmarks)
    if made.mixed:
        warnings.append(
            f"Input ({_units(origin)}) and translation ({_units(goal)}) are mixed: voxels that are not fully "
            "translated show the input's contrast, not measured values."
        )
    if adjustments.least_consistency is not None and made.strength < LEAST_USEFUL:
        warnings.append(
            f"Only a strength of {made.strength:.2f} keeps a consistency of {adjustments.least_consistency:g}; "
            "the output is all but the input."
        )
    made.seconds = time.monotonic() - started
    if not keep_normalized:
        made.normalized_input = made.normalized_output = _NOTHING
    return made


def adjust_translation(
    volume: Volume,
    model: StyleModel,
    translation: Translation,
    *,
    direction: str = "forward",
    strength: float = 1.0,
    mask: Volume | None = None,
) -> np.ndarray:
    """What ``translate_volume`` would have given with another strength or mask, without running the network again.

    Returns (c, z, y, x) float32 in the units stated there; volume and direction must be those of the translation.
    """
    return readjust(volume, model, translation, direction=direction, strength=strength, mask=mask).volume.array


def readjust(
    volume: Volume,
    model: StyleModel,
    translation: Translation,
    *,
    direction: str = "forward",
    strength: float = 1.0,
    mask: Volume | None = None,
    adjustments: Adjustments | None = None,
) -> Translation:
    """The translation with another strength, mask, structure guard or reference, without running the network again.

    Volume and direction must be those of the translation. Of the adjustments, flatten_bias and ensemble act before the
    network: they stay as the translation has them. Raises InputError.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"The strength is between 0 and 1, not {strength:g}.")
    origin, goal = model.card.domain_from(direction), model.card.domain_to(direction)
    _check_mixable(origin, goal, model.card, strength < 1 or mask is not None)
    inside = _mask_on_grid(mask, volume) if mask is not None else None
    adjustments = adjustments or Adjustments()
    _check_adjustments(adjustments, goal)
    landmarks = origin.normalization.fit(volume.array if translation.flattened is None else translation.flattened)
    goal = output_domain(model.card, direction, landmarks)
    return _adjusted(volume, translation, landmarks, origin, goal, adjustments, strength, inside)


def _check_adjustments(adjustments: Adjustments, goal: Domain) -> None:
    """Raise InputError before the network runs in vain."""
    if adjustments.match is not None:
        from surgical_style_engine.adjust.matching import check_units

        check_units(adjustments.match, goal.units)
        if adjustments.match.channels != goal.channels:
            raise InputError("The reference to match has other channels than the translation.")


def _flattened(volume: Volume, origin: Domain) -> np.ndarray:
    from surgical_style_engine.volumes.bias_field import flatten_bias

    if origin.units:
        raise InputError(f"The model takes {origin.units}, which have no bias field; leave the flattening out.")
    return flatten_bias(volume).array


def _adjusted(
    volume: Volume,
    translation: Translation,
    landmarks: Any,
    origin: Domain,
    goal: Domain,
    adjustments: Adjustments,
    strength: float,
    inside: np.ndarray | None,
) -> Translation:
    """Everything after the network: structure guard, matching, strength, mask, units."""
    from surgical_style_engine.adjust.apply import adjust_output

    source, made = translation.normalized_input, translation.normalized_output
    found = adjust_output(volume, source, made, goal, adjustments, strength, inside)
    array = _in_units(
        volume, translation.flattened, source, found.normalized, landmarks, origin, found.goal, found.strength, inside
    )
    return replace(
        translation,
        volume=volume.with_array(array),
        strength=found.strength,
        consistency=found.consistency,
        adjusted=None if found.normalized is made else found.normalized,
    )


def translate_normalized(
    normalized: Volume,
    model: StyleModel,
    direction: str = "forward",
    *,
    planes: Sequence[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    backend: str = "auto",
    batch_size: int | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    runner: Runner | None = None,
) -> np.ndarray:
    """One pass over a volume whose voxels are normalised already: (c, z, y, x) in [-1, 1] -> the same, translated.

    For cycles, where what comes out of one generator goes into the other without a detour through units.
    """
    canonical, reorientation = geometry.to_canonical(normalized)
    canonical = replace(canonical, array=canonical.array.astype(np.float32, copy=False))
    runner = runner or make_runner(model, direction, device, precision, backend)
    output, _ = _run_planes(
        canonical,
        planes_for(canonical, planes, model.card),
        model.card,
        model.card.domain_to(direction).channels,
        runner,
        batch_size,
        Counter(progress, cancelled),
    )
    return reorientation.undo(output)


def _run_planes(
    canonical: Volume,
    planes: list[str],
    card: ModelCard,
    channels: int,
    runner: Runner,
    batch_size: int | None,
    counter: Counter,
    ensemble: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Canonical normalised volume -> its translation (channels, z, y, x), and the disagreement (1, z, y, x) of planes
    and variants."""
    counter.check()
    jobs = [PlaneJob(canonical.array, canonical.spacing, plane, card, canonical.is_2d) for plane in planes]
    runs = [(job, variant) for job in jobs for variant in variants_of(job.plane, ensemble)]
    counter.total = sum(len(job.wanted) for job, _ in runs)
    air = untouched_air(canonical, card, channels)

    def whole(job: PlaneJob, variant: Variant) -> np.ndarray:
        made = np.empty((channels, job.slices.count, *job.own_size), np.float32)

        def put(which: np.ndarray, part: np.ndarray) -> None:
            made[:, which] = part

        job.run(runner, channels, batch_size, counter, put, variant)
        return geometry.plane_first_undo(made, job.plane)

    results = [whole(*run) for run in runs]
    if air is not None:
        for result in results:
            np.copyto(result, canonical.array, where=air)
    if len(results) == 1:
        return results[0], None
    spread = np.std(results, axis=0, dtype=np.float32).mean(axis=0, keepdims=True)
    return np.mean(results, axis=0, dtype=np.float32), spread


def _run_direct(
    canonical: Volume,
    reorientation: geometry.Reorientation,
    plane: str,
    card: ModelCard,
    goal: Domain,
    runner: Runner,
    batch_size: int | None,
    counter: Counter,
    normalise: Callable[[np.ndarray], np.ndarray] | None,
    size: tuple[int, ...],
) -> np.ndarray:
    """One plane of a canonical volume -> its translation (channels, z, y, x) as the input is stored, float32 in units;
    size: its (z, y, x).

    Slices are written as they come, so that nothing but input and output is held whole. normalise: None where the
    canonical volume is normalised already.
    """
    counter.check()
    job = PlaneJob(canonical.array, canonical.spacing, plane, card, canonical.is_2d, normalise)
    counter.total = len(job.wanted)
    air = untouched_air(canonical, card, goal.channels, normalise)
    air = None if air is None else geometry.plane_first(air, plane)
    made = np.empty((goal.channels, *size), np.float32)
    view = geometry.plane_first(reorientation.apply(made), plane)

    def put(which: np.ndarray, part: np.ndarray) -> None:
        if air is not None:
            np.copyto(part, job.slices.own(which), where=air[:, which])
        view[:, which] = goal.inverse.inverse(part)

    job.run(runner, goal.channels, batch_size, counter, put)
    return made


def untouched_air(
    canonical: Volume, card: ModelCard, channels: int, normalise: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray | None:
    """(1, z, y, x) bool: where a volume keeps its values; None where that is nowhere. normalise: None where it is
    normalised already.

    A network that paints in the style of a picture would paint the air as well. (The optimisation sees to it itself.)
    """
    if canonical.is_2d:
        return None
    if from_picture(card) and not is_style_image(card):
        return ~find_body((canonical.array + 1) / 2)[None]
    return flat_background(canonical.array, normalise) if channels == 1 else None


def flat_background(
    array: np.ndarray, normalise: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray | None:
    """(1, z, y, x) bool: a background without noise around the body, as brain extraction leaves; None without one.

    There is nothing there to translate, yet networks that normalise by slice statistics draw something into it where
    the body is small. Holes inside the body, slice by slice, do not count. normalise: None where the array is
    normalised already.
    """
    if array.shape[0] != 1:
        return None
    body = np.empty(array.shape[1:], bool)
    for index in range(len(body)):
        body[index] = (array[0, index] if normalise is None else normalise(array[0, index])) > FLAT
    if 1 - body.mean() < FLAT_FRACTION:
        return None
    import SimpleITK as sitk

    for index in np.flatnonzero(body.any(axis=(1, 2))):
        image = sitk.GetImageFromArray(body[index].view(np.uint8))
        filled = sitk.BinaryFillhole(image, fullyConnected=False, foregroundValue=1)
        body[index] = sitk.GetArrayViewFromImage(filled)
    return ~body[None]


def _check_mixable(origin: Domain, goal: Domain, card: ModelCard, mixed: bool) -> None:
    # Grey beside a style picture's colours is grey; elsewhere there is no telling what it would mean.
    if mixed and origin.channels != goal.channels and not (from_picture(card) and origin.channels == 1):
        raise InputError("Strength and mask need an input and an output with equal numbers of channels.")


def _in_units(
    volume: Volume,
    flattened: np.ndarray | None,
    normalized_input: np.ndarray,
    normalized_output: np.ndarray,
    landmarks: Any,
    origin: Domain,
    goal: Domain,
    strength: float,
    inside: np.ndarray | None,
) -> np.ndarray:
    """Blend input (flattened, if it was) and translation and go to units, by the rule in ``translate_volume``. float32."""
    if strength == 1 and inside is None:
        return goal.inverse.inverse(normalized_output)
    if normalized_input.shape[0] < goal.channels:
        normalized_input = np.repeat(normalized_input, goal.channels, axis=0)
    if not _same_units(origin, goal, landmarks):
        array = goal.inverse.inverse(_blend(normalized_input, normalized_output, strength))
        own = normalized_input if flattened is None else landmarks.forward(volume.array)
        base, untouched = goal.inverse.inverse(normalized_input), goal.inverse.inverse(own)
    else:
        untouched = volume.array.astype(np.float32)
        base = untouched if flattened is None else flattened
        if origin.units:
            array = _blend(base, goal.inverse.inverse(normalized_output), strength)
        else:
            scale = landmarks if inside is not None else _between(landmarks, goal.inverse, strength)
            array = scale.inverse(_blend(normalized_input, normalized_output, strength))
    if strength == 0:
        array = base
    return array if inside is None else np.where(inside, array, untouched)


def _same_units(origin: Domain, goal: Domain, landmarks: Any) -> bool:
    """Whether input and translation are measured alike, so that voxels may keep their values."""
    return origin.units == goal.units and (bool(origin.units) or landmarks.kind == goal.inverse.kind)


def _blend(first: np.ndarray, second: np.ndarray, weight: float) -> np.ndarray:
    return second if weight == 1 else first + np.float32(weight) * (second - first)


def _between(first: Any, second: Any, weight: float) -> Any:
    """Landmarks of one kind, each number interpolated."""
    a, b = first.model_dump(), second.model_dump()
    numbers = {name: (1 - weight) * a[name] + weight * b[name] for name in a if name != "kind"}
    return type(first)(kind=a["kind"], **numbers)


def _units(domain: Domain) -> str:
    return domain.units or "arbitrary units"


def planes_for(canonical: Volume, planes: Sequence[str] | None, card: ModelCard) -> list[str]:
    """The planes a canonical volume is run in: those asked for, else the model's own.

    A single slice is translated in its own plane, whichever that is: across it there is nothing to see.
    """
    chosen = list(dict.fromkeys(planes or [card.plane]))
    if "all" in chosen:
        chosen = list(geometry.PLANES)
    for plane in chosen:
        if plane not in geometry.PLANES:
            raise InputError(f"There is no plane '{plane}'; use axial, coronal, sagittal or all.")
    flat = [plane for plane in geometry.PLANES if geometry.plane_first(canonical.array, plane).shape[1] == 1]
    return flat[:1] or chosen


def _mask_on_grid(mask: Volume, volume: Volume) -> np.ndarray:
    """(1, z, y, x) bool: where the labelmap (any grid) is not zero. Raises InputError if that is nowhere."""
    if mask.channels != 1:
        raise InputError("The mask has several channels; give a labelmap.")
    on_grid = geometry.labels_like(mask, volume)
    inside = np.nan_to_num(on_grid.array[:1]) != 0  # some programs write NaN outside of masks
    if not inside.any():
        raise InputError("The mask is empty or does not overlap the volume.")
    return inside


def check_suitable(volume: Volume, model: StyleModel, direction: str) -> None:
    """Raise InputError where a volume certainly is not what the model takes: other channels, or a modality that its
    DICOM header states. What can only be guessed is a warning, see ``suitability_warnings``."""
    card, domain = model.card, model.card.domain_from(direction)
    name = volume.name or "The volume"
    if domain.inputs:
        listed = ", ".join(part.name for part in domain.inputs)
        raise InputError(
            f"The model {card.name} makes {card.domain_to(direction).name} of {len(domain.inputs)} registered volumes "
            f"({listed}); use it with sst fuse --method learned."
        )
    if volume.channels != domain.channels:
        kinds = {1: "scalar", 3: "colour"}
        raise InputError(
            f"{name} is {kinds[volume.channels]}, but the model {card.name} takes {kinds[domain.channels]} volumes."
        )
    found, expected = (_modality(text) for text in (volume.metadata.get("Modality", ""), domain.modality))
    if found in _MODALITIES and expected in _MODALITIES and found != expected:
        raise InputError(
            f"{name} is {found} by its header, but the model {card.name} takes {expected} ({domain.name})."
        )


def suitability_warnings(volume: Volume, model: StyleModel, direction: str, landmarks: Any) -> list[str]:
    """Sentences on why a volume may not be what the model was trained on; an empty list if nothing stands out.

    The histogram of its normalised foreground is compared with the training data's by the earth mover's distance.
    """
    domain = model.card.domain_from(direction)
    expected = _modality(domain.modality)
    found = [volume.metadata["Warning"]] if volume.metadata.get("Warning") else []
    lowest = float(volume.array.min())
    if _modality(volume.metadata.get("Modality", "")) not in _MODALITIES:
        if expected == "MR" and lowest < -500:
            found.append("The volume has values below -500, like CT in HU; the model expects MR.")
        elif expected == "CT" and lowest >= 0:
            found.append("The volume has no negative values; the model expects CT in HU.")
    trained = domain.statistics.get("histograms")
    if trained:
        part = volume.array[:, :: max(1, volume.array.shape[1] // 48)]
        shares = body_histogram(landmarks.forward(part), bins=len(trained[0]))
        limit = max(LEAST_UNUSUAL, 1.25 * float(domain.statistics.get("usual_distance", 0)))
        distance = 0.0 if shares is None else nearest_distance(shares, trained)
        if distance > limit:
            found.append(
                f"The distribution of intensities differs from the training data "
                f"(distance {distance:.2f}, usual up to {limit:.2f})."
            )
    return found


def _modality(text: str) -> str:
    code = text.strip().upper()
    return _SAME_MODALITY.get(code, code)
