"""The names of reading, writing and formats together, as callers of version 0.1.0 import them."""

from __future__ import annotations

from .formats import (
    NIFTI_ENDINGS,
    PICTURE_ENDINGS,
    VOLUME_ENDINGS,
    WRITABLE_ENDINGS,
    ending_of,
    is_volume_file,
    list_volumes,
)
from .itk import silent_itk
from .read import read_volume
from .write import check_output, write_volume

__all__ = [
    "NIFTI_ENDINGS",
    "PICTURE_ENDINGS",
    "VOLUME_ENDINGS",
    "WRITABLE_ENDINGS",
    "check_output",
    "ending_of",
    "is_volume_file",
    "list_volumes",
    "read_volume",
    "silent_itk",
    "write_volume",
]
