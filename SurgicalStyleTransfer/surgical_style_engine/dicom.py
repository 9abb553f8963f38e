"""DICOM: one series of a folder, or a single file, as a volume. Nothing that names a patient is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .errors import InputError
from .volume import Volume

DICOM_ENDINGS = (".dcm", ".ima")
# Tags that say what an image is; anything that could say whose it is stays behind.
_HARMLESS_TAGS = {
    "0008|0060": "Modality",
    "0008|103e": "SeriesDescription",
    "0018|0050": "SliceThickness",
    "0028|0004": "PhotometricInterpretation",
    "0028|1054": "RescaleType",
    "0054|1001": "Units",
}
# Name, identifiers, other names, birth date: read only to keep them out of the description.
_PATIENT_TAGS = ("0010|0010", "0010|0020", "0010|1000", "0010|1001", "0010|0030", "0008|0050")
_WORD = re.compile(r"[^\W_]+")
# Radiographs and photographs have no place in the patient: plane pictures, stored as volumes of one slice.
_PICTURE_MODALITIES = {"CR", "DX", "ES", "GM", "IO", "MG", "OP", "OT", "PX", "RF", "SC", "XA", "XC"}
_UNEVEN = 0.01  # part of the slice distance from which uneven slices are worth a warning
_MISSING = 1.5  # times the usual distance: at least one slice is not there


@dataclass(frozen=True)
class _Header:
    """What one file says before its pixels are read. tags: the harmless ones."""

    file: str
    size: tuple[int, ...]
    components: int
    position: np.ndarray
    direction: np.ndarray
    tags: dict[str, str]

    @property
    def is_picture(self) -> bool:
        return self.size[2:] == (1,) and self.tags.get("Modality") in _PICTURE_MODALITIES


def is_dicom(path: Path | str) -> bool:
    """Whether a file has DICOM's mark at byte 128; scanners often leave the ending out. A DICOMDIR is no image."""
    path = Path(path)
    try:
        if path.name.upper() == "DICOMDIR" or not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_dicom_file(path: Path) -> Volume:
    """A single DICOM file: one slice, a radiograph, or a multi-frame volume. Raises InputError."""
    header = _header(str(path))
    if header is None:
        raise InputError(f"The file {path} cannot be read as a DICOM image: it is damaged or holds no image.")
    return _volume(_pixels([header], f"The file {path}"), header.tags, header.is_picture)


def read_dicom_folder(folder: Path, series: str | None = None) -> Volume:
    """The DICOM series directly in a folder; ``series`` (a UID) picks one of several.

    Slices are ordered along their normal. Slightly uneven or tilted slices give metadata["Warning"]. Raises InputError
    for no series, several of them (listed with description, number of files and UID), damaged files, missing slices,
    several images at one place (time points, echoes), and slices of different size or orientation.
    """
    import SimpleITK as sitk

    files = {uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
             for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))}  # fmt: skip
    # Reports, contours and registrations are DICOM series without pixels.
    firsts = {uid: _header(names[0]) for uid, names in files.items()}
    images = {uid: first for uid, first in firsts.items() if first is not None}
    if not images:
        raise InputError(f"The folder {folder} holds no DICOM images that can be read.")
    if series is None and len(images) > 1:
        listed = "; ".join(
            f"'{first.tags.get('SeriesDescription') or 'no description'}' "
            f"({len(files[uid])} {'file' if len(files[uid]) == 1 else 'files'}, UID {uid})"
            for uid, first in images.items()
        )
        raise InputError(f"The folder {folder} holds {len(images)} series, choose one by its UID: {listed}.")
    chosen = next(iter(images)) if series is None else series
    if chosen not in images:
        raise InputError(f"The folder {folder} holds no image series {series}.")
    _refuse_lost_files(folder, chosen, {Path(name).name for names in files.values() for name in names})
    return _stack(files[chosen], f"The DICOM series in {folder}")


def _refuse_lost_files(folder: Path, series: str, listed: set[str]) -> None:
    """GDCM leaves truncated images out of their series without a word, so that a volume would just be shorter."""
    for path in sorted(folder.iterdir()):
        if path.name in listed or not is_dicom(path):
            continue
        data = path.read_bytes()
        # Only images have Rows (0028,0010), in explicit or implicit notation; reports and contours have none.
        if series.encode() in data and (b"\x28\x00\x10\x00US\x02\x00" in data or b"\x28\x00\x10\x00\x02" in data):
            raise InputError(f"The DICOM series in {folder} has a damaged or truncated file, {path.name}.")


def _stack(names: tuple[str, ...], what: str) -> Volume:
    headers = []
    for name in names:
        header = _header(name)
        if header is None:
            raise InputError(f"{what} has a damaged file, {Path(name).name}.")
        headers.append(header)
    first = headers[0]
    if len(headers) == 1:
        return _volume(_pixels(headers, what), first.tags, first.is_picture)
    if any(h.size != first.size or h.components != first.components for h in headers) or first.size[2] != 1:
        raise InputError(f"{what} has images of different size, which make no single volume.")
    if any(not np.allclose(h.direction, first.direction, atol=1e-3) for h in headers):
        raise InputError(f"{what} has images of different orientation, which make no single volume.")
    normal = first.direction[:, 2]
    headers.sort(key=lambda h: float(h.position @ normal))
    gaps = np.diff([float(h.position @ normal) for h in headers])
    usual = float(np.median(gaps))
    if gaps.min() < max(1e-3, 0.05 * usual):
        raise InputError(f"{what} has several images at one place (time points or echoes?), not one volume.")
    if gaps.max() > _MISSING * usual:
        lost = int(np.sum(np.round(gaps / usual) - 1))
        raise InputError(
            f"{what} lacks about {max(lost, 1)} slices: they are {usual:.2f} mm apart, but {gaps.max():.2f} mm once."
        )
    image = _pixels(headers, what)
    # End to end the distances add up, however uneven they are; what readers take differs between ITK's versions.
    image.SetSpacing((*image.GetSpacing()[:2], float(gaps.mean())))
    tags = dict(first.tags)
    warning = _unevenness(gaps, headers, normal)
    if warning:
        tags["Warning"] = warning
    return _volume(image, tags, False)


def _unevenness(gaps: np.ndarray, headers: list[_Header], normal: np.ndarray) -> str:
    path = headers[-1].position - headers[0].position
    sideways = float(np.linalg.norm(path - (path @ normal) * normal))
    if sideways > max(0.01 * float(np.linalg.norm(path)), 0.1):
        return (
            f"The slices are shifted against each other by {sideways:.1f} mm in all (tilted gantry); "
            "they are stacked as if they were not."
        )
    if gaps.max() - gaps.min() > max(_UNEVEN * float(gaps.mean()), 1e-2):
        return f"The slices are {gaps.min():.2f} to {gaps.max():.2f} mm apart; {gaps.mean():.2f} mm is used."
    return ""


def _header(name: str) -> _Header | None:
    """None for files without pixels and for damaged ones."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(name)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    dimension = reader.GetDimension()
    if dimension != 3:
        return None
    tags = {tag: _text(reader, key) for key, tag in _HARMLESS_TAGS.items()}
    # The description is free text, where some type the patient's name.
    if _names_patient(tags["SeriesDescription"], " ".join(_text(reader, key) for key in _PATIENT_TAGS)):
        del tags["SeriesDescription"]
    tags = {tag: text for tag, text in tags.items() if text}
    return _Header(
        name, tuple(reader.GetSize()), reader.GetNumberOfComponents(), np.asarray(reader.GetOrigin()),
        np.asarray(reader.GetDirection()).reshape(3, 3), tags,
    )  # fmt: skip


def _text(reader, key: str) -> str:
    """A tag's text, empty if it is not there. Old files may hold bytes of any character set."""
    if not reader.HasMetaDataKey(key):
        return ""
    return reader.GetMetaData(key).encode("utf-8", "replace").decode("utf-8", "replace").strip(" \0")


def _names_patient(text: str, patient: str) -> bool:
    """Whether a word of the patient's name or identifiers is one of the text's; longer ones count anywhere in it."""
    words = set(_WORD.findall(text.lower()))
    known = [word for word in _WORD.findall(patient.lower()) if len(word) > 1]
    return any(word in words or len(word) > 3 and word in text.lower() for word in known)


def _pixels(headers: list[_Header], what: str):
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader() if len(headers) > 1 else sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    if len(headers) > 1:
        reader.SetFileNames([header.file for header in headers])
    else:
        reader.SetFileName(headers[0].file)
    try:
        return reader.Execute()
    except RuntimeError:
        raise InputError(f"{what} is damaged or truncated.") from None


def _volume(image, tags: dict[str, str], is_picture: bool) -> Volume:
    return replace(Volume.from_sitk(image, tags), is_2d=is_picture)
