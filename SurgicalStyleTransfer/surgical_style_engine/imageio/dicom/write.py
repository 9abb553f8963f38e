"""DICOM output: the translation of a series as a new series of the same study, derived from the source's headers.

Headers are built from a list of what still holds (whose image it is, which study, where the slices lie), not copied and
corrected: what scanners write of an acquisition, private tags included, would be false of a synthetic image.
"""

from __future__ import annotations

import math
import re
import shutil
import unicodedata
import uuid
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surgical_style_engine import __version__
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.provenance import summary, synthetic_notes
from surgical_style_engine.imageio.volume_io import read_volume, silent_itk
from surgical_style_engine.volumes.volume import Volume

from .frames import silent_pydicom
from .read import is_dicom

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from surgical_style_engine.adjust.options import Adjustments
    from surgical_style_engine.models.folder import Direction, Domain, ModelCard

SOFTWARE = "SurgicalStyleTransfer"
# What a domain's modality is written as: SOP class, and the third value of ImageType that the class allows.
_CLASSES = {
    "MR": ("1.2.840.10008.5.1.4.1.1.4", "OTHER"),
    "CT": ("1.2.840.10008.5.1.4.1.1.2", "AXIAL"),
    "CR": ("1.2.840.10008.5.1.4.1.1.1", "OTHER"),
}
# All radiographs become CR images: the classes of digital X-ray demand what only a detector can say.
_RADIOGRAPHS = {"CR", "DX", "DR", "RG"}
_LEAST_STEPS = 255  # between darkest and brightest voxel for whole numbers to be fine enough where units are arbitrary
_MIXED = "Input and translation have different units and are blended: the values are no measurements"
_SOFT_TISSUE_HU = (-160.0, 240.0)  # window beside that of the model's range, which is too wide to see much in
_PATIENT_GROUPS = (0x0010, 0x0012)  # patient, and the trial they are in
_NOT_OF_THE_PATIENT = (0x00120071, 0x00120072)  # what the trial calls the source series
# Kept where the source has them: character set and time zone, study, what was imaged and when, place.
_KEPT = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "ReferringPhysicianName",
    "ConsultingPhysicianName",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "ProcedureCodeSequence",
    "ReferencedStudySequence",
    "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "AcquisitionNumber",
    "BodyPartExamined",
    "AnatomicRegionSequence",
    "Laterality",
    "ImageLaterality",
    "PatientPosition",
    "AnatomicalOrientationType",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SliceLocation",
    "RecognizableVisualFeatures",
    "LongitudinalTemporalInformationModified",
)
# Must be there, but may be empty.
_EMPTY_IF_UNKNOWN = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "PatientPosition",
    "PositionReferenceIndicator",
    "SliceThickness",
    "AcquisitionNumber",
)
_NEEDED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
)
# Radiographs have no place in the patient; instead of the tags that say it, these are kept.
_NEEDED_OF_RADIOGRAPHS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Rows",
    "Columns",
)
_NOT_OF_RADIOGRAPHS = {
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SliceLocation",
    "PatientPosition",
    "AcquisitionNumber",
    "AnatomicRegionSequence",
    "RecognizableVisualFeatures",
    "LongitudinalTemporalInformationModified",
}
_OF_RADIOGRAPHS = (
    "ViewPosition",
    "PatientOrientation",
    "ImagerPixelSpacing",
    "PixelSpacingCalibrationType",
    "PixelSpacingCalibrationDescription",
)
_EMPTY_IF_UNKNOWN_OF_RADIOGRAPHS = ("BodyPartExamined", "ViewPosition", "PatientOrientation")
_NUMBERS = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
_ONE_A_SERIES = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
_EQUIPMENT = (
    "Manufacturer",
    "InstitutionName",
    "StationName",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
)
# Type 1 and 2 of the MR image: a generator has no pulse sequence; "RM" is the standard's "research mode".
_MR_UNKNOWN = {
    "ScanningSequence": "RM",
    "SequenceVariant": "NONE",
    "ScanOptions": None,
    "MRAcquisitionType": None,
    "RepetitionTime": None,
    "EchoTime": None,
    "EchoTrainLength": None,
}
# Text is copied as bytes: decoded and encoded again, wrong character sets and the last digits would suffer.
_TEXT_VRS = frozenset("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split())


@dataclass(frozen=True)
class SourceSlice:
    """A file's tags without its pixels; raw: its elements by tag as they were read, text still bytes."""

    header: Dataset
    raw: dict[Any, Any]

    @property
    def position(self) -> np.ndarray:
        return np.array([float(value) for value in self.header.ImagePositionPatient])


@dataclass(frozen=True)
class SourceSeries:
    """The files of a series, in the order of the volume's slices; or a radiograph's one file."""

    slices: list[SourceSlice]
    is_radiograph: bool = False


@dataclass(frozen=True)
class Scale:
    """Stored whole numbers * slope + intercept = values in units. Both are exact as the text that a header holds."""

    slope: float = 1.0
    intercept: float = 0.0
    signed: bool = False

    @property
    def is_identity(self) -> bool:
        return self.slope == 1 and self.intercept == 0

    def stored(self, array: np.ndarray) -> np.ndarray:
        """Values in units -> int16 or uint16, rounded; same shape."""
        whole = np.rint((np.asarray(array, np.float64) - self.intercept) / self.slope)
        return whole.astype("<i2" if self.signed else "<u2")


def check_target(card: ModelCard, direction: Direction) -> Domain:
    """The domain a translation ends in. Raises InputError if no DICOM series can hold it."""
    goal = card.domain_to(direction)
    if goal.channels != 1:
        raise InputError(f"The model {card.name} gives colour images, which DICOM output cannot hold; write a file.")
    if _class_of(goal) not in _CLASSES:
        stated = f"'{goal.modality}'" if goal.modality else "no modality"
        raise InputError(
            f"DICOM output is for MR, CT and radiographs; the model {card.name} states {stated} for {goal.name}."
        )
    return goal


def _class_of(goal: Domain) -> str:
    """The key in _CLASSES; a modality without one as it is."""
    modality = goal.modality.strip().upper()
    return "CR" if modality in _RADIOGRAPHS else modality


def check_output_folder(output: Path) -> None:
    """Raise InputError unless the name is free or that of an empty folder."""
    if output.is_dir():
        if any(output.iterdir()):
            raise InputError(f"The output folder {output} is not empty; name a new one.")
    elif output.exists() or output.is_symlink():
        raise InputError(f"The DICOM output {output} is to be a folder, and it is a file.")


def open_series(folder: Path, volume: Volume, goal: Domain | None = None) -> SourceSeries:
    """The headers that belong to the slices of ``volume``, as ``read_volume(folder)`` gave it, paired by position.

    A radiograph (CR, DX) may also be given by its file. goal: the domain that is to be written; radiographs become
    radiographs. Raises InputError with one sentence where a series cannot be
    derived from them: no folder, multi-frame, other pictures without a place in the patient, missing or unreadable
    tags, several studies or frames of reference in one series.
    """
    folder = Path(folder)
    what = f"The DICOM series in {folder}"
    if volume.is_2d and goal is not None and _class_of(goal) != "CR":
        raise InputError(
            f"{what} is a plane picture without a place in the patient, which DICOM output of {goal.modality} needs."
        )
    if volume.is_2d and (is_dicom(folder) or folder.is_dir()):
        return _open_radiograph(folder, volume)
    if not folder.is_dir():
        raise InputError(f"DICOM output needs a folder with a DICOM series as input, and {folder} is none.")
    found = []
    for name in _image_files(folder):
        with silent_pydicom():
            source = _read_header(name)
            if source is None:
                continue
            if int(source.header.get("NumberOfFrames") or 1) > 1 or "PerFrameFunctionalGroupsSequence" in source.header:
                raise InputError(f"{what} is multi-frame; DICOM output is made of one file a slice.")
            if (tag := _unusable_tag(source.header)) is not None:
                raise InputError(f"{what} has no usable {tag} in {Path(name).name}, which DICOM output needs.")
        found.append(source)
    if not found:
        raise InputError(f"The folder {folder} holds no DICOM images that can be read.")
    for keyword in _ONE_A_SERIES:
        if len({str(source.header[keyword].value) for source in found}) > 1:
            raise InputError(f"{what} has files with different {keyword}, which make no single series.")
    return SourceSeries(_in_order_of(volume, found, what))


def is_radiograph(path: Path) -> bool:
    """Whether a file is a DICOM radiograph (CR, DX), by its header."""
    if not is_dicom(path):
        return False
    with silent_pydicom():
        source = _read_header(str(path))
        return source is not None and str(source.header.get("Modality", "")).strip().upper() in _RADIOGRAPHS


def _open_radiograph(path: Path, volume: Volume) -> SourceSeries:
    files = [str(path)] if path.is_file() else _image_files(path)
    with silent_pydicom():
        found = [source for source in map(_read_header, files) if source is not None]
        if len(found) != 1 or str(found[0].header.get("Modality", "")).strip().upper() not in _RADIOGRAPHS:
            raise InputError(
                f"The DICOM picture {path} is no single radiograph (CR or DX), and has no place in the patient, which "
                "DICOM output needs."
            )
        header = found[0].header
        if int(header.get("NumberOfFrames") or 1) > 1:
            raise InputError(f"The radiograph {path} is multi-frame; DICOM output is made of single frames.")
        for keyword in _NEEDED_OF_RADIOGRAPHS:
            if header.get(keyword) in (None, ""):
                raise InputError(f"The radiograph {path} has no usable {keyword}, which DICOM output needs.")
        if (header.Columns, header.Rows) != volume.size[:2]:
            raise InputError(f"The radiograph {path} has another size than its header says.")
    return SourceSeries(found, is_radiograph=True)


def write_dicom_series(
    volume: Volume,
    source: SourceSeries,
    output: Path,
    card: ModelCard,
    direction: Direction,
    *,
    strength: float = 1.0,
    masked: bool = False,
    mixed: bool = False,
    adjustments: Adjustments | None = None,
) -> None:
    """Write the translation ``volume`` of a series into the new folder ``output``, whole or not at all.

    volume: (1, z, y, x) in the units of the domain it ends in, on the source's grid. One file a slice, numbered in the
    source's order; Part 10, explicit VR little endian. strength, masked, adjustments: how it was blended with
    the input and adjusted. mixed: ``Translation.mixed``; the header then states no units (RescaleType US) and says so.
    Values are rounded to whole multiples of a step: 1 in HU, and where the units are arbitrary and 1 is fine enough.

    The folder gets its name when all of it reads back as the same grid and values. Raises InputError for a volume or a
    model that DICOM cannot hold, and StyleTransferError when writing fails, after which no new file is left.
    """
    goal = check_target(card, direction)
    output = Path(output).resolve()
    check_output_folder(output)
    if source.is_radiograph != (_class_of(goal) == "CR"):
        kinds = ("a radiograph", goal.modality) if source.is_radiograph else ("a series of slices", "radiographs")
        raise InputError(f"The input is {kinds[0]}, but the model {card.name} gives {kinds[1]}.")
    if volume.channels != 1 or volume.array.shape[1] != len(source.slices):
        raise InputError("The translation does not have one grey slice for each of the source's.")
    if not np.isfinite(volume.array).all():
        raise InputError(f"The output {output.name} would hold NaN or infinite values.")
    if not output.parent.is_dir():
        raise StyleTransferError(f"The folder {output.parent} of the output does not exist.")
    scale = choose_scale(float(volume.array.min()), float(volume.array.max()), goal.units == "HU")
    blended = strength < 1 or masked or (adjustments is not None and adjustments.match is not None)
    window = _window(goal, volume, blended, mixed)
    with silent_pydicom():
        common = _common(source.slices, card, direction, strength, masked, mixed, scale, window, adjustments)
    numbers = _instance_numbers(source.slices)
    temporary = output.with_name(f".{uuid.uuid4().hex[:12]}.partial")
    try:
        temporary.mkdir()
        with silent_pydicom():
            for place, index in enumerate(sorted(range(len(numbers)), key=numbers.__getitem__), start=1):
                made = _slice(source.slices[index], common, scale.stored(volume.array[0, index]), numbers[index])
                made.save_as(temporary / f"{place:04d}.dcm", enforce_file_format=True)
        _check_written(temporary, volume, scale)
        if output.is_dir():
            output.rmdir()
        temporary.rename(output)
    except OSError as error:
        raise StyleTransferError(f"The output {output} cannot be written: {error.strerror or 'failure'}.") from None
    except (ValueError, TypeError, AttributeError, NotImplementedError):
        # pydicom's own words may repeat values, and with them what names the patient.
        raise StyleTransferError(
            f"The output {output} cannot be written: the source's headers do not allow it."
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def choose_scale(low: float, high: float, is_hu: bool = False) -> Scale:
    """How values from ``low`` to ``high`` are stored in 16 bits.

    As they are (rounded to whole numbers) wherever they fit and that is fine enough, always in HU; otherwise in the
    smallest step of 1, 2 or 5 times a power of ten that the range fits.
    """
    if (is_hu or high - low >= _LEAST_STEPS) and -32768 <= low and high <= (32767 if low < 0 else 65535):
        return Scale(signed=low < 0)
    slope = _round_step((high - low) / 65000 or max(abs(low) * 1e-4, 1e-4))
    intercept = 0.0 if 0 <= low and high / slope <= 65000 else float(_decimal(math.floor(low / slope) * slope))
    return Scale(slope, intercept)


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below ``least``."""
    power = math.floor(math.log10(least))
    for exponent in (power, power + 1):
        for digit in (1, 2, 5):
            step = float(f"{digit}e{exponent}")
            if step >= least:
                return step
    raise AssertionError("a step of ten times the power is always larger")


def _decimal(value: float) -> str:
    """A number in the 16 characters of DICOM's decimal strings."""
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(value))


def _image_files(folder: Path) -> list[str]:
    """All files that make up DICOM series in a folder; the same library as for reading finds them."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader
    with silent_itk():
        series = reader.GetGDCMSeriesIDs(str(folder))
        return [name for uid in series for name in reader.GetGDCMSeriesFileNames(str(folder), uid)]


def _read_header(name: str) -> SourceSlice | None:
    """A file's tags before its pixels; None for what is no image (contours, reports)."""
    import pydicom

    try:
        # force: old files without DICOM's mark at byte 128, which the reader takes too.
        header = pydicom.dcmread(name, stop_before_pixels=True, force=True)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, NotImplementedError):
        return None
    # Looking at an element decodes it in its place.
    return SourceSlice(header, {tag: header.get_item(tag) for tag in header.keys()}) if "Rows" in header else None


def _unusable_tag(header: Dataset) -> str | None:
    """The first of the tags without which no series can be derived that is missing or not what it should be."""
    for keyword in _NEEDED:
        try:
            value = header.get(keyword)
            numbers = [float(each) for each in value or ()] if keyword in _NUMBERS else []
        except (ValueError, TypeError):
            return keyword
        if value in (None, "") or len(numbers) != _NUMBERS.get(keyword, 0) or not np.isfinite(numbers).all():
            return keyword
    return None


def _in_order_of(volume: Volume, found: list[SourceSlice], what: str) -> list[SourceSlice]:
    """Sorted along the normal, as the volume's slices are; InputError unless both are one and the same series."""
    axes = np.array([float(value) for value in found[0].header.ImageOrientationPatient]).reshape(2, 3)
    normal = np.cross(*axes)
    found = sorted(found, key=lambda source: float(source.position @ normal))
    count, depth = volume.size[2], volume.spacing[2] * (volume.size[2] - 1)
    if (
        len(found) != count
        or any((source.header.Columns, source.header.Rows) != volume.size[:2] for source in found)
        or not np.allclose([*axes, normal], np.asarray(volume.direction).T, atol=1e-3)
        or not np.allclose(found[0].position, volume.origin, atol=0.01)
        # In between, uneven slices may lie off the grid; their order is certain all the same.
        or not math.isclose(float((found[-1].position - found[0].position) @ normal), depth, abs_tol=0.01)
    ):
        raise InputError(f"{what} does not have one file for each of the volume's slices.")
    return found


def _instance_numbers(sources: list[SourceSlice]) -> list[int]:
    """The source's own numbers if they tell its slices apart, else 1, 2, 3."""
    with silent_pydicom():
        try:
            numbers = [int(source.header.InstanceNumber) for source in sources]
        except (ValueError, TypeError, AttributeError):
            numbers = []
    return numbers if len(set(numbers)) == len(sources) else list(range(1, len(sources) + 1))


def _window(goal: Domain, volume: Volume, blended: bool, mixed: bool) -> list[tuple[float, float, str]]:
    """(low, high, explanation) in units: the target domain's; where the input shows through, this volume's own."""
    landmarks = goal.inverse
    if blended and not goal.units and volume.array.min() < volume.array.max():
        landmarks = goal.normalization.fit(volume.array)
    whole = (landmarks.low, landmarks.high, "TARGET DOMAIN")
    return [(*_SOFT_TISSUE_HU, "SOFT TISSUE"), whole] if goal.units == "HU" and not mixed else [whole]


def _common(
    sources: list[SourceSlice],
    card: ModelCard,
    direction: Direction,
    strength: float,
    masked: bool,
    mixed: bool,
    scale: Scale,
    window: list[tuple[float, float, str]],
    adjustments: Adjustments | None = None,
) -> Dataset:
    """What all files of the new series have in common."""
    from pydicom.dataset import Dataset
    from pydicom.uid import generate_uid

    goal = card.domain_to(direction)
    modality = _class_of(goal)
    notes = synthetic_notes(card, direction, strength, adjustments)
    first = sources[0]
    now = datetime.now(_timezone(first.header))
    out = Dataset()
    out.SOPClassUID, kind = _CLASSES[modality]
    out.Modality = modality
    out.ImageType = ["DERIVED", "SECONDARY", kind, "SYNTHETIC"]
    out.add_new(0x0008001C, "CS", "YES")  # SyntheticData, which older dictionaries lack
    out.SeriesInstanceUID = generate_uid(prefix=None)
    out.SeriesNumber = _series_number(first.header)
    out.SeriesDate = out.ContentDate = out.InstanceCreationDate = now.strftime("%Y%m%d")
    out.SeriesTime = out.ContentTime = out.InstanceCreationTime = now.strftime("%H%M%S.%f")
    out.SeriesDescription = _plain(_short(notes), 64)
    out.Manufacturer = out.ManufacturerModelName = SOFTWARE
    out.SoftwareVersions = __version__
    adjusted = f", {notes['SyntheticAdjustments']}" if "SyntheticAdjustments" in notes else ""
    made = (
        f"Synthetic image, not acquired: {notes['SyntheticTo']} made from {notes['SyntheticFrom']} by style transfer "
        f"with the model {notes['StyleModel']} (SHA-256 of its weights {notes['StyleModelSHA256']}), direction "
        f"{direction}, strength {notes['SyntheticStrength']}{', inside a mask' if masked else ''}{adjusted}, from "
        f"{len(sources)} image{'' if len(sources) == 1 else 's'} of the source series, by {SOFTWARE} {__version__}."
    )
    made += f" {_MIXED}." if mixed else ""
    out.DerivationDescription = _plain(f"{made} {notes['IntendedUse']}", 1024)
    out.ImageComments = _plain(f"SYNTHETIC IMAGE. {_MIXED + '. ' if mixed else ''}{notes['IntendedUse']}", 1024)
    out.DerivationCodeSequence = [_code("STYLE_TRANSFER", "99SST", "Synthetic image by style transfer")]
    out.ContributingEquipmentSequence = _equipment(first, now, made)
    out.BurnedInAnnotation = "NO"
    out.SamplesPerPixel, out.PhotometricInterpretation = 1, "MONOCHROME2"
    out.BitsAllocated = out.BitsStored = 16
    out.HighBit, out.PixelRepresentation = 15, int(scale.signed)
    if modality == "CT" or not scale.is_identity:
        # MR images have none by the standard; there they come only where whole numbers are too coarse.
        out.RescaleIntercept, out.RescaleSlope = _decimal(scale.intercept), _decimal(scale.slope)
        out.RescaleType = "HU" if goal.units == "HU" and not mixed else "US"
    out.WindowCenter = [_decimal((low + high) / 2) for low, high, _ in window]
    out.WindowWidth = [_decimal(max(high - low, 1e-6)) for low, high, _ in window]
    out.WindowCenterWidthExplanation = [text for _, _, text in window]
    for keyword, value in {"MR": _MR_UNKNOWN, "CT": {"KVP": None}}.get(modality, {}).items():
        setattr(out, keyword, value)
    return out


def _slice(source: SourceSlice, common: Dataset, pixels: np.ndarray, number: int) -> Dataset:
    """One file: ``common``, what is kept of the source's header, and pixels (y, x)."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.tag import Tag
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    out = Dataset()
    header = source.header
    of_patient = [tag for tag in source.raw if tag.group in _PATIENT_GROUPS and tag not in _NOT_OF_THE_PATIENT]
    is_radiograph = common.Modality == "CR"
    kept, empty = _KEPT, _EMPTY_IF_UNKNOWN
    if is_radiograph:
        kept = [keyword for keyword in (*_KEPT, *_OF_RADIOGRAPHS) if keyword not in _NOT_OF_RADIOGRAPHS]
        empty = [keyword for keyword in _EMPTY_IF_UNKNOWN if keyword not in _NOT_OF_RADIOGRAPHS]
        empty += _EMPTY_IF_UNKNOWN_OF_RADIOGRAPHS
    for tag in (*of_patient, *(Tag(keyword) for keyword in kept)):
        _copy(source, out, tag)
    if str(header.get("LossyImageCompression", "")) == "01":
        # Once lossy, always lossy: what the first compression lost, the translation does not have either.
        for keyword in _LOSSY:
            _copy(source, out, Tag(keyword))
    for keyword in empty:
        if keyword not in out:
            setattr(out, keyword, None)
    if not any(keyword in out for keyword in ("BodyPartExamined", "Laterality", "ImageLaterality")):
        out.Laterality = None  # it could be a paired organ
    out.update(common)
    if str(header.get("BurnedInAnnotation", "")).strip() == "YES":
        out.BurnedInAnnotation = "YES"  # text in the picture is still there after a translation, if harder to read
    out.SOPInstanceUID = generate_uid(prefix=None)
    out.InstanceNumber = number
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
    out.Rows, out.Columns = pixels.shape
    out.add_new("PixelData", "OW", np.ascontiguousarray(pixels).tobytes())
    # So that the bytes of copied text are not taken for another character set's.
    out.set_original_encoding(False, True, header.original_character_set)
    # The rest of the file's head is taken from the tags when it is written.
    out.file_meta = FileMetaDataset()
    out.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return out


def _copy(source: SourceSlice, out: Dataset, tag: Any) -> None:
    """Take one element over, if the source has it; text byte for byte, sequences without private tags."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    element = source.raw.get(tag)
    if element is None or not dictionary_has_tag(tag):
        return
    vr = dictionary_VR(tag) if element.VR in (None, "UN") else element.VR
    if element.is_raw and vr in _TEXT_VRS:
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
        for keyword in _EQUIPMENT:
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
    found = re.fullmatch(r"([+-])(\d\d)([0-5]\d)", str(header.get("TimezoneOffsetFromUTC", "")).strip())
    if found is None:
        return None
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-ahead if found[1] == "-" else ahead) if ahead < timedelta(hours=24) else None


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
    return " ".join(plain.replace("\\", "/").split())[:longest]


def _check_written(folder: Path, volume: Volume, scale: Scale) -> None:
    """Only a series that gives back grid and values may take the final name. Raises StyleTransferError."""
    try:
        found = read_volume(folder)
    except InputError:
        raise StyleTransferError("The DICOM output cannot be read back; the disk may be full or failing.") from None
    bound = 0.5 * scale.slope * (1 + 1e-6) + np.finfo(np.float32).eps * float(np.abs(volume.array).max())
    if (
        found.array.shape != volume.array.shape
        or not np.allclose(found.spacing, volume.spacing, rtol=1e-9)
        or not np.allclose(found.origin, volume.origin, rtol=0, atol=1e-9)
        or not np.allclose(found.direction, volume.direction, rtol=0, atol=1e-9)
        or np.abs(found.array.astype(np.float64) - volume.array).max() > bound
    ):
        raise StyleTransferError("The DICOM output does not read back as the translation; nothing was kept.")
