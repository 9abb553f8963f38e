"""What a registration that was found by other means than ``register`` is worth, in the same figures."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

from .alike.register import Found
from .register import RegistrationResult, float_image, mask_image_of, resampled
from .search import LEVELS_MM, MINIMUM_OVERLAP, pyramid
from .similarity import chance, covered_voxels, mutual_information, overlap
from .transforms import angle, identity, shift_of_centre, stretch


def delivered(fixed: Volume, moving: Volume, by: Found, mask: np.ndarray | None = None) -> RegistrationResult:
    """Resample a volume by a transform, and measure how well it fits, as ``register_rigid`` does.

    Args:
        fixed: Whose grid the result gets.
        moving: To be moved.
        by: The transform, and how it came about.
        mask: Bool (z, y, x) on the fixed grid.

    Raises:
        InputError: Where the two hardly overlap.
    """
    images = float_image(moving, "moving"), float_image(fixed, "fixed")
    mask_image = None if mask is None else mask_image_of(mask, images[1])
    moving_level, fixed_level = (pyramid(image, LEVELS_MM[-1:])[0] for image in images)
    covered = overlap(fixed_level, moving_level, by.transform, mask_image)
    if covered < MINIMUM_OVERLAP:
        raise InputError(f"The registration failed: the volumes overlap by {100 * covered:.0f} % only.")
    levels = fixed_level, moving_level
    first, then = (by.linear, None) if by.displacement is None else (identity(fixed_level), by.transform)
    return RegistrationResult(
        transform=by.transform,
        moved=resampled(moving, fixed, images, by.transform),
        metric=mutual_information(*levels, first, mask_image, then),
        metric_before=mutual_information(fixed_level, moving_level, identity(fixed_level), mask_image),
        iterations=by.steps,
        initializer=by.initializer,
        overlap=covered,
        coverage=covered_voxels(images[1], images[0], by.transform),
        rotation_deg=angle(by.linear),
        translation_mm=shift_of_centre(by.transform, images[1]),
        kind=by.kind,
        stretch=stretch(by.linear),
        chance=chance(*levels, first, mask_image, then),
        method=by.method,
    )
