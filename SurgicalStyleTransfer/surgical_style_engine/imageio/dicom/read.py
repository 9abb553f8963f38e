"""DICOM: one series of a folder, or a single file, as a volume. Nothing that names a patient is kept."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

from .frames import read_frames, stored_values

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
# Slices of these have one; without it they would lie anywhere, with pixels of 1 mm.
_PLACED_MODALITIES = {"CT", "MR", "PT"}
_PLACE_TAGS = {
    "0020|0032": ("ImagePositionPatient", 3),
    "0020|0037": ("ImageOrientationPatient", 6),
    "0028|0030": ("PixelSpacing", 2),
}
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Classes that state places frame by frame: enhanced and legacy converted CT, MR and PET, X-ray in 3-D.
_FRAME_KINDS = {
    _STORAGE + kind for kind in ("2.1", "2.2", "4.1", "4.3", "4.4", "128.1", "130", "13.1.1", "13.1.2", "13.1.3")
}
_SECONDARY_CAPTURE = f"{_STORAGE}7"  # and .7.1 to .7.4: screenshots, reports as images, scanned films
_SEGMENTATION = re.compile(re.escape(f"{_STORAGE}66.4").encode() + rb"(?![0-9.])")
# How far, in pixels, the farthest corner of a slice may move by its own orientation and pixel spacing.
_SAME_GRID = 0.05
_SIMILAR_GRID = 0.5
_RIGHT_ANGLE = 0.01  # cosine up to which axes are at right angles but for rounding
_UNEVEN = 0.01  # part of the slice distance from which uneven slices are worth a warning
_MISSING = 1.5  # times the usual distance: at least one slice is not there


@dataclass(frozen=True)
class _Header:
    """What a file says of its image, or of one of its frames, before its pixels are read.

    size: of the image, (x, y, z). spacing: (x, y, z), z as far as a single slice tells it. type: that of the file's
    pixels, SimpleITK's number. tags: the harmless ones. lacks: the first tag of its place in the patient that is
    missing or unusable. frame: its number in a multi-frame file, whose values are scaled by slope and intercept.
    """

    file: str
    size: tuple[int, ...]
    components: int
    type: int
    position: np.ndarray
    direction: np.ndarray
    spacing: tuple[float, ...]
    tags: dict[str, str]
    kind: str = ""
    space: str = ""
    lacks: str = ""
    is_mosaic: bool = False
    frame: int | None = None
    stack: str = ""
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def is_picture(self) -> bool:
        """Whether it needs no place; captures keep the modality of what they show, and some of them have one."""
        is_capture = self.kind == _SECONDARY_CAPTURE or self.kind.startswith(f"{_SECONDARY_CAPTURE}.")
        is_known = self.tags.get("Modality") in _PICTURE_MODALITIES
        return self.size[2:] == (1,) and (is_known or is_capture and self.lacks == "ImagePositionPatient")

    @property
    def has_frames(self) -> bool:
        """Whether its place is stated frame by frame, be it for a single one."""
        return self.size[2] > 1 or self.kind in _FRAME_KINDS and not self.is_picture


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
    """A single DICOM file: one slice, a radiograph, or a multi-frame volume, whose frames are put in order as the
    slices of a series are. Raises InputError, also for a slice whose place in the patient is not stated.
    """
    if _is_segmentation(path):
        raise InputError(f"The file {path} is a DICOM segmentation, which cannot be read; save it as .nrrd or .nii.gz.")
    header = _header(str(path))
    if header is None:
        raise InputError(f"The file {path} cannot be read as a DICOM image: it is damaged or holds no image.")
    return _volume([header], f"The file {path}")


def read_dicom_folder(folder: Path, series: str | None = None) -> Volume:
    """The DICOM series directly in a folder; ``series`` (a UID) picks one of several.

    Slices are ordered along their normal. Slices that are slightly uneven or tilted, that differ by less than half a
    pixel in orientation or pixel spacing, or have a frame of reference each, give metadata["Warning"]. Slices of
    different pixel types, or scaled differently, get a type that holds all their values. Raises InputError
    for no series, several of them (listed with description, number of files and UID), damaged files, missing slices,
    several images at one place (time points, echoes), slices of different size, orientation, pixel spacing or frame of
    reference, slices whose place in the patient is not stated, and segmentations.
    """
    import SimpleITK as sitk

    files = {
        uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    }
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


def _is_segmentation(name: Path | str) -> bool:
    """Whether a file's preamble names the class of segmentations: their frames are planes of one structure each."""
    with Path(name).open("rb") as stream:
        return _SEGMENTATION.search(stream.read(1024)) is not None


def _stack(names: tuple[str, ...], what: str) -> Volume:
    """The images of the named files as one volume; what: begins the sentences of InputError."""
    headers = []
    for name in names:
        if _is_segmentation(name):
            raise InputError(f"{what} is a segmentation, which cannot be read; save it as .nrrd or .nii.gz.")
        header = _header(name)
        if header is None:
            raise InputError(f"{what} has a damaged file, {Path(name).name}.")
        headers.append(header)
    return _volume(headers, what)


def _volume(files: list[_Header], what: str) -> Volume:
    """The slices or frames of files, in order of their place."""
    if any(header.is_mosaic for header in files):
        raise InputError(f"{what} has mosaics, images that are many slices side by side, which make no volume.")
    headers = []
    for header in files:
        headers += _frames(header, what) if header.has_frames else [header]
    first = headers[0]
    # Radiographs and other pictures need no place; what is to be a volume does, or it would lie anywhere, in any size.
    is_picture = len(headers) == 1 and first.is_picture
    is_placed = first.tags.get("Modality") in _PLACED_MODALITIES
    if not is_picture and (is_placed or len(headers) > 1 and not all(h.is_picture for h in headers)):
        for header in headers:
            if header.lacks:
                raise InputError(f"{what} has no usable {header.lacks} in {Path(header.file).name}.")
    if len(headers) == 1:
        array = _voxels(headers, what)
        return Volume(array, first.spacing, tuple(first.position.tolist()), first.direction, is_picture, first.tags)
    if any(h.size[:2] != first.size[:2] or h.components != first.components for h in headers):
        raise InputError(f"{what} has images of different size, which make no single volume.")
    tags = dict(first.tags)
    headers.sort(key=lambda h: float(h.position @ first.direction[:, 2]))
    first = headers[0]
    warnings = [_unlike_grids(headers, what), _unlike_spaces(headers, what)]
    if (stacks := len({h.stack for h in headers if h.stack})) > 1:
        raise InputError(f"{what} has {stacks} stacks of frames, which make no single volume.")
    normal = first.direction[:, 2]
    gaps = np.diff([float(h.position @ normal) for h in headers])
    usual = float(np.median(gaps))
    if gaps.min() < max(1e-3, 0.05 * usual):
        raise InputError(f"{what} has several images at one place (time points or echoes?), not one volume.")
    if gaps.max() > _MISSING * usual:
        lost = int(np.sum(np.round(gaps / usual) - 1))
        raise InputError(
            f"{what} lacks about {max(lost, 1)} slices: they are {usual:.2f} mm apart, but {gaps.max():.2f} mm once."
        )
    warnings.append(_unevenness(gaps, headers, normal))
    if any(warnings):
        tags["Warning"] = " ".join(filter(None, warnings))
    # End to end the distances add up, however uneven they are; what readers take differs between ITK's versions.
    spacing = (*headers[0].spacing[:2], float(gaps.mean()))
    return Volume(_voxels(headers, what), spacing, tuple(headers[0].position.tolist()), first.direction, False, tags)


def _unlike_grids(headers: list[_Header], what: str) -> str:
    """A warning if slices differ a little from the first one in orientation or pixel spacing, else an empty text.
    Raises InputError if they differ by more."""
    first = headers[0]
    pixel = min(first.spacing[:2])
    turned = max(_moved(first, header.direction, first.spacing) for header in headers) / pixel
    stretched = max(_moved(first, first.direction, header.spacing) for header in headers) / pixel
    moved = max(turned, stretched, *(_moved(first, h.direction, h.spacing) / pixel for h in headers))
    difference = "orientation" if turned >= stretched else "PixelSpacing"
    if not moved <= _SIMILAR_GRID:
        raise InputError(f"{what} has images of different {difference}, which make no single volume.")
    if moved <= _SAME_GRID:
        return ""
    return (
        f"The slices differ slightly in {difference}, which moves their corners by up to {moved:.2f} pixels; "
        "the first one's is used."
    )


def _moved(header: _Header, direction: np.ndarray, spacing: tuple[float, ...]) -> float:
    """mm that a slice's farthest corner moves if these are its axes."""
    columns, rows = (max(length - 1, 1) for length in header.size[:2])
    reach = np.array([[columns, 0], [0, rows], [columns, rows]], float)
    before, after = header.direction[:, :2] * header.spacing[:2], direction[:, :2] * spacing[:2]
    return float(np.linalg.norm(reach @ (after - before).T, axis=1).max())


def _unlike_spaces(headers: list[_Header], what: str) -> str:
    """A warning if every slice has a FrameOfReferenceUID of its own, as programs that remove names from files may leave
    them. Raises InputError if some have the same one and others another."""
    spaces = [header.space for header in headers if header.space]
    if len(set(spaces)) < 2:
        return ""
    if len(set(spaces)) < len(spaces):
        raise InputError(f"{what} has images of different frames of reference, which make no single volume.")
    return "Every slice has a frame of reference of its own (renewed when names were removed?); they are taken for one."


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
    if reader.GetDimension() != 3:
        return None
    tags = {tag: _text(reader, key) for key, tag in _HARMLESS_TAGS.items()}
    # The description is free text, where some type the patient's name.
    if _names_patient(tags["SeriesDescription"], " ".join(_text(reader, key) for key in _PATIENT_TAGS)):
        del tags["SeriesDescription"]
    tags = {tag: text for tag, text in tags.items() if text}
    header = _Header(
        name,
        tuple(reader.GetSize()),
        reader.GetNumberOfComponents(),
        reader.GetPixelID(),
        np.asarray(reader.GetOrigin()),
        np.asarray(reader.GetDirection()).reshape(3, 3),
        tuple(reader.GetSpacing()),
        tags,
        kind=_text(reader, "0008|0016"),
        space=_text(reader, "0020|0052"),
        is_mosaic="MOSAIC" in _text(reader, "0008|0008").upper().split("\\"),
    )
    return header if header.is_picture else _placed(header, reader)


def _placed(header: _Header, reader) -> _Header:
    """With the place that the tags of a single slice state: for some kinds ITK looks elsewhere, or makes one up."""
    values = {}
    for key, (tag, count) in _PLACE_TAGS.items():
        try:
            values[tag] = np.array([float(part) for part in _text(reader, key).split("\\")])
        except ValueError:
            return replace(header, lacks=tag)
        if len(values[tag]) != count or not np.isfinite(values[tag]).all():
            return replace(header, lacks=tag)
    if values["PixelSpacing"].min() <= 0:
        return replace(header, lacks="PixelSpacing")
    direction = _direction(values["ImageOrientationPatient"])
    if direction is None:
        return replace(header, lacks="ImageOrientationPatient")
    y, x = values["PixelSpacing"].tolist()
    return replace(
        header,
        position=values["ImagePositionPatient"],
        direction=direction,
        spacing=(x, y, _thickness(reader)),
    )


def _thickness(reader) -> float:
    """mm of a single slice: ITK takes the distance between slices, which is for several of them."""
    for key in ("0018|0050", "0018|0088"):  # SliceThickness, SpacingBetweenSlices
        with contextlib.suppress(ValueError):
            millimetres = abs(float(_text(reader, key)))
            if np.isfinite(millimetres) and millimetres > 0:
                return millimetres
    return 1.0


def _direction(axes: np.ndarray) -> np.ndarray | None:
    """(6,) directions of rows and columns, rounded as text is, -> (3, 3) at right angles; None if they are far off."""
    x, y = axes[:3], axes[3:]
    lengths = np.linalg.norm(x), np.linalg.norm(y)
    if min(lengths) < 1e-3 or abs(x @ y) > _RIGHT_ANGLE * lengths[0] * lengths[1]:
        return None
    x = x / lengths[0]
    normal = np.cross(x, y)
    normal /= np.linalg.norm(normal)
    return np.stack([x, np.cross(normal, x), normal], axis=1) + 0.0  # no negative zeros


def _frames(header: _Header, what: str) -> list[_Header]:
    """A multi-frame file's frames. Raises InputError."""
    found = []
    for number, frame in enumerate(read_frames(header.file, what)):
        direction = _direction(frame.axes)
        if direction is None:
            raise InputError(f"{what} has a frame without a usable ImageOrientationPatient.")
        tags = dict(header.tags)
        if frame.units:
            tags.setdefault("RescaleType", frame.units)
        found.append(
            replace(
                header,
                position=frame.position,
                direction=direction,
                spacing=(*frame.spacing, frame.thickness or 1.0),
                tags=tags,
                lacks="",
                frame=number,
                stack=frame.stack,
                slope=frame.slope,
                intercept=frame.intercept,
            )
        )
    return found


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


def _voxels(headers: list[_Header], what: str) -> np.ndarray:
    """(c, z, y, x) in units, of a type that holds the values of all slices."""
    import SimpleITK as sitk

    types = {header.type for header in headers}
    # ITK's reader of series takes the first file's type for all, in which others' values would wrap round.
    if len(types) == 1 and all(header.frame is None for header in headers):
        array = sitk.GetArrayFromImage(_pixels([header.file for header in headers], what))
    else:
        array = _slice_by_slice(headers, what)
    return np.ascontiguousarray(np.moveaxis(array, -1, 0)) if headers[0].components > 1 else array[None]


def _slice_by_slice(headers: list[_Header], what: str) -> np.ndarray:
    """(z, y, x) or (z, y, x, c), each file read by itself and once."""
    import SimpleITK as sitk

    places: dict[str, list[int]] = {}
    for place, header in enumerate(headers):
        places.setdefault(header.file, []).append(place)
    scaled = {name for name, own in places.items() if len({(headers[i].slope, headers[i].intercept) for i in own}) > 1}
    types = [_numpy_type(header.type) for header in headers] + [np.dtype(np.float32)] * bool(scaled)
    first = headers[0]
    plane_shape = (first.size[1], first.size[0], *((first.components,) if first.components > 1 else ()))
    slices = np.empty((len(headers), *plane_shape), np.result_type(*types))
    for name, own in places.items():
        array = stored_values(name, what) if name in scaled else sitk.GetArrayFromImage(_pixels([name], what))
        if array.shape[1:] != plane_shape or len(array) <= max(headers[place].frame or 0 for place in own):
            raise InputError(f"{what} is damaged or truncated.")
        for place in own:
            header = headers[place]
            plane = array[header.frame or 0]
            if name in scaled:
                plane = plane * np.float64(header.slope) + np.float64(header.intercept)
            slices[place] = plane
    return slices


def _numpy_type(pixel_id: int) -> np.dtype:
    import SimpleITK as sitk

    return sitk.GetArrayViewFromImage(sitk.Image([1, 1, 1], pixel_id)).dtype


def _pixels(files: list[str], what: str):
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader() if len(files) > 1 else sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    if len(files) > 1:
        reader.SetFileNames(files)
    else:
        reader.SetFileName(files[0])
    try:
        return reader.Execute()
    except RuntimeError:
        raise InputError(f"{what} is damaged or truncated.") from None
