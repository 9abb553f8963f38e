"""What a derived DICOM series is to say of the image it holds, and whether it can hold it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from surgical_style_engine.errors import InputError

from .tags import RADIOGRAPHS, SOP_CLASSES


@dataclass(frozen=True)
class DicomTarget:
    """The domain of a derived series.

    Attributes:
        name: Of the domain, such as "T2w".
        modality: Such as "MR"; empty if the model states none.
        units: "HU", or empty for arbitrary ones.
        channels: 1 for grey values, 3 for colours.
        model: The model's name, for messages.
    """

    name: str
    modality: str
    units: str = ""
    channels: int = 1
    model: str = ""


@dataclass(frozen=True)
class Derivation:
    """How the image of a derived series was made.

    Attributes:
        notes: Header fields by name, as ``models.provenance.synthetic_notes`` gives them.
        direction: "forward" or "backward".
        window: Lowest and highest value, in units, that a viewer is to show.
        masked: Whether it was blended with the input inside a mask only.
        deidentify: Whether the series is to name no one, see ``confidentiality``.
        mixed: Whether input and translation have different units and are blended; no units are stated then.
    """

    notes: dict[str, str]
    direction: str
    window: tuple[float, float]
    masked: bool = False
    mixed: bool = False
    deidentify: bool = False


def class_of(modality: str) -> str:
    """Return the key in SOP_CLASSES that a modality is written as; a modality without one as it is."""
    modality = modality.strip().upper()
    return "CR" if modality in RADIOGRAPHS else modality


def check_holds(target: DicomTarget) -> None:
    """Raise InputError if no DICOM series can hold an image of this domain."""
    if target.channels != 1:
        raise InputError(f"The model {target.model} gives colour images, which DICOM output cannot hold; write a file.")
    if class_of(target.modality) not in SOP_CLASSES:
        stated = f"'{target.modality}'" if target.modality else "no modality"
        raise InputError(
            f"DICOM output is for MR, CT and radiographs; the model {target.model} states {stated} for {target.name}."
        )


def check_output_folder(output: Path) -> None:
    """Raise InputError unless the name is free or that of an empty folder."""
    if output.is_dir():
        if any(output.iterdir()):
            raise InputError(f"The output folder {output} is not empty; name a new one.")
    elif output.exists() or output.is_symlink():
        raise InputError(f"The DICOM output {output} is to be a folder, and it is a file.")
