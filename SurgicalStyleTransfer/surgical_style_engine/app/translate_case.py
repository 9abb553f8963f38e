"""Translate a case: read, translate, judge, write."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.dicom.source import SourceSeries, open_series
from surgical_style_engine.imageio.write import check_output
from surgical_style_engine.inference.readjust import readjust
from surgical_style_engine.inference.result import Translation
from surgical_style_engine.inference.several.stacked import Beside
from surgical_style_engine.inference.suitability import check_suitable
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.metrics.cycle import CycleMetrics
from surgical_style_engine.models.calibration import Quickness
from surgical_style_engine.models.dicom_output import write_dicom_series
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.provenance import misfit_notes, synthetic_notes
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.file_warnings import file_warnings
from surgical_style_engine.volumes.recognise.verdict import recognise
from surgical_style_engine.volumes.volume import Volume, check_volume

from .align_reference import Reference, align_reference, alignment_doubt
from .inputs import Files, VolumeOrPath, left_out, read, read_optional
from .judge_case import JudgeCase, Judgement, judge_case
from .judge_set import TargetSet
from .judging import Judging
from .maps import save_bound, save_maps, write_error_map
from .several.beside import beside_first
from .trust.error_bound import ErrorBound, bound_or_reason

MIXED_NOTE = "mixed: input and translation have different units; the values are no measurements"


@dataclass(frozen=True)
class Writing:
    """What to write.

    Attributes:
        output: file of the translation, or with ``dicom`` a folder; None for none. Missing folders are made.
        dicom: write a DICOM series that is derived from the one of the input's folder.
        deidentify: leave out of the DICOM series what could say whose it is.
        maps: folder for the maps of an assessment page, see ``maps.save_maps``; None for none.
        name: what the maps' files begin with.
        error_map: file of the error bound; None for none.
    """

    output: Path | None = None
    dicom: bool = False
    deidentify: bool = False
    maps: Path | None = None
    name: str = ""
    error_map: Path | None = None


@dataclass(frozen=True, eq=False)
class TranslateCase:
    """What is asked for.

    Attributes:
        volume: the input, or its file or DICOM folder.
        model: what to translate it with.
        direction: "forward" or "backward".
        strength: blend of input (0) and translation (1); where ``adjustments.least_consistency`` is given, the
            strength is chosen by that.
        mask: labelmap on any grid, or its file; outside of it the input stays.
        adjustments, reference: what else to do about the translation, and what to compare it with.
        labels: labelmap of what is judged, or its file; the mask's if None, and the body without either.
        judging: how to judge; None not to.
        target_set: takes in the translation, to be judged with others.
        writing: what to write.
        options: how the network is run.
        uncertainty: how the error bound is found where nothing is judged; see ``Judging``.
        title: the case where progress is shown; the volume's name if empty.
        others: the other inputs of a route of several, in its order.
        stage: told what is done next, in a few words.
        files: reads and writes.
        told: told, before the network runs, each sentence on what of the input is not what the model takes.
    """

    volume: VolumeOrPath
    model: StyleModel
    direction: str = "forward"
    strength: float = 1.0
    mask: VolumeOrPath | None = None
    adjustments: Adjustments = field(default_factory=Adjustments)
    reference: Reference | None = None
    labels: VolumeOrPath | None = None
    judging: Judging | None = None
    target_set: TargetSet | None = None
    writing: Writing = field(default_factory=Writing)
    options: RunOptions = field(default_factory=RunOptions)
    uncertainty: Quickness = "quick"
    title: str = ""
    others: tuple[VolumeOrPath, ...] = ()
    files: Files = field(default_factory=Files)
    stage: Callable[[str], None] = lambda text: None
    told: Callable[[str], None] = lambda text: None


@dataclass(eq=False)
class TranslatedCase:
    """What came of a case.

    Attributes:
        translation: of the input; without its normalised arrays where nothing was judged.
        notes: what a file's header says of the image.
        units: of the output: "HU", "arbitrary" or "mixed".
        quality: the metrics, see ``judge_case``; empty where nothing was judged.
        cycle: the cycle metrics with their maps, where they were taken.
        reference: on the input's grid; None without one, and where it does not fit.
        registration: how the reference was aligned, for a report; None without one.
        maps: the files of the maps by name.
        warnings: sentences.
        seconds: for all of it.
        recognised: what the input was taken for, for a report.
    """

    translation: Translation
    notes: dict[str, str]
    units: str
    quality: dict[str, Any]
    cycle: CycleMetrics | None
    reference: Volume | None
    registration: dict[str, Any] | None
    maps: dict[str, Path]
    warnings: list[str]
    seconds: float
    recognised: dict[str, Any]


@dataclass(eq=False)
class _Inputs:
    """The volumes that a case names, read.

    Attributes:
        series: the headers for a DICOM output.
        reference: on the volume's grid.
        valid: where the reference has voxels, bool (z, y, x); None for everywhere.
        registration: how the reference was aligned.
        beside: the other inputs, on the volume's grid.
    """

    volume: Volume
    beside: tuple[Beside, ...]
    series: SourceSeries | None
    mask: Volume | None
    labels: Volume | None
    reference: Volume | None
    valid: np.ndarray | None
    registration: dict[str, Any] | None
    warnings: list[str]


def translate_case(case: TranslateCase) -> TranslatedCase:
    """Translate a volume, judge the result, and write what was asked for; it is written last.

    Args:
        case: what is asked for.

    Returns:
        What came of it.

    Raises:
        InputError: for what cannot be used.
        StyleTransferError: for what cannot be written.
        OutOfMemoryError: where even one slice does not fit the device.
        Cancelled: between two batches.
    """
    begun = time.perf_counter()
    name = case.title or case.volume.name or "the volume"
    inputs = _read(case, name)
    translation = _translate(case, inputs, name)
    quality: dict[str, Any] = {}
    cycle, bound = None, None
    if case.judging is not None:
        case.stage(f"judging {name}")
        judgement = _judge(case, inputs, case.judging, translation)
        quality, cycle, bound = judgement.quality, judgement.cycle, judgement.bound
        del judgement
    if case.writing.error_map is not None and bound is None:
        bound = _bound(case, inputs, translation)
    notes = notes_of(case.model, case.direction, translation, case.adjustments)
    volume = inputs.volume if case.writing.maps is not None else None
    recognised = recognise(inputs.volume).entry()
    reference, registration, warnings = inputs.reference, inputs.registration, inputs.warnings
    series = inputs.series
    del inputs  # writing needs the room of the volume
    _write(case, series, translation, notes)
    if case.writing.error_map is not None and bound is not None:
        write_error_map(case.writing.error_map, bound, notes)
    maps = {} if volume is None else _save_maps(case, volume, cycle, translation, reference, notes, bound)
    return TranslatedCase(
        translation=translation,
        notes=notes,
        units=_units(case, translation),
        quality=quality,
        cycle=cycle,
        reference=reference,
        registration=registration,
        maps=maps,
        warnings=[*left_out(case.volume), *translation.warnings, *warnings],
        seconds=time.perf_counter() - begun,
        recognised=recognised,
    )


def adjust_case(case: TranslateCase, translation: Translation) -> tuple[Translation, dict[str, str]]:
    """A translation with another strength or adjustments, without running the network.

    Args:
        case: with the volume, model, direction and mask of the translation, and what is asked for now.
        translation: with its normalised arrays.

    Returns:
        The translation as it is now, and what a file's header says of it.

    Raises:
        InputError: for what cannot be.
    """
    adjusted = readjust(
        read(case.volume),
        case.model,
        translation,
        direction=case.direction,
        strength=case.strength,
        mask=read_optional(case.mask),
        adjustments=case.adjustments,
    )
    return adjusted, notes_of(case.model, case.direction, adjusted, case.adjustments)


def notes_of(
    model: StyleModel, direction: str, translation: Translation, adjustments: Adjustments | None = None
) -> dict[str, str]:
    """What the header of a translation says: that it is synthetic, how it was made, of what, and mixed units."""
    notes = {**synthetic_notes(model.card, direction, translation.strength, adjustments), **_doubts(translation)}
    return {**notes, "SyntheticUnits": MIXED_NOTE} if translation.mixed else notes


def _doubts(translation: Translation) -> dict[str, str]:
    """What a header says of an input that is not what the model takes."""
    misfit = translation.misfit
    return {} if misfit is None else misfit_notes(misfit.refusal, misfit.warnings)


def _read(case: TranslateCase, name: str) -> _Inputs:
    case.stage(f"reading {name}")
    volume = case.files.read(case.volume)
    if case.writing.output is not None and not case.writing.dicom:
        check_output(case.writing.output, volume)
    mask, labels = case.files.read_optional(case.mask), case.files.read_optional(case.labels)
    options = case.options
    beside, doubts = beside_first(volume, case.others, case.model, case.direction, options.force, options.strict)
    inputs = _Inputs(volume, beside, _series(case, volume), mask, labels, None, None, None, doubts)
    inputs.warnings += file_warnings(mask, labels, case.adjustments.match)
    if case.reference is not None:
        case.stage("registering the reference")
        _align(inputs, case.reference, case.files)
    return inputs


def _series(case: TranslateCase, volume: Volume) -> SourceSeries | None:
    """The headers that a DICOM output is made of. Raises InputError where there are none."""
    if not case.writing.dicom:
        return None
    if isinstance(case.volume, Volume):
        raise InputError("A DICOM output needs the folder of the series that was read.")
    return open_series(case.volume, volume, case.model.card.domain_to(case.direction))


def _align(inputs: _Inputs, reference: Reference, files: Files) -> None:
    """Bring the reference onto the volume's grid; one that does not fit is left out."""
    check_volume(inputs.volume)
    real = files.read(reference.path)
    inputs.warnings += file_warnings(real)
    aligned = align_reference(inputs.volume, real, reference.path, reference.register)
    inputs.registration = aligned.how
    if doubt := alignment_doubt(aligned.how, reference.path):
        inputs.warnings.append(doubt)
    else:
        inputs.reference, inputs.valid = aligned.volume, aligned.valid


def _translate(case: TranslateCase, inputs: _Inputs, name: str) -> Translation:
    check_volume(inputs.volume)
    case.model.check_direction(case.direction)
    options = case.options
    for sentence in check_suitable(inputs.volume, case.model, case.direction, options.force, options.strict).warnings:
        case.told(sentence)
    case.stage(f"translating {name}")
    keep = case.options.keep_normalized or case.judging is not None or case.writing.error_map is not None
    return translate_volume(
        inputs.volume,
        case.model,
        direction=case.direction,
        strength=case.strength,
        mask=inputs.mask,
        adjustments=case.adjustments,
        beside=inputs.beside,
        options=replace(case.options, keep_normalized=keep),
    )


def _judge(case: TranslateCase, inputs: _Inputs, judging: Judging, translation: Translation) -> Judgement:
    judgement = judge_case(
        JudgeCase(
            volume=inputs.volume,
            model=case.model,
            translation=translation,
            direction=case.direction,
            mask=inputs.mask,
            labels=inputs.labels,
            reference=inputs.reference,
            valid=inputs.valid,
            judging=judging,
            options=case.options,
        )
    )
    if case.options.runner is not None:
        judgement.quality.update(case.options.runner.outcome())
    if case.target_set is not None:
        case.target_set.add(inputs.volume, translation, judgement.region, inputs.mask)
    return judgement


def _bound(case: TranslateCase, inputs: _Inputs, translation: Translation) -> ErrorBound:
    """The error bound where nothing else is judged. Raises InputError where there is none."""
    region = body_mask(inputs.volume)
    options = case.options
    _, bound, why = bound_or_reason(
        inputs.volume, case.model, case.direction, translation, region, inputs.mask, case.uncertainty, options
    )
    if bound is None:
        raise InputError(why)
    return bound


def _write(case: TranslateCase, series: SourceSeries | None, translation: Translation, notes: dict[str, str]) -> None:
    output = case.writing.output
    if output is None:
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    if series is None:
        case.files.write(translation.volume, output, notes)
        return
    write_dicom_series(
        translation.volume,
        series,
        output,
        case.model.card,
        case.direction,
        strength=translation.strength,
        masked=case.mask is not None,
        mixed=translation.mixed,
        deidentify=case.writing.deidentify,
        adjustments=case.adjustments,
        doubts=_doubts(translation),
    )


def _save_maps(
    case: TranslateCase,
    volume: Volume,
    cycle: CycleMetrics | None,
    translation: Translation,
    reference: Volume | None,
    notes: dict[str, str],
    bound: ErrorBound | None,
) -> dict[str, Path]:
    """Write what an assessment page shows; of the translation only where no file has it."""
    if case.writing.maps is None:
        return {}
    kept = save_maps(
        case.writing.maps,
        case.writing.name,
        volume,
        cycle,
        notes,
        translation=translation.volume if case.writing.output is None else None,
        reference=reference,
        disagreement=translation.disagreement,
    )
    return kept | save_bound(case.writing.maps, case.writing.name, bound, notes)


def _units(case: TranslateCase, translation: Translation) -> str:
    return "mixed" if translation.mixed else case.model.card.domain_to(case.direction).units or "arbitrary"
