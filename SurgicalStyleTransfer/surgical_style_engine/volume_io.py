"""Reading and writing volumes through SimpleITK: NIfTI, NRRD, MetaImage, PNG/JPEG/TIFF, and DICOM series (reading)."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import numpy as np

from .errors import InputError, StyleTransferError
from .volume import Volume

VOLUME_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
DICOM_ENDINGS = (".dcm", ".ima")
WRITABLE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", *PICTURE_ENDINGS)
# Tags that say what an image is; anything that could say whose it is stays behind.
_HARMLESS_TAGS = {"0008|0060": "Modality", "0008|103e": "SeriesDescription", "0018|0050": "SliceThickness"}


def ending_of(path: Path | str) -> str:
    """The file ending that decides the format, lower case: '.nii.gz' counts as one."""
    name = Path(path).name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def is_volume_file(path: Path | str) -> bool:
    """Whether a path is a file whose ending names a format that can be read."""
    path = Path(path)
    known = ending_of(path) in VOLUME_ENDINGS + PICTURE_ENDINGS + DICOM_ENDINGS
    return known and path.is_file() and not path.name.startswith(".")


def list_volumes(folder: Path | str) -> list[Path]:
    """The readable files directly in a folder, by name. Raises InputError if it is no folder."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.")
    return sorted(path for path in folder.iterdir() if is_volume_file(path))


def read_volume(path: Path | str, series: str | None = None) -> Volume:
    """Read a file, or a folder that holds one DICOM series (``series`` picks one of several by UID).

    Raises InputError with one sentence naming the file: missing, unknown format, damaged, 4-D, odd channel counts.
    """
    import SimpleITK as sitk

    path = Path(path)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    if path.is_dir():
        return _read_dicom_folder(path, series)
    if not path.exists():
        raise InputError(f"The file {path} does not exist.")
    if path.stat().st_size == 0:
        raise InputError(f"The file {path} is empty.")
    ending = ending_of(path)
    if ending not in VOLUME_ENDINGS + PICTURE_ENDINGS + DICOM_ENDINGS:
        raise InputError(f"The file {path} is of no supported format ({', '.join(VOLUME_ENDINGS + PICTURE_ENDINGS)}).")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        dimension, components = reader.GetDimension(), reader.GetNumberOfComponents()
        size = reader.GetSize()
    except RuntimeError:
        raise InputError(f"The file {path} cannot be read as an image: it is damaged or not what its name says.") from None
    if dimension > 3 and all(count == 1 for count in size[3:]):
        reader.SetExtractSize([*size[:3], *[0] * (dimension - 3)])
        reader.SetExtractIndex([0] * dimension)
    elif dimension not in (2, 3):
        raise InputError(f"The file {path} has {dimension} dimensions; give a single 3-D volume.")
    if components not in (1, 3, 4):
        raise InputError(f"The file {path} has {components} components a voxel; scalar and RGB images can be used.")
    try:
        image = reader.Execute()
    except RuntimeError:
        raise InputError(f"The file {path} is damaged or truncated.") from None
    tags = _tags(reader) if ending in DICOM_ENDINGS else {}
    # A DICOM slice, radiograph or picture is plane although it is stored as a volume of one slice.
    volume = Volume.from_sitk(image, tags)
    if volume.channels == 4:
        volume = volume.with_array(volume.array[:3])
    return volume


def _tags(reader) -> dict[str, str]:
    return {name: reader.GetMetaData(key).strip() for key, name in _HARMLESS_TAGS.items() if reader.HasMetaDataKey(key)}


def _read_dicom_folder(folder: Path, series: str | None) -> Volume:
    import SimpleITK as sitk

    uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not uids:
        raise InputError(f"The folder {folder} holds no DICOM series.")
    files = {uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid) for uid in uids}
    if series is not None:
        if series not in files:
            raise InputError(f"The folder {folder} holds no series {series}.")
    elif len(uids) > 1:
        listed = "; ".join(f"'{_description(names[0])}' ({len(names)} slices, UID {uid})" for uid, names in files.items())
        raise InputError(f"The folder {folder} holds {len(uids)} series, choose one by its UID: {listed}.")
    else:
        series = uids[0]
    names = files[series]
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    try:
        image = reader.Execute()
    except RuntimeError:
        raise InputError(f"The DICOM series in {folder} is damaged or its slices do not fit together.") from None
    gap = _largest_gap(names)
    if gap is not None and gap[1] > 1.2 * gap[0] + 0.01:
        raise InputError(
            f"The DICOM series in {folder} lacks slices: they are {gap[0]:.2f} mm apart, but {gap[1]:.2f} mm once."
        )
    first = sitk.ImageFileReader()
    first.SetFileName(names[0])
    first.ReadImageInformation()
    volume = Volume.from_sitk(image, _tags(first))
    return volume.with_array(volume.array[:3]) if volume.channels == 4 else volume


def _description(name: str) -> str:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(name)
    reader.ReadImageInformation()
    return _tags(reader).get("SeriesDescription", "no description")


def _largest_gap(names: tuple[str, ...]) -> tuple[float, float] | None:
    """(median, largest) distance of neighbouring slices along their normal, mm; None for fewer than three."""
    import SimpleITK as sitk

    positions = []
    for name in names:
        reader = sitk.ImageFileReader()
        reader.SetFileName(name)
        reader.ReadImageInformation()
        direction = np.asarray(reader.GetDirection()).reshape(3, 3)
        positions.append(float(np.dot(direction[:, 2], reader.GetOrigin())))
    if len(positions) < 3:
        return None
    gaps = np.diff(np.sort(positions))
    return float(np.median(gaps)), float(gaps.max())


def write_volume(volume: Volume, path: Path | str) -> None:
    """Write under a temporary name in the same folder, then rename, so the name only ever holds a whole file.

    Medical formats keep the array's type and the exact geometry. Pictures (PNG, TIFF: 8 or 16 bit as the array is;
    JPEG: 8 bit) take volumes of one slice; floating point values are scaled from their minimum..maximum to 0..255.
    Raises InputError for formats that cannot hold the volume and StyleTransferError when writing fails.
    """
    import SimpleITK as sitk

    path = Path(path)
    ending = ending_of(path)
    if ending not in WRITABLE_ENDINGS:
        raise InputError(f"The output {path.name} has no format that can be written ({', '.join(WRITABLE_ENDINGS)}).")
    if ending in PICTURE_ENDINGS:
        if volume.array.shape[1] != 1:
            raise InputError(f"The output {path.name} is a picture, but the volume has {volume.array.shape[1]} slices.")
        image = _picture(volume, ending)
    else:
        image = volume.to_sitk()
        if volume.is_2d:
            image = image[:, :, 0]
    if not path.parent.is_dir():
        raise StyleTransferError(f"The folder {path.parent} of the output does not exist.")
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}{ending}")
    raw = temporary.with_suffix(".zraw" if ending == ".mhd" else ".none")
    try:
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
        sitk.WriteImage(image, str(temporary), useCompression=ending != ".nii")
        _check_written(temporary, volume, ending)
        if ending == ".mhd":
            final_raw = path.with_suffix(".zraw")
            header = temporary.read_text().replace(raw.name, final_raw.name)
            temporary.write_text(header)
            os.replace(raw, final_raw)
        os.replace(temporary, path)
    except (RuntimeError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the disk is full or the folder cannot be written"
        raise StyleTransferError(f"The output {path} cannot be written: {reason}.") from None
    finally:
        temporary.unlink(missing_ok=True)
        raw.unlink(missing_ok=True)


def _check_written(path: Path, volume: Volume, ending: str) -> None:
    """ITK's writers do not notice every failed write; a file that cannot be read back must not get the final name."""
    import SimpleITK as sitk

    if ending in (".nii", ".nii.gz", ".mha", ".nrrd"):
        written = sitk.ReadImage(str(path))
        if written.GetNumberOfPixels() * written.GetNumberOfComponentsPerPixel() != volume.array.size:
            raise RuntimeError("incomplete file")


def _picture(volume: Volume, ending: str):
    array = volume.array[:, 0]
    if not (array.dtype == np.uint8 or (array.dtype == np.uint16 and ending not in (".jpg", ".jpeg"))):
        low, high = float(array.min()), float(array.max())
        array = ((array - low) * (255.0 / max(high - low, 1e-12))).round().astype(np.uint8)
    return volume.with_array(np.ascontiguousarray(array[:, None])).to_sitk()[:, :, 0]
