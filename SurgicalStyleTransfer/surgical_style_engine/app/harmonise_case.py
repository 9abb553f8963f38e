"""Bring a volume into the look of others, and write it; and measure that look."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.common.cancelling import check_cancelled
from surgical_style_engine.errors import InputError
from surgical_style_engine.harmonise.harmonise import Harmonised, harmonise_volume, kind_to_harmonise
from surgical_style_engine.harmonise.look import ENDING, Look, load_look, look_of
from surgical_style_engine.harmonise.references import references_below
from surgical_style_engine.imageio.formats import ending_of
from surgical_style_engine.imageio.write import check_output
from surgical_style_engine.volumes.tissues.landmarks import Landmarks, measure
from surgical_style_engine.volumes.volume import Volume, check_volume

from .inputs import Files, VolumeOrPath, left_out, read


@dataclass(frozen=True, eq=False)
class HarmonisedCase:
    """What came of a case.

    Attributes:
        source: the volume as it was read.
        harmonised: the volume in the look, and how it came there.
        notes: what a file's header says of the image.
        warnings: sentences.
        seconds: for all of it.
    """

    source: Volume
    harmonised: Harmonised
    notes: dict[str, str]
    warnings: list[str]
    seconds: float

    def tissues(self, look: Look) -> dict[str, Any]:
        """For a report: each tissue's level in the scan and in the look, and its share of the brain."""
        before = self.harmonised.before
        rows = zip(look.tissues, before.levels, look.levels, before.shares, strict=True)
        return {
            tissue: {"before": float(level), "after": float(target), "share": float(share)}
            for tissue, level, target, share in rows
        }


def look_like(
    path: Path,
    tell: Callable[[str], None] = lambda sentence: None,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> Look:
    """The look that a path stands for: one that was saved, or that of a scan or of all scans in a folder tree.

    Args:
        path: a file that ends in ``look.ENDING``, a volume's file or DICOM folder, or a folder of volumes.
        tell: gets a sentence for each scan that does not count.
        step: called with (steps done, steps in all) before each, see ``measure_look``.

    Raises:
        InputError: for a path that holds neither, and as ``measure_look`` does.
        Cancelled: as ``measure_look`` does.
    """
    if path.is_file() and path.name.endswith(ENDING):
        return load_look(path)
    name = path.name.removesuffix(ending_of(path)) if path.is_file() and path.suffix else path.resolve().name
    return measure_look(references_below(path), name, tell, step)


def measure_look(
    references: Sequence[VolumeOrPath],
    name: str,
    tell: Callable[[str], None] = lambda sentence: None,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> Look:
    """The look of a set of scans: of the contrast that most of them have.

    Args:
        references: MR of the head, or their files or DICOM folders.
        name: of the look, for headers and reports.
        tell: gets a sentence for each scan that does not count.
        step: called with (steps done, steps in all) before each; every scan is read and then measured.

    Raises:
        InputError: where no scan can be measured, or contrasts are mixed evenly.
        Cancelled: between two scans, and within one.
    """
    kinds: dict[VolumeOrPath, tuple[str, bool, Volume]] = {}
    for number, path in enumerate(references):
        check_cancelled()
        step(number, 2 * len(references))
        try:
            volume = read(path)
            check_volume(volume)
            kinds[path] = (*kind_to_harmonise(volume), volume)
        except InputError as error:
            if len(references) == 1:
                raise
            tell(f"Left out of the reference: {error}")
    counted = Counter(kind for kind, _, _ in kinds.values()).most_common(2)
    if not counted:
        raise InputError("None of the reference's volumes is T1w, T2w or FLAIR of a head.")
    if len(counted) == 2 and counted[0][1] == counted[1][1]:
        raise InputError(
            f"The reference holds {counted[0][0]} and {counted[1][0]} in equal number; give a folder of one."
        )
    kind = counted[0][0]
    measured: list[Landmarks] = []
    for number, (path, (own, extracted, volume)) in enumerate(kinds.items()):
        check_cancelled()
        step(len(references) + number, 2 * len(references))
        if own != kind:
            tell(f"Left out of the reference: {path.name} is {own}, most are {kind}.")
            continue
        try:
            measured.append(measure(volume, kind, extracted)[0])
        except InputError as error:
            if len(kinds) == 1:
                raise
            tell(f"Left out of the reference: {error}")
    if not measured:
        raise InputError("In none of the reference's volumes tissues can be told apart.")
    return look_of(measured, kind, name)


def harmonise_case(
    source: VolumeOrPath, look: Look, output: Path | None = None, files: Files | None = None
) -> HarmonisedCase:
    """Bring a volume into a look, and write it.

    Args:
        source: the volume, or its file or DICOM folder.
        look: of the same contrast.
        output: file to write; None for none.
        files: reads and writes.

    Returns:
        What came of it.

    Raises:
        MisfitError: for another contrast.
        InputError: where no tissues are found.
        StyleTransferError: for what cannot be written.
    """
    begun = time.perf_counter()
    files = files or Files()
    volume = files.read(source)
    check_volume(volume)
    if output is not None:
        check_output(output, volume)
    done = harmonise_volume(volume, look)
    notes = notes_of(look)
    if output is not None:
        files.write(done.volume, output, notes)
    warnings = [*(left_out(source) if isinstance(source, Path) else []), *done.warnings]
    return HarmonisedCase(volume, done, notes, warnings, time.perf_counter() - begun)


def notes_of(look: Look) -> dict[str, str]:
    """What a header says: made by a tone curve, not by a network, but no acquired image any more."""
    return {
        "Synthetic": "yes",
        "SyntheticFrom": look.kind,
        "SyntheticTo": f"{look.kind} in the look of {look.name}",
        "SyntheticStrength": "1",
        "SyntheticAdjustments": "bias field removed; grey values by one increasing curve",
        "StyleModel": f"look {look.name}",
        "StyleModelSHA256": digest_of(look),
        "IntendedUse": "Research. Not for diagnosis.",
    }


def digest_of(look: Look) -> str:
    """SHA-256 of what a look's results depend on."""
    levels = np.asarray(look.levels, np.float64)
    return hashlib.sha256(look.kind.encode() + levels.tobytes()).hexdigest()
