"""What a file says of its image: modality, contrast, contrast agent, and whether it is synthetic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .kinds import (
    CT,
    FLAIR,
    IMAGING,
    NOT_KNOWN,
    OTHER,
    T1W,
    T1W_GD,
    T2W,
    kind_of_modality,
    kind_of_words,
    plain_modality,
    says_synthetic,
)

SYNTHETIC = "Synthetic"  # the field of our own headers: "yes"
# Bounds in ms for spin echoes and fast spin echoes; textbook values with room for 0.5 to 3 T.
SHORT_TE, LONG_TE = 35.0, 60.0
SHORT_TR, LONG_TR = 1200.0, 2000.0
FLAIR_TI = 1500.0  # fluid is nulled from here on; an inversion before a gradient echo (MPRAGE) is shorter
_NO_AGENT = {"", "no", "none", "without", "n", "no contrast", "nein"}


@dataclass(frozen=True)
class Statement:
    """What one source says.

    Attributes:
        kind: one of KINDS; NOT_KNOWN where the source only says something else.
        source: which it is: "the header (EchoTime 98 ms)", "the file's name".
        modality: DICOM's code, where the source states one.
    """

    kind: str
    source: str
    modality: str = ""


def header_statement(metadata: Mapping[str, str]) -> Statement | None:
    """What the DICOM header says: by the modality, else by times of the sequence, else by the series description.

    Args:
        metadata: harmless tags by name, as reading keeps them.

    Returns:
        None where there is no such header.
    """
    modality = metadata.get("Modality", "").strip().upper()
    if modality and plain_modality(modality) not in IMAGING:
        kind = kind_of_modality(modality)  # photographs, and what could be anything
        return Statement(kind, f"the header (Modality {modality})") if kind else None
    description = metadata.get("SeriesDescription", "")
    if modality and modality != "MR":
        return Statement(kind_of_modality(modality), f"the header (Modality {modality})", modality)
    timed, facts = _kind_of_times(metadata)
    described = kind_of_words(description)
    agent = metadata.get("ContrastBolusAgent", "").strip()
    has_agent = agent.lower() not in _NO_AGENT
    if described == OTHER:
        return Statement(OTHER, f"the header (SeriesDescription {description!r})", modality or "MR")
    kind, source = (timed, facts) if timed else (described, f"SeriesDescription {description!r}")
    if kind == T1W and (has_agent or described == T1W_GD):
        return Statement(T1W_GD, f"the header ({source}, with contrast agent)", modality or "MR")
    if kind:
        return Statement(kind, f"the header ({source})", modality or "MR")
    return Statement(NOT_KNOWN, f"the header (Modality {modality})", modality) if modality else None


def name_statement(name: str) -> Statement | None:
    """What the name of a file or a node says; None where it says nothing."""
    kind = kind_of_words(name)
    if not kind:
        return None
    return Statement(kind, f"the name {name!r}", "CT" if kind == CT else "")


def is_marked_synthetic(metadata: Mapping[str, str]) -> str:
    """By which mark an image says that it is synthetic; empty where it says nothing."""
    if metadata.get(SYNTHETIC, "").strip().lower() == "yes":
        return "its header"
    return "its description" if says_synthetic(metadata.get("SeriesDescription", "")) else ""


def _kind_of_times(metadata: Mapping[str, str]) -> tuple[str, str]:
    """The contrast by echo, repetition and inversion time, and which of them decided; empty where they do not."""
    echo, repetition, inversion = (
        _milliseconds(metadata, tag) for tag in ("EchoTime", "RepetitionTime", "InversionTime")
    )
    sequence = metadata.get("ScanningSequence", "").upper().split("\\")
    if math.isnan(echo):
        return NOT_KNOWN, ""
    if inversion >= FLAIR_TI and echo >= LONG_TE:
        return FLAIR, f"EchoTime {echo:g} ms, InversionTime {inversion:g} ms"
    if "EP" in sequence:
        return OTHER, "an echo-planar sequence"
    if echo <= SHORT_TE and (repetition <= SHORT_TR or inversion > 0 and "GR" in sequence):
        is_gradient = "GR" in sequence and "SE" not in sequence
        if is_gradient and echo > 15:
            return OTHER, f"a gradient echo at {echo:g} ms"
        return T1W, f"EchoTime {echo:g} ms, RepetitionTime {repetition:g} ms"
    if echo >= LONG_TE and repetition >= LONG_TR and not inversion > 0:
        return T2W, f"EchoTime {echo:g} ms, RepetitionTime {repetition:g} ms"
    if echo <= SHORT_TE and repetition >= LONG_TR and not inversion > 0 and "GR" not in sequence:
        return OTHER, f"EchoTime {echo:g} ms, RepetitionTime {repetition:g} ms"
    return NOT_KNOWN, ""


def _milliseconds(metadata: Mapping[str, str], tag: str) -> float:
    try:
        value = float(metadata.get(tag, "").split("\\")[0])
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and value > 0 else math.nan
