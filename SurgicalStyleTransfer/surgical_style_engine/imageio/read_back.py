"""Whether a file that was just written gives back what was written; only then may it take its final name.

ITK's writers do not notice every failed write (a full disk), nor every geometry that a format cannot hold.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume, corners_of

from .formats import JPEG_ENDINGS, NIFTI_ENDINGS, last_part
from .integrity import check_whole, nifti_digest
from .itk import numpy_type, read_information
from .nifti_header import read_nifti_header
from .nifti_place import farthest_corner

if TYPE_CHECKING:
    import SimpleITK

SAME_PLACE = 0.01  # of a voxel, as in Volume.same_grid
_SAME_PLACE_EXACT = 1e-6  # of a voxel, in formats that keep double precision


class CannotHoldError(InputError):
    """The format is to blame, not the disk."""

    def __init__(self, path: Path) -> None:
        """Say that the file cannot hold the volume's axes."""
        super().__init__(
            f"The output {path.name} cannot hold the volume's axes, which are not at right angles; write a .nrrd "
            "instead."
        )


@dataclass(frozen=True)
class Fingerprint:
    """What is compared of an image.

    Attributes:
        size: (x, y, z) or (x, y) in voxels.
        type: The voxels' numpy type; empty where they are stored with loss.
        digest: SHA-256 of the voxels, hexadecimal; empty where they are stored with loss.
        in_pieces: Whether the file may be read a piece at a time: scalar NIfTI, whose reader would need the file's
            memory twice.
    """

    size: tuple[int, ...]
    type: str = ""
    digest: str = ""
    in_pieces: bool = False


def fingerprint(image: SimpleITK.Image, path: Path) -> Fingerprint:
    """Return what has to come back of an image from a file; path: its name, which says whether there is a loss."""
    import SimpleITK as sitk

    if last_part(path) in JPEG_ENDINGS:
        return Fingerprint(image.GetSize())
    voxels = sitk.GetArrayViewFromImage(image)
    in_pieces = image.GetNumberOfComponentsPerPixel() == 1 and last_part(path) in NIFTI_ENDINGS
    return Fingerprint(image.GetSize(), str(voxels.dtype), hashlib.sha256(voxels.data).hexdigest(), in_pieces)


def check_voxels(path: Path, expected: Fingerprint) -> None:
    """Compare the file's voxels with those that were written.

    Args:
        path: The file that was written.
        expected: The image's fingerprint.

    Raises:
        InputError: Where the file is damaged.
        RuntimeError: Where it does not give back the very voxels.
    """
    import SimpleITK as sitk

    if expected.in_pieces:
        header = read_information(path)
        announced = header.GetSize(), str(numpy_type(header.GetPixelID()))
        is_whole = nifti_digest(path) == expected.digest and announced == (expected.size, expected.type)
    else:
        check_whole(path)
        is_whole = fingerprint(sitk.ReadImage(str(path)), path) == expected
    if not is_whole:
        raise RuntimeError("incomplete file")


def check_place(path: Path, volume: Volume) -> None:
    """Compare the file's place with the volume's: by ITK's reading, and for NIfTI also by the form others prefer.

    Args:
        path: The file that was written.
        volume: What was written.

    Raises:
        CannotHoldError: Where the format cannot hold the geometry.
        RuntimeError: Where the file lies elsewhere for another reason.
    """
    reader = read_information(path)
    spacing, origin, direction = np.ones(3), np.zeros(3), np.eye(3)
    axes = reader.GetDimension()
    spacing[:axes], origin[:axes] = reader.GetSpacing(), reader.GetOrigin()
    direction[:axes, :axes] = np.reshape(reader.GetDirection(), (axes, axes))
    forms = [np.column_stack([direction * spacing, origin])]
    is_nifti = last_part(path) in NIFTI_ENDINGS
    if is_nifti and (header := read_nifti_header(path)) is not None:
        forms += list(header.forms.values())[:1]
    limit = (SAME_PLACE if is_nifti else _SAME_PLACE_EXACT) * min(volume.spacing)
    # Numbers themselves are rounded, coordinates far away from the origin the most.
    limit += float(np.finfo(np.float32 if is_nifti else np.float64).eps) * 4 * float(np.abs(volume.corners()).max())
    if all(farthest_corner(corners_of(form, volume.size), volume) <= limit for form in forms):
        return
    if is_nifti:
        raise CannotHoldError(path)
    raise RuntimeError("misplaced file")
