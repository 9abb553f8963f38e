"""The tags of a derived DICOM series.

Headers are built from a list of what still holds (whose image it is, which study, where the slices lie), not copied and
corrected: what scanners write of an acquisition, private tags included, would be false of a synthetic image.
"""

from __future__ import annotations

import re
import unicodedata
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from surgical_style_engine.common.clean_text import clean
from surgical_style_engine.common.version import __version__
from surgical_style_engine.imageio.provenance import summary

from .confidentiality import OF_THE_PATIENT
from .scale import Scale, decimal_string
from .source import SourceSlice
from .tags import (
    EMPTY_IF_UNKNOWN,
    EMPTY_IF_UNKNOWN_OF_RADIOGRAPHS,
    EQUIPMENT,
    KEPT,
    LOSSY,
    NOT_OF_RADIOGRAPHS,
    NOT_OF_THE_PATIENT,
    OF_RADIOGRAPHS,
    SOFTWARE,
    SOP_CLASSES,
    TEXT_VRS,
    TRIAL_GROUP,
    UNKNOWN_OF_CLASS,
)
from .target import Derivation, DicomTarget, class_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_MIXED = "Input and translation have different units and are blended: the values are no measurements"
_SOFT_TISSUE_HU = (-160.0, 240.0)  # window beside that of the model's range, which is too wide to see much in


@dataclass(frozen=True)
class _Window:
    """What a viewer is to show: values from ``low`` to ``high``, in units."""

    low: float
    high: float
    explanation: str


def series_tags(sources: list[SourceSlice], target: DicomTarget, derivation: Derivation, scale: Scale) -> Dataset:
    """Build what all files of the new series have in common.

    Args:
        sources: The headers of the series it was made of.
        target: The domain it is in.
        derivation: How it was made.
        scale: How its values are stored.

    Returns:
        The tags, with new UIDs.
    """
    from pydicom.dataset import Dataset
    from pydicom.uid import generate_uid

    modality = class_of(target.modality)
    first = sources[0]
    now = datetime.now(_timezone(first.header))
    out = Dataset()
    out.SOPClassUID, kind = SOP_CLASSES[modality]
    out.Modality = modality
    out.ImageType = ["DERIVED", "SECONDARY", kind, "SYNTHETIC"]
    out.add_new(0x0008001C, "CS", "YES")  # SyntheticData, which older dictionaries lack
    out.SeriesInstanceUID = generate_uid(prefix=None)
    out.SeriesNumber = _series_number(first.header)
    out.SeriesDate = out.ContentDate = out.InstanceCreationDate = now.strftime("%Y%m%d")
    out.SeriesTime = out.ContentTime = out.InstanceCreationTime = now.strftime("%H%M%S.%f")
    out.SeriesDescription = _plain(_short(derivation.notes), 64)
    out.Manufacturer = out.ManufacturerModelName = SOFTWARE
    out.SoftwareVersions = __version__
    _add_derivation(out, derivation, first, len(sources), now)
    out.BurnedInAnnotation = "NO"
    out.SamplesPerPixel, out.PhotometricInterpretation = 1, "MONOCHROME2"
    out.BitsAllocated = out.BitsStored = 16
    out.HighBit, out.PixelRepresentation = 15, int(scale.signed)
    is_in_hu = target.units == "HU" and not derivation.mixed
    if modality == "CT" or not scale.is_identity:
        # MR images have none by the standard; there they come only where whole numbers are too coarse.
        out.RescaleIntercept, out.RescaleSlope = decimal_string(scale.intercept), decimal_string(scale.slope)
        out.RescaleType = "HU" if is_in_hu else "US"
    windows = [_Window(*derivation.window, "TARGET DOMAIN")]
    if is_in_hu:
        windows.insert(0, _Window(*_SOFT_TISSUE_HU, "SOFT TISSUE"))
    out.WindowCenter = [decimal_string((window.low + window.high) / 2) for window in windows]
    out.WindowWidth = [decimal_string(max(window.high - window.low, 1e-6)) for window in windows]
    out.WindowCenterWidthExplanation = [window.explanation for window in windows]
    for keyword, value in UNKNOWN_OF_CLASS.get(modality, {}).items():
        setattr(out, keyword, value)
    return out


def _add_derivation(out: Dataset, derivation: Derivation, first: SourceSlice, count: int, now: datetime) -> None:
    """Say in words, as a code and by the equipment how the image was made of ``count`` images."""
    notes = derivation.notes
    adjusted = f", {notes['SyntheticAdjustments']}" if "SyntheticAdjustments" in notes else ""
    description = (
        f"Synthetic image, not acquired: {notes['SyntheticTo']} made from {notes['SyntheticFrom']} by style transfer "
        f"with the model {notes['StyleModel']} (SHA-256 of its weights {notes['StyleModelSHA256']}), direction "
        f"{derivation.direction}, strength {notes['SyntheticStrength']}"
        f"{', inside a mask' if derivation.masked else ''}{adjusted}, from "
        f"{count} image{'' if count == 1 else 's'} of the source series, by {SOFTWARE} {__version__}."
    )
    description += f" {_MIXED}." if derivation.mixed else ""
    warning = f"{_MIXED}. " if derivation.mixed else ""
    warning += "".join(f"{notes[key]} " for key in ("SyntheticForced", "SyntheticDoubts") if key in notes)
    out.DerivationDescription = _plain(f"{description} {notes['IntendedUse']}", 1024)
    out.ImageComments = _plain(f"SYNTHETIC IMAGE. {warning}{notes['IntendedUse']}", 1024)
    out.DerivationCodeSequence = [_code("STYLE_TRANSFER", "99SST", "Synthetic image by style transfer")]
    out.ContributingEquipmentSequence = _equipment(first, now, description)


def slice_file(source: SourceSlice, common: Dataset, pixels: np.ndarray, number: int) -> Dataset:
    """Build one file of the new series.

    Args:
        source: The header of the slice it was made of.
        common: ``series_tags``.
        pixels: (y, x) int16 or uint16, as they are stored.
        number: InstanceNumber.

    Returns:
        ``common``, what is kept of the source's header, a new UID, references to the source, and the pixels.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    out = Dataset()
    _keep(source, out, is_radiograph=common.Modality == "CR")
    out.update(common)
    if str(source.header.get("BurnedInAnnotation", "")).strip() == "YES":
        out.BurnedInAnnotation = "YES"  # text in the picture is still there after a translation, if harder to read
    out.SOPInstanceUID = generate_uid(prefix=None)
    out.InstanceNumber = number
    _refer(source.header, out)
    out.Rows, out.Columns = pixels.shape
    out.add_new("PixelData", "OW", np.ascontiguousarray(pixels).tobytes())
    # So that the bytes of copied text are not taken for another character set's.
    out.set_original_encoding(False, True, source.header.original_character_set)
    # The rest of the file's head is taken from the tags when it is written.
    out.file_meta = FileMetaDataset()
    out.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return out


def _keep(source: SourceSlice, out: Dataset, is_radiograph: bool) -> None:
    """Take over what still holds: the patient, the study, what was imaged and where."""
    from pydicom.tag import Tag

    of_trial = [tag for tag in source.raw if tag.group == TRIAL_GROUP and tag not in NOT_OF_THE_PATIENT]
    kept, empty = [*OF_THE_PATIENT, *KEPT], list(EMPTY_IF_UNKNOWN)
    if is_radiograph:
        kept = [keyword for keyword in (*kept, *OF_RADIOGRAPHS) if keyword not in NOT_OF_RADIOGRAPHS]
        empty = [keyword for keyword in EMPTY_IF_UNKNOWN if keyword not in NOT_OF_RADIOGRAPHS]
        empty += EMPTY_IF_UNKNOWN_OF_RADIOGRAPHS
    for tag in (*of_trial, *(Tag(keyword) for keyword in kept)):
        _copy(source, out, tag)
    if str(source.header.get("LossyImageCompression", "")) == "01":
        # Once lossy, always lossy: what the first compression lost, the translation does not have either.
        for keyword in LOSSY:
            _copy(source, out, Tag(keyword))
    for keyword in empty:
        if keyword not in out:
            setattr(out, keyword, None)
    if not any(keyword in out for keyword in ("BodyPartExamined", "Laterality", "ImageLaterality")):
        out.Laterality = None  # it could be a paired organ


def _refer(header: Dataset, out: Dataset) -> None:
    """Name the image and the series that it was made of."""
    from pydicom.dataset import Dataset

    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    image = Dataset()
    image.update(reference)
    image.SpatialLocationsPreserved = "YES"
    image.PurposeOfReferenceCodeSequence = [_code("121322", "DCM", "Source image for image processing operation")]
    out.SourceImageSequence = [image]
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = header.SeriesInstanceUID, [reference]
    out.ReferencedSeriesSequence = [series]


def _copy(source: SourceSlice, out: Dataset, tag: Any) -> None:
    """Take one element over, if the source has it; text byte for byte, sequences without private tags."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    element = source.raw.get(tag)
    if element is None or not dictionary_has_tag(tag):
        return
    vr = dictionary_VR(tag) if element.VR in (None, "UN") else element.VR
    if element.is_raw and vr in TEXT_VRS:
        value = element.value or b""
        value += b"" if len(value) % 2 == 0 else b"\0" if vr == "UI" else b" "
        out[tag] = element._replace(VR=vr, value=value, length=len(value), is_implicit_VR=False, is_little_endian=True)
        return
    element = deepcopy(source.header[tag])
    if element.VR == "SQ":
        for item in element.value:
            item.remove_private_tags()
    out[tag] = element


def _equipment(first: SourceSlice, now: datetime, description: str) -> list[Dataset]:
    """ContributingEquipmentSequence: what the source names, the scanner, and this software."""
    from pydicom.dataset import Dataset
    from pydicom.tag import Tag

    items = [deepcopy(item) for item in first.header.get("ContributingEquipmentSequence") or []]
    for item in items:
        item.remove_private_tags()
    if str(first.header.get("Manufacturer") or ""):
        scanner = Dataset()
        for keyword in EQUIPMENT:
            if first.header.get(keyword):
                _copy(first, scanner, Tag(keyword))
        scanner.set_original_encoding(False, True, first.header.original_character_set)
        scanner.PurposeOfReferenceCodeSequence = [_code("109101", "DCM", "Acquisition Equipment")]
        items.append(scanner)
    software = Dataset()
    software.Manufacturer = software.ManufacturerModelName = SOFTWARE
    software.SoftwareVersions = __version__
    software.ContributionDateTime = now.strftime("%Y%m%d%H%M%S.%f%z")
    software.ContributionDescription = _plain(description, 1024)
    software.PurposeOfReferenceCodeSequence = [_code("109102", "DCM", "Processing Equipment")]
    return [*items, software]


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _timezone(header: Dataset) -> timezone | None:
    """The header's own, which holds for every time in it; None is this machine's."""
    offset = re.fullmatch(r"([+-])(\d\d)([0-5]\d)", str(header.get("TimezoneOffsetFromUTC", "")).strip())
    if offset is None:
        return None
    ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
    return timezone(-ahead if offset[1] == "-" else ahead) if ahead < timedelta(hours=24) else None


def _series_number(header: Dataset) -> int | None:
    """Behind the source's in lists: 2 becomes 1002."""
    try:
        return int(header.SeriesNumber) % 100_000 + 1000
    except (ValueError, TypeError, AttributeError):
        return None


def _short(notes: dict[str, str]) -> str:
    """A summary of 64 characters, its digest kept."""
    text = summary({**notes, "StyleModelSHA256": ""})
    return f"{text[:51].strip()} {notes['StyleModelSHA256'][:12]}"


def _plain(text: str, longest: int) -> str:
    """Text that every character set of DICOM has, without backslashes, which part values."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = clean(plain, "header")
    return " ".join(plain.replace("\\", "/").split())[:longest]
