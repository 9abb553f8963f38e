"""DICOM series of a model's translations: what ``imageio.dicom.write`` has to know, taken from the model's card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from surgical_style_engine.imageio.dicom.target import Derivation, DicomTarget, check_holds
from surgical_style_engine.imageio.dicom.write import write_series
from surgical_style_engine.volumes.volume import Volume

from .provenance import Described, synthetic_notes

if TYPE_CHECKING:
    from surgical_style_engine.imageio.dicom.source import SourceSeries

    from .card import ModelCard


def check_target(card: ModelCard, direction: str) -> DicomTarget:
    """Find the domain a translation ends in.

    Args:
        card: The model's.
        direction: "forward" or "backward".

    Returns:
        What a DICOM series says of that domain.

    Raises:
        InputError: If no DICOM series can hold it.
    """
    domain = card.domain_to(direction)
    target = DicomTarget(domain.name, domain.modality, domain.units, domain.channels, card.name)
    check_holds(target)
    return target


def write_dicom_series(  # noqa: PLR0913 - one keyword a thing that the header says of the translation
    volume: Volume,
    source: SourceSeries,
    output: Path,
    card: ModelCard,
    direction: str,
    *,
    strength: float = 1.0,
    masked: bool = False,
    mixed: bool = False,
    deidentify: bool = False,
    adjustments: Described | None = None,
    doubts: Mapping[str, str] | None = None,
) -> None:
    """Write the translation of a series into a new folder, whole or not at all; see ``imageio.dicom.write``.

    Args:
        volume: (1, z, y, x) in the units of the domain it ends in, on the source's grid.
        source: The headers of the series it was made of.
        output: The new folder.
        card: The model's.
        direction: "forward" or "backward".
        strength: Part of the translation in the blend with the input, 0 to 1.
        masked: Whether it was blended inside a mask only.
        mixed: ``Translation.mixed``; the header then states no units (RescaleType US) and says so.
        deidentify: Leave out what could say whose image it is (the confidentiality profile's basic table).
        adjustments: What else was done.
        doubts: What of the input was not what the model takes, as ``misfit_notes`` gives it.

    Raises:
        InputError: For a volume or a model that DICOM cannot hold.
        StyleTransferError: When writing fails, after which no new file is left.
    """
    target = check_target(card, direction)
    domain = card.domain_to(direction)
    is_blended = strength < 1 or masked or (adjustments is not None and adjustments.match is not None)
    landmarks = domain.inverse
    if is_blended and not domain.units and _has_range(volume):
        landmarks = domain.normalization.fit(volume.array)  # where the input shows through, units are this volume's own
    notes = {**synthetic_notes(card, direction, strength, adjustments), **(doubts or {})}
    derivation = Derivation(notes, direction, (landmarks.low, landmarks.high), masked, mixed, deidentify)
    write_series(volume, source, output, target, derivation)


def _has_range(volume: Volume) -> bool:
    """Whether values differ and all are finite, so that landmarks can be fitted."""
    low, high = float(volume.array.min(initial=math.inf)), float(volume.array.max(initial=-math.inf))
    return math.isfinite(low) and math.isfinite(high) and low < high
