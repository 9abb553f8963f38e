"""Rigid or affine registration of two volumes of one patient, whatever their contrasts.

``register`` finds the transform, by the search in ``search`` over the measure in ``similarity``; ``transforms``
measures transforms and writes them to files.
"""

from .register import (
    NOTHING_COMMON,
    RegistrationResult,
    fits_better_than_displaced,
    register_affine,
    register_rigid,
)
from .similarity import mutual_information
from .transforms import LARGEST_STRETCH, TRANSFORM_ENDINGS, write_transform

__all__ = [
    "LARGEST_STRETCH",
    "NOTHING_COMMON",
    "TRANSFORM_ENDINGS",
    "RegistrationResult",
    "fits_better_than_displaced",
    "mutual_information",
    "register_affine",
    "register_rigid",
    "write_transform",
]
