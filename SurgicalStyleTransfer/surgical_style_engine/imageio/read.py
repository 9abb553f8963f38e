"""Reading volumes: NIfTI, NRRD, MetaImage, PNG, JPEG and TIFF through SimpleITK, DICOM through ``imageio.dicom``."""

from __future__ import annotations

import os
import re
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

from .dicom.read import read_dicom_file, read_dicom_folder
from .formats import (
    DICOM_ENDINGS,
    JPEG_ENDINGS,
    META_ENDINGS,
    NIFTI_ENDINGS,
    NRRD_ENDINGS,
    PICTURE_ENDINGS,
    READABLE_ENDINGS,
    VOLUME_ENDINGS,
    ending_of,
)
from .gate.regular import check_regular
from .integrity import check_whole
from .itk import silent_itk
from .nifti_header import NiftiHeader, as_volume, read_nifti_header
from .nifti_place import at_its_place, is_plane
from .provenance import synthetic_mark

if TYPE_CHECKING:
    import SimpleITK

_ROUNDING = 1e-14  # of directions, in double precision
_MILLIMETRES = {"", "mm", "millimeter", "millimeters", "millimetre", "millimetres"}


def read_volume(path: Path | str, series: str | None = None) -> Volume:
    """Read a file, or a folder that holds one DICOM series.

    What the voxels hold is for ``check_volume``, since masks may well be constant.

    Args:
        path: The file or folder.
        series: The UID that picks one of several series of a folder.

    Returns:
        The volume, with its file's name. Pictures come with ``is_2d``; colours lose their alpha channel. NIfTI files
        that state two places are read at the one that 3D Slicer takes, and those whose pixdim is rounded with the voxel
        size of their axes, both with metadata["Warning"].

    Raises:
        InputError: With one sentence naming the file: missing, unknown format, damaged, truncated, time series, odd
            channel counts, several series, a place that is stated in contradiction.

    Example:
        >>> import tempfile
        >>> from surgical_style_engine.imageio.write import write_volume
        >>> path = Path(tempfile.mkdtemp()) / "head.nii.gz"
        >>> write_volume(Volume(np.zeros((1, 4, 5, 6), np.int16), spacing=(1.0, 1.0, 3.0)), path)
        >>> volume = read_volume(path)
        >>> volume.size, volume.spacing, volume.array.dtype.name
        ((6, 5, 4), (1.0, 1.0, 3.0), 'int16')
    """
    path = Path(path)
    with silent_itk():
        if os.path.isdir(path):  # which takes whatever cannot be a name, too
            volume = read_dicom_folder(path, series)
        else:
            _check_file(path)
            volume = read_dicom_file(path) if ending_of(path) in DICOM_ENDINGS else _read_file(path)
    # Four components are colours with alpha only in pictures and 8-bit volumes; others may be vectors or diffusion.
    with_alpha = volume.channels == 4 and (volume.array.dtype == np.uint8 or ending_of(path) in PICTURE_ENDINGS)
    if volume.channels not in (1, 3) and not with_alpha:
        raise InputError(f"{path} has {volume.channels} components a voxel; scalar and RGB images can be used.")
    if with_alpha:
        volume = replace(volume, array=np.ascontiguousarray(volume.array[:3]))
    return replace(volume, name=path.name)


def _check_file(path: Path) -> None:
    """Raise InputError for what can be said of a file before it is read."""
    check_regular(path)
    if ending_of(path) not in READABLE_ENDINGS:
        known = ", ".join(VOLUME_ENDINGS + PICTURE_ENDINGS)
        raise InputError(f"The file {path} is of no supported format ({known}, DICOM).")
    check_whole(path)
    if ending_of(path) in NRRD_ENDINGS and (units := _foreign_units(path)):
        raise InputError(f"The file {path} states its place in {units}; only millimetres can be used.")


def _foreign_units(path: Path) -> str:
    """The units of a NRRD file's space where they are not millimetres, which ITK takes all of them for; else empty."""
    with path.open("rb") as stream:
        for line in iter(lambda: stream.readline(1 << 16), b""):
            text = line.decode("latin-1").strip()
            if not text:  # the end of the header
                break
            if text.lower().startswith("space units:"):
                units = {unit.strip() for unit in re.findall(r'"([^"]*)"', text)}
                return ", ".join(sorted(units - _MILLIMETRES))
    return ""


def _read_file(path: Path, shown: Path | None = None) -> Volume:
    """The volume in a file of any format but DICOM; shown: the path for messages."""
    shown = shown or path
    header = _nifti_header(path) if ending_of(path) in NIFTI_ENDINGS else None
    if header is not None and header.dimension == 2:
        return _read_flat_nifti(path)
    reader = _opened(path, shown)
    _choose_dimensions(reader, shown)
    try:
        volume = Volume.from_sitk(reader.Execute(), synthetic_mark(reader))
    except RuntimeError:
        raise InputError(f"The file {shown} is damaged or truncated.") from None
    # NRRD stores spacing times direction; taken apart again, 1 may come out as 0.9999999999999999.
    axes = np.round(volume.direction)
    if np.abs(volume.direction - axes).max() < _ROUNDING:
        volume = replace(volume, direction=axes + 0.0)  # + 0.0: no negative zeros
    return volume if header is None else at_its_place(volume, header, shown)


def _opened(path: Path, shown: Path) -> SimpleITK.ImageFileReader:
    """A reader that knows the file's header. Raises InputError with the reason why it cannot be read."""
    import SimpleITK as sitk

    ending = ending_of(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    # ITK finds these by their ending, in lower or (JPEG) upper case only.
    if ending in META_ENDINGS + JPEG_ENDINGS and not path.name.endswith(ending):
        reader.SetImageIO("MetaImageIO" if ending in META_ENDINGS else "JPEGImageIO")
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise InputError(f"The file {shown} has axes that are not at right angles, which cannot be used.") from None
        if "Unknown PixelType" in str(error):
            raise InputError(f"The file {shown} has pixels of a kind that cannot be used (grey with alpha?).") from None
        if ending in NIFTI_ENDINGS and path.name[-len(ending) :] not in (ending, ending.upper()):
            raise InputError(f"The file {shown} can only be read with its ending in lower case, {ending}.") from None
        also = ", a NIfTI-2 file" if ending in NIFTI_ENDINGS else ""
        raise InputError(f"The file {shown} is no readable image: damaged{also} or not what its name says.") from None
    return reader


def _choose_dimensions(reader: SimpleITK.ImageFileReader, shown: Path) -> None:
    """Leave trailing axes of length 1 out. Raises InputError for time series and for vectors."""
    dimension, components, size = reader.GetDimension(), reader.GetNumberOfComponents(), reader.GetSize()
    if dimension > 3 and all(count == 1 for count in size[3:]):
        reader.SetExtractSize([*size[:3], *[0] * (dimension - 3)])
        reader.SetExtractIndex([0] * dimension)
    elif dimension not in (2, 3):
        shape = " x ".join(str(count) for count in size)
        raise InputError(f"The file {shown} has {dimension} dimensions ({shape}); give a single 3-D volume.")
    if components not in (1, 3, 4):
        raise InputError(f"The file {shown} has {components} components a voxel; scalar and RGB images can be used.")


def _nifti_header(path: Path) -> NiftiHeader | None:
    try:
        return read_nifti_header(path)
    except (OSError, zlib.error):
        return None  # for the reader to judge


def _read_flat_nifti(path: Path) -> Volume:
    """A NIfTI file of two dimensions: a picture, unless it says more of its place than a picture can."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        whole = Path(folder) / "slice.nii"
        whole.write_bytes(as_volume(path))
        volume = _read_file(whole, path)
    header = _nifti_header(path)
    if "Warning" in volume.metadata and header is not None and header.forms == {}:
        # A picture has no place.
        volume = replace(volume, metadata={tag: text for tag, text in volume.metadata.items() if tag != "Warning"})
    return replace(volume, is_2d=is_plane(volume), stated=None)
