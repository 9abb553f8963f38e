"""Fuse several modalities of one patient, and judge the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.fusion import Fusion, fuse_learned, fuse_volumes, fusion_quality
from surgical_style_engine.fusion.notes import fusion_notes, learned_notes
from surgical_style_engine.imageio.write import check_output
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.volume import Volume

from .inputs import Files, VolumeOrPath, left_out


@dataclass(frozen=True, eq=False)
class FuseCase:
    """What is asked for.

    Attributes:
        volumes: the modalities, or their files or DICOM folders; the first is the reference, whose grid the result has.
        method: "pyramid", "guided", "detail" or "weighted"; with a model it has no meaning.
        model: a model that takes these volumes in their order, for a learned fusion; None for a rule.
        weights: one a volume; equal if None.
        windows: a normalisation a volume, None for the default; all by default if None.
        register: "auto", "none", "rigid" or "affine".
        mask: labelmap where registration looks and quality is measured, or its file; the body if None.
        units: "reference" or "none".
        judge: judge the result.
        output: file that the result is to be written to; only whether it can hold it is looked at here.
        options: device, precision, progress and cancelled of the run.
        files: reads the volumes.
        stage: told what is done next, in a few words.
    """

    volumes: Sequence[VolumeOrPath]
    method: str = "pyramid"
    model: StyleModel | None = None
    weights: Sequence[float] | None = None
    windows: Sequence[Any] | None = None
    register: str = "auto"
    mask: VolumeOrPath | None = None
    units: str = "reference"
    judge: bool = True
    output: Path | None = None
    options: RunOptions = field(default_factory=RunOptions)
    files: Files = field(default_factory=Files)
    stage: Callable[[str], None] = lambda text: None


@dataclass(eq=False)
class FusedCase:
    """What came of a case.

    Attributes:
        reference: the first of the volumes.
        fusion: the result on its grid.
        notes: what a file's header says of the image.
        quality: the metrics; empty where nothing was judged, or nothing is covered by all volumes.
        warnings: sentences.
        seconds: for all of it.
    """

    reference: Volume
    fusion: Fusion
    notes: dict[str, str]
    quality: dict[str, Any]
    warnings: list[str]
    seconds: float

    @property
    def moved(self) -> list[list[float] | None]:
        """By how many mm and degrees each of the other volumes was registered; None where nothing was."""
        registrations = [entry.registration for entry in self.fusion.aligned]
        return [None if entry is None else [entry.translation_mm, entry.rotation_deg] for entry in registrations]


def fuse_case(case: FuseCase) -> FusedCase:
    """Fuse volumes and judge the result; nothing is written.

    Args:
        case: what is asked for.

    Returns:
        What came of it.

    Raises:
        InputError: for what cannot be fused, or not be written to the output's format.
        Cancelled: between two steps.
    """
    begun = time.perf_counter()
    case.stage("reading")
    volumes = [case.files.read(volume) for volume in case.volumes]
    if case.output is not None:
        check_output(case.output, volumes[0])
    case.stage(f"fusing {len(volumes)} volumes")
    options = case.options
    common: dict[str, Any] = {
        "register": case.register,
        "mask": case.files.read_optional(case.mask),
        "units": case.units,
        "progress": options.progress,
        "cancelled": options.cancelled,
    }
    if case.model is not None:
        fusion = fuse_learned(volumes, case.model, device=options.device, precision=options.precision, **common)
        notes = learned_notes(case.model.card)
    else:
        fusion = fuse_volumes(volumes, method=case.method, weights=case.weights, normalizations=case.windows, **common)
        notes = fusion_notes(fusion)
    quality: dict[str, Any] = {}
    if case.judge:
        case.stage("judging")
        quality = fusion_quality(fusion, cancelled=options.cancelled)
    warnings = [sentence for source in case.volumes for sentence in left_out(source)] + fusion.warnings
    return FusedCase(volumes[0], fusion, notes, quality, warnings, time.perf_counter() - begun)
