"""Reading and writing volumes through SimpleITK: NIfTI, NRRD, MetaImage, PNG/JPEG/TIFF, and DICOM (reading)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.dicom.read import DICOM_ENDINGS, is_dicom, read_dicom_file, read_dicom_folder
from surgical_style_engine.volumes.volume import Volume, corners_of

from .integrity import check_whole, nifti_digest
from .nifti_header import NiftiHeader, as_volume, read_nifti_header
from .provenance import summary

VOLUME_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
NIFTI_ENDINGS = (".nii.gz", ".nii")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
WRITABLE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", *PICTURE_ENDINGS)
_META_ENDINGS = (".mha", ".mhd")
_JPEG_ENDINGS = (".jpg", ".jpeg")
_ROUNDING = 1e-14  # of directions, in double precision
_SAME_PLACE = 0.01  # of a voxel, as in Volume.same_grid
_SAME_PLACE_EXACT = 1e-6  # of a voxel, in formats that keep double precision
_TWO_PLACES = 0.1  # of a voxel from which two forms of a NIfTI file are two places; a quaternion's rounding is below
_ROUNDED = 0.01  # part of a voxel's size up to which pixdim may differ from the axes' lengths
_SAME_AXES = 1e-3  # of directions, as ITK judges right angles
# MetaIO takes these for a pattern of names, a list of them, or trims them.
_ODD_DATA_NAME = re.compile(r"%|^LIST|^\s|[\x00-\x1f]")
_READABLE_ENDINGS = VOLUME_ENDINGS + PICTURE_ENDINGS + DICOM_ENDINGS


def ending_of(path: Path | str) -> str:
    """The file ending that decides the format, lower case: '.nii.gz' counts as one, and DICOM files without an ending
    of their own have '.dcm'."""
    ending = _last_part(Path(path))
    return ".dcm" if ending not in _READABLE_ENDINGS and is_dicom(path) else ending


def _last_part(path: Path) -> str:
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def is_volume_file(path: Path | str) -> bool:
    """Whether a path is a file whose ending (or DICOM mark) names a format that can be read."""
    path = Path(path)
    return not path.name.startswith(".") and ending_of(path) in _READABLE_ENDINGS and path.is_file()


def list_volumes(folder: Path | str) -> list[Path]:
    """The readable files directly in a folder, by name. Raises InputError if it is no folder."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder." if folder.exists() else f"The folder {folder} does not exist.")
    try:
        return sorted(path for path in folder.iterdir() if is_volume_file(path))
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be read: {error.strerror}.") from None


def read_volume(path: Path | str, series: str | None = None) -> Volume:
    """Read a file, or a folder that holds one DICOM series (``series`` picks one of several by UID).

    Pictures come with ``is_2d``; colours lose their alpha channel. Raises InputError with one sentence naming the file:
    missing, unknown format, damaged, truncated, time series, odd channel counts, several series, a place that is stated
    in contradiction. What the voxels hold is for ``check_volume``, since masks may well be constant.
    NIfTI files that state two places are read at the one that 3D Slicer takes, and those whose pixdim is rounded with
    the voxel size of their axes, both with metadata["Warning"].
    """
    path = Path(path)
    with silent_itk():
        if path.is_dir():
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
    if not path.exists():
        raise InputError(f"The file {path} does not exist.")
    if not path.is_file() or not os.access(path, os.R_OK):
        raise InputError(f"The file {path} cannot be read: it is not a file, or reading it is not permitted.")
    if path.stat().st_size == 0:
        raise InputError(f"The file {path} is empty.")
    if ending_of(path) not in _READABLE_ENDINGS:
        known = ", ".join(VOLUME_ENDINGS + PICTURE_ENDINGS)
        raise InputError(f"The file {path} is of no supported format ({known}, DICOM).")
    check_whole(path)
    if ending_of(path) in (".nrrd", ".nhdr") and (units := _foreign_units(path)):
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
                return ", ".join(sorted(units - {"", "mm", "millimeter", "millimeters", "millimetre", "millimetres"}))
    return ""


def _read_file(path: Path, shown: Path | None = None) -> Volume:
    """shown: the path for messages."""
    import SimpleITK as sitk

    ending, read_from, path = ending_of(path), path, shown or path
    header = _nifti_header(read_from) if ending in NIFTI_ENDINGS else None
    if header is not None and header.dimension == 2:
        return _read_flat_nifti(read_from)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(read_from))
    # ITK finds these by their ending, in lower or (JPEG) upper case only.
    if ending in _META_ENDINGS + _JPEG_ENDINGS and not read_from.name.endswith(ending):
        reader.SetImageIO("MetaImageIO" if ending in _META_ENDINGS else "JPEGImageIO")
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise InputError(f"The file {path} has axes that are not at right angles, which cannot be used.") from None
        if "Unknown PixelType" in str(error):
            raise InputError(f"The file {path} has pixels of a kind that cannot be used (grey with alpha?).") from None
        if ending in NIFTI_ENDINGS and read_from.name[-len(ending) :] not in (ending, ending.upper()):
            raise InputError(f"The file {path} can only be read with its ending in lower case, {ending}.") from None
        also = ", a NIfTI-2 file" if ending in NIFTI_ENDINGS else ""
        raise InputError(f"The file {path} is no readable image: damaged{also} or not what its name says.") from None
    dimension, components, size = reader.GetDimension(), reader.GetNumberOfComponents(), reader.GetSize()
    if dimension > 3 and all(count == 1 for count in size[3:]):
        reader.SetExtractSize([*size[:3], *[0] * (dimension - 3)])
        reader.SetExtractIndex([0] * dimension)
    elif dimension not in (2, 3):
        shape = " x ".join(str(count) for count in size)
        raise InputError(f"The file {path} has {dimension} dimensions ({shape}); give a single 3-D volume.")
    if components not in (1, 3, 4):
        raise InputError(f"The file {path} has {components} components a voxel; scalar and RGB images can be used.")
    try:
        volume = Volume.from_sitk(reader.Execute())
    except RuntimeError:
        raise InputError(f"The file {path} is damaged or truncated.") from None
    # NRRD stores spacing times direction; taken apart again, 1 may come out as 0.9999999999999999.
    axes = np.round(volume.direction)
    if np.abs(volume.direction - axes).max() < _ROUNDING:
        volume = replace(volume, direction=axes + 0.0)  # + 0.0: no negative zeros
    return volume if header is None else _at_its_place(volume, header, path)


def _nifti_header(path: Path) -> NiftiHeader | None:
    try:
        return read_nifti_header(path)
    except (OSError, zlib.error):
        return None  # for the reader to judge


def _read_flat_nifti(path: Path) -> Volume:
    """A NIfTI file of two dimensions: a picture, unless it says more of its place than a picture can."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "slice.nii"
        whole.write_bytes(as_volume(path))
        volume = _read_file(whole, path)
    if "Warning" in volume.metadata and _nifti_header(path).forms == {}:
        volume = replace(volume, metadata={})  # a picture has no place
    return replace(volume, is_2d=_is_plane(volume))


def _is_plane(volume: Volume) -> bool:
    """Whether an image of two dimensions holds all that is known of where a slice lies."""
    return (
        volume.array.shape[1] == 1
        and volume.origin[2] == 0
        and volume.spacing[2] == 1
        and np.array_equal(np.asarray(volume.direction)[2], (0, 0, 1))
    )


def _at_its_place(volume: Volume, header: NiftiHeader, path: Path) -> Volume:
    """The volume as ITK read it, with a warning where the file states more than one place, or none. Where its voxel
    size is rounded, so that ITK's volume is at no place that is stated, it gets that place, and a warning.

    Raises InputError if it is at none of those that are stated for another reason.
    """
    if not header.forms:
        warning = "The file states no place in space (neither sform nor qform); the directions of its axes are guessed."
        return replace(volume, metadata={"Warning": warning})
    away = {name: _away(corners_of(form, header.size), volume) for name, form in header.forms.items()}
    limit = _TWO_PLACES * min(volume.spacing)
    used = min(away, key=away.__getitem__)
    warnings = []
    if not away[used] <= limit:
        exact = _with_exact_size(volume, header, used)
        if exact is None:
            raise InputError(
                f"The file {path} contradicts itself: its axes ({' and '.join(away)}) and its voxel size do not agree."
            )
        sizes = [" x ".join(f"{size:.7g}" for size in np.float32(found.spacing)) for found in (volume, exact)]
        warnings.append(
            f"The file's voxel size is rounded ({sizes[0]} mm); that of its {used} is used ({sizes[1]} mm)."
        )
        volume = exact
        away = {name: _away(corners_of(form, header.size), volume) for name, form in header.forms.items()}
    other = next((name for name in away if name != used and not away[name] <= limit), None)
    if other is not None:
        warnings.append(
            f"The file states two places, up to {away[other]:.1f} mm apart; its {used} is used, as in 3D Slicer, so "
            f"that programs that use the {other} show the result elsewhere than the input."
        )
    return replace(volume, metadata={"Warning": " ".join(warnings)}) if warnings else volume


def _with_exact_size(volume: Volume, header: NiftiHeader, used: str) -> Volume | None:
    """The volume at the place of the form ``used``; None if that differs in more than the rounding of voxel sizes, or
    has axes that are not at right angles."""
    form = header.forms[used]
    spacing = np.linalg.norm(form[:, :3], axis=0)
    if not np.isfinite(form).all() or not (np.abs(spacing / volume.spacing - 1) <= _ROUNDED).all():
        return None
    axes = form[:, :3] / spacing
    limit = _TWO_PLACES * min(spacing)
    if np.abs(axes - volume.direction).max() > _SAME_AXES or np.abs(form[:, 3] - volume.origin).max() > limit:
        return None
    left, _, right = np.linalg.svd(axes)
    exact = replace(
        volume,
        spacing=tuple(spacing.tolist()),
        origin=tuple((form[:, 3] + 0.0).tolist()),
        direction=left @ right + 0.0,
    )
    return exact if _away(corners_of(form, header.size), exact) <= limit else None


def _away(corners: np.ndarray, volume: Volume) -> float:
    """The largest distance, mm, of the volume's corners from others."""
    return float(np.linalg.norm(corners - volume.corners(), axis=1).max())


def check_output(path: Path | str, volume: Volume | None = None) -> None:
    """Raise InputError with one sentence if no volume, or not ``volume``, could be written under this name: an unknown
    format, an ending spelled so that readers do not know it, a picture of several slices, a geometry that the format
    cannot hold. To be asked before the work is done that is to be written.
    """
    path = Path(path)
    ending = _last_part(path)
    if ending not in WRITABLE_ENDINGS:
        raise InputError(f"The output {path.name} has no format that can be written ({', '.join(WRITABLE_ENDINGS)}).")
    spelled = path.name[-len(ending) :]
    known = (ending,) if ending in _META_ENDINGS else (ending, ending.upper())
    if ending in _META_ENDINGS + NIFTI_ENDINGS + _JPEG_ENDINGS and spelled not in known:
        name = path.name[: -len(ending)] + ending
        raise InputError(f"The output {path.name} could not be read again with its ending so spelled; call it {name}.")
    if volume is None:
        return
    if ending in PICTURE_ENDINGS:
        if volume.array.shape[1] != 1:
            raise InputError(f"The output {path.name} is a picture, but the volume has {volume.array.shape[1]} slices.")
        return
    numbers = [*volume.spacing, *volume.origin, *np.ravel(volume.direction)]
    if not np.isfinite(numbers).all() or min(volume.spacing) <= 0 or np.linalg.det(volume.direction) == 0:
        raise InputError(f"The output {path.name} would have an unusable geometry (spacing, origin or direction).")
    if ending in NIFTI_ENDINGS:
        left, _, right = np.linalg.svd(np.asarray(volume.direction, float))
        if _away(replace(volume, direction=left @ right).corners(), volume) > _SAME_PLACE * min(volume.spacing):
            raise _cannot_hold(path)


class _CannotHoldError(InputError):
    """The format is to blame, not the disk."""


def _cannot_hold(path: Path) -> _CannotHoldError:
    return _CannotHoldError(
        f"The output {path.name} cannot hold the volume's axes, which are not at right angles; write a .nrrd instead."
    )


def write_volume(volume: Volume, path: Path | str, notes: dict[str, str] | None = None) -> None:
    """Write under a temporary name in the same folder, then rename, so the name only ever holds a whole file.

    Medical formats keep the array's type and the geometry: MetaImage exactly; NRRD exactly too, but for the last binary
    digits of oblique directions and spacings; NIfTI in single precision. Pictures take volumes of one
    slice, 8 or 16 bit (JPEG: 8): whole numbers within that range, and floating point values within 0..255 that reach
    above 1, keep their values (rounded); all else is scaled from its minimum..maximum to the full range of 16 bit
    (PNG, TIFF) or 8 bit (JPEG).

    notes: header fields by name, kept by NRRD and MetaImage; NIfTI has 79 characters, which their ``summary`` gets;
    pictures keep none.

    Raises InputError for what ``check_output`` refuses and for values that are not finite, and
    StyleTransferError when writing fails, after which no new file is left.
    """
    import SimpleITK as sitk

    path = Path(path)
    ending = _last_part(path)
    check_output(path)
    if volume.array.size == 0:
        raise InputError(f"The output {path.name} would be empty.")
    if np.issubdtype(volume.array.dtype, np.inexact) and not np.isfinite(volume.array).all():
        raise InputError(f"The output {path.name} would hold NaN or infinite values.")
    check_output(path, volume)
    if ending in PICTURE_ENDINGS:
        volume = replace(volume, array=_picture(volume, path))
    image = volume.to_sitk()
    # A plane picture stays plane, unless it has a place in space that only a volume can hold.
    if ending in PICTURE_ENDINGS or volume.is_2d and _is_plane(volume):
        image = image[:, :, 0]
    if notes and ending in VOLUME_ENDINGS:
        for name, text in ({"ITK_FileNotes": summary(notes)} if ending in NIFTI_ENDINGS else notes).items():
            image.SetMetaData(name, text)
    if not path.parent.is_dir():
        raise StyleTransferError(f"The folder {path.parent} of the output does not exist.")
    if path.is_dir():
        raise StyleTransferError(f"The output {path} cannot be written: it is a folder.")
    # In a folder of its own, so that what is checked already has its final name.
    folder = path.with_name(f".{uuid.uuid4().hex[:12]}.partial")
    temporary = folder / path.name
    # ITK writes by endings in lower case. Only a header with data beside it must have its name from the start, and
    # where the data's would be misread, they go into the header.
    written = folder / f"whole{ending}"
    if ending == ".mhd":
        written = folder / "whole.mha" if _ODD_DATA_NAME.search(path.name) else temporary
    try:
        # Creating the file here gives the system's own reason, where ITK only writes to stderr that it could not.
        folder.mkdir()
        written.touch(exist_ok=False)
        with silent_itk():
            # Least compression of volumes: a sixth more on disk than by ITK's own choice, in half the time.
            level = 1 if ending in VOLUME_ENDINGS else -1
            sitk.WriteImage(image, str(written), useCompression=ending != ".nii", compressionLevel=level)
            if written != temporary:
                os.replace(written, temporary)
            wanted = _fingerprint(image, lossy=ending in _JPEG_ENDINGS)
            scalar = image.GetNumberOfComponentsPerPixel() == 1
            del image  # reading it back may need the same memory again
            _check_written(temporary, wanted, in_pieces=scalar and ending in NIFTI_ENDINGS)
            if ending in VOLUME_ENDINGS:
                _check_place(temporary, volume)
        raw = next((found for found in folder.iterdir() if found != temporary), None)
        if raw is None:
            os.replace(temporary, path)
        else:
            _rename_pair(temporary, path, raw)
    except _CannotHoldError:
        raise
    except (RuntimeError, OSError, InputError) as error:
        raise StyleTransferError(f"The output {path} cannot be written: {_reason(error, path, volume)}.") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rename_pair(header: Path, path: Path, raw: Path) -> None:
    """Put a MetaImage header and the data beside it in their place; if that fails, both names hold what they held.

    Raises OSError.
    """
    final = path.with_name(raw.name)
    kept = raw.with_name("kept") if final.exists() else None
    if kept is not None:
        os.replace(final, kept)
    try:
        os.replace(raw, final)
        os.replace(header, path)
    except OSError:
        final.unlink(missing_ok=True)
        if kept is not None:
            os.replace(kept, final)
        raise


@contextlib.contextmanager
def silent_itk() -> Iterator[None]:
    """Without ITK's warnings on stderr, which are the whole process's setting (Slicer has its own)."""
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _check_written(path: Path, wanted: tuple, in_pieces: bool) -> None:
    """ITK's writers do not notice every failed write (a full disk): only a file that gives back the very voxels may
    take the final name. in_pieces: for scalar NIfTI, whose reader would need the file's memory twice. Raises InputError
    or RuntimeError."""
    import SimpleITK as sitk

    if in_pieces:
        whole = nifti_digest(path) == wanted[-1] and _announced(path) == wanted[:-1]
    else:
        check_whole(path)
        whole = _fingerprint(sitk.ReadImage(str(path)), lossy=len(wanted) == 1) == wanted
    if not whole:
        raise RuntimeError("incomplete file")


def _check_place(path: Path, volume: Volume) -> None:
    """Only a file that gives the very place back may take the final name: by ITK's reading, and for NIfTI also by the
    form that other programs prefer. Raises InputError if a format cannot hold it, and RuntimeError."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    spacing, origin, direction = np.ones(3), np.zeros(3), np.eye(3)
    axes = reader.GetDimension()
    spacing[:axes], origin[:axes] = reader.GetSpacing(), reader.GetOrigin()
    direction[:axes, :axes] = np.reshape(reader.GetDirection(), (axes, axes))
    forms = [np.column_stack([direction * spacing, origin])]
    is_nifti = _last_part(path) in NIFTI_ENDINGS
    if is_nifti and (header := read_nifti_header(path)) is not None:
        forms += list(header.forms.values())[:1]
    limit = (_SAME_PLACE if is_nifti else _SAME_PLACE_EXACT) * min(volume.spacing)
    # Numbers themselves are rounded, coordinates far away from the origin the most.
    limit += float(np.finfo(np.float32 if is_nifti else np.float64).eps) * 4 * float(np.abs(volume.corners()).max())
    if all(_away(corners_of(form, volume.size), volume) <= limit for form in forms):
        return
    if is_nifti:
        raise _cannot_hold(path)
    raise RuntimeError("misplaced file")


def _announced(path: Path) -> tuple:
    """Size and type of the voxels that a file's header names, as ``_fingerprint`` gives them."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader.GetSize(), _fingerprint(sitk.Image([1, 1, 1], reader.GetPixelID()), lossy=False)[1]


def _fingerprint(image, lossy: bool) -> tuple:
    """Size, and unless it is stored with loss type and digest of the voxels of a SimpleITK image."""
    import SimpleITK as sitk

    if lossy:
        return (image.GetSize(),)
    voxels = sitk.GetArrayViewFromImage(image)
    return image.GetSize(), str(voxels.dtype), hashlib.sha256(voxels).hexdigest()


def _reason(error: Exception, path: Path, volume: Volume) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if not os.access(path.parent, os.W_OK):
        return "its folder is not writable"
    if shutil.disk_usage(path.parent).free < volume.array.nbytes:
        return "the disk is full"
    return "the format cannot hold it, or the disk is full or failing"


def _picture(volume: Volume, path: Path) -> np.ndarray:
    """(c, 1, y, x) uint8 or uint16; the rule is ``write_volume``'s."""
    array = volume.array
    if array.shape[0] not in (1, 3):
        raise InputError(f"The output {path.name} is a picture, but the volume has {array.shape[0]} channels.")
    if np.issubdtype(array.dtype, np.complexfloating):
        raise InputError(f"The output {path.name} is a picture, but the volume has complex numbers.")
    jpeg = _last_part(path) in _JPEG_ENDINGS
    low, high = float(array.min()), float(array.max())
    whole = not np.issubdtype(array.dtype, np.floating)
    if array.dtype == np.uint8 or (array.dtype == np.uint16 and not jpeg):
        return array
    if low >= 0 and high <= 255 and (whole or high > 1):
        return np.round(array.astype(np.float32)).astype(np.uint8)
    if low >= 0 and high <= 65535 and whole and not jpeg:
        return array.astype(np.uint16)
    kind, top = (np.uint8, 255.0) if jpeg else (np.uint16, 65535.0)
    if high == low:
        return np.zeros(array.shape, kind)
    return np.round((array.astype(np.float64) - low) * (top / (high - low))).astype(kind)
