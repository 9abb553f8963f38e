"""Writing volumes: NIfTI, NRRD, MetaImage, PNG, JPEG and TIFF through SimpleITK; whole files or none."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.common.atomic_write import beside, put_files
from surgical_style_engine.common.clean_text import clean
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.volumes.volume import Volume

from .formats import (
    JPEG_ENDINGS,
    META_ENDINGS,
    NIFTI_ENDINGS,
    PICTURE_ENDINGS,
    VOLUME_ENDINGS,
    WRITABLE_ENDINGS,
    last_part,
)
from .itk import silent_itk
from .nifti_place import farthest_corner, is_plane
from .nifti_stated import compress, stated_of, write_stated
from .picture_values import picture_values
from .provenance import summary
from .read_back import SAME_PLACE, CannotHoldError, check_place, check_voxels, fingerprint

if TYPE_CHECKING:
    import SimpleITK

# MetaIO takes these for a pattern of names, a list of them, or trims them.
_ODD_DATA_NAME = re.compile(r"%|^LIST|^\s|[\x00-\x1f]")


def check_output(path: Path | str, volume: Volume | None = None) -> None:
    """Refuse a name under which no volume, or not this one, could be written; to be asked before the work is done.

    Args:
        path: The file that is to be written.
        volume: What is to be written, if it is there already.

    Raises:
        InputError: With one sentence: an unknown format, an ending spelled so that readers do not know it, a picture of
            several slices, a geometry that the format cannot hold.
    """
    path = Path(path)
    ending = last_part(path)
    if ending not in WRITABLE_ENDINGS:
        raise InputError(f"The output {path.name} has no format that can be written ({', '.join(WRITABLE_ENDINGS)}).")
    spelled = path.name[-len(ending) :]
    known = (ending,) if ending in META_ENDINGS else (ending, ending.upper())
    if ending in META_ENDINGS + NIFTI_ENDINGS + JPEG_ENDINGS and spelled not in known:
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
        at_right_angles = replace(volume, direction=left @ right)
        if farthest_corner(at_right_angles.corners(), volume) > SAME_PLACE * min(volume.spacing):
            raise CannotHoldError(path)


def write_volume(volume: Volume, path: Path | str, notes: dict[str, str] | None = None) -> None:
    """Write under a temporary name in the same folder, then rename, so the name only ever holds a whole file.

    Medical formats keep the array's type and the geometry: MetaImage exactly; NRRD exactly too, but for the last binary
    digits of oblique directions and spacings; NIfTI in single precision. Pictures take volumes of one slice, 8 or 16
    bit (JPEG: 8): whole numbers within that range, and floating point values within 0..255 that reach above 1, keep
    their values (rounded); all else is scaled from its minimum..maximum to the full range of 16 bit (PNG, TIFF) or 8
    bit (JPEG).

    Args:
        volume: What is written.
        path: The file; its ending decides the format.
        notes: Header fields by name, kept by NRRD and MetaImage; NIfTI has 79 characters, which their ``summary`` gets;
            pictures keep none.

    Raises:
        InputError: For what ``check_output`` refuses and for values that are not finite.
        StyleTransferError: When writing fails, after which no new file is left.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mask.nrrd"
        >>> write_volume(Volume(np.ones((1, 2, 3, 4), np.uint8)), path)
        >>> path.exists()
        True
    """
    path = Path(path)
    check_output(path)
    if volume.array.size == 0:
        raise InputError(f"The output {path.name} would be empty.")
    if np.issubdtype(volume.array.dtype, np.inexact) and not np.isfinite(volume.array).all():
        raise InputError(f"The output {path.name} would hold NaN or infinite values.")
    check_output(path, volume)
    if last_part(path) in PICTURE_ENDINGS:
        volume = replace(volume, array=picture_values(volume, path))
    image = _image(volume, path, notes)
    if not path.parent.is_dir():
        raise StyleTransferError(f"The folder {path.parent} of the output does not exist.")
    if path.is_dir():
        raise StyleTransferError(f"The output {path} cannot be written: it is a folder.")
    try:
        # In a folder of its own, so that what is checked already has its final name.
        with beside(path) as folder:
            temporary = folder / path.name
            _write_image(image, temporary, volume)
            expected = fingerprint(image, path)
            del image  # reading it back may need the same memory again
            with silent_itk():
                check_voxels(temporary, expected)
                if last_part(path) in VOLUME_ENDINGS:
                    check_place(temporary, volume)
            raw = [(data, path.with_name(data.name)) for data in folder.iterdir() if data != temporary]
            put_files([*raw, (temporary, path)])
    except CannotHoldError:
        raise
    except (RuntimeError, OSError, InputError) as error:
        raise StyleTransferError(f"The output {path} cannot be written: {_reason(error, path, volume)}.") from None


def _image(volume: Volume, path: Path, notes: dict[str, str] | None) -> SimpleITK.Image:
    """The image that is written, with its header fields."""
    ending = last_part(path)
    image = volume.to_sitk()
    # A plane picture stays plane, unless it has a place in space that only a volume can hold.
    if ending in PICTURE_ENDINGS or volume.is_2d and is_plane(volume):
        image = image[:, :, 0]
    if notes and ending in VOLUME_ENDINGS:
        for name, text in ({"ITK_FileNotes": summary(notes)} if ending in NIFTI_ENDINGS else notes).items():
            image.SetMetaData(clean(name, "header"), clean(text, "header"))
    return image


def _write_image(image: SimpleITK.Image, path: Path, volume: Volume) -> None:
    """Write into an empty folder. Raises RuntimeError, OSError, ValueError."""
    import SimpleITK as sitk

    ending = last_part(path)
    # ITK writes by endings in lower case. Only a header with data beside it must have its name from the start, and
    # where the data's would be misread, they go into the header.
    written = path.with_name(f"whole{ending}")
    if ending == ".mhd":
        written = path.with_name("whole.mha") if _ODD_DATA_NAME.search(path.name) else path
    stated = stated_of(volume) if ending in NIFTI_ENDINGS and image.GetDimension() == 3 else None
    plain = written if stated is None else written.with_name("whole.nii")
    # Creating the file here gives the system's own reason, where ITK only writes to stderr that it could not.
    plain.touch(exist_ok=False)
    # Least compression of volumes: a sixth more on disk than by ITK's own choice, in half the time.
    level = 1 if ending in VOLUME_ENDINGS else -1
    with silent_itk():
        sitk.WriteImage(image, str(plain), useCompression=not plain.name.endswith(".nii"), compressionLevel=level)
    if stated is not None:
        write_stated(plain, stated)
        if plain != written:
            compress(plain, written, level)
            plain.unlink()
    if written != path:
        os.replace(written, path)


def _reason(error: Exception, path: Path, volume: Volume) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if not os.access(path.parent, os.W_OK):
        return "its folder is not writable"
    if shutil.disk_usage(path.parent).free < volume.array.nbytes:
        return "the disk is full"
    return "the format cannot hold it, or the disk is full or failing"
