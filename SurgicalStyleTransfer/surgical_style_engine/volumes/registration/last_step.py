"""The last step of a linear registration that was found by other means: uphill in mutual information.

A translation has the other contrast's edges where it believes them to be; the volumes themselves are the surer judges
of the last tenths of a millimetre. From so near, mutual information does not lose its way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.volumes.volume import Volume

from .alike.register import Found
from .register import float_image, mask_image_of
from .search import LEVELS_MM, Cancel, climb, pyramid
from .similarity import mutual_information
from .transforms import as_affine, stretches_plausibly


def with_last_step(
    fixed: Volume, moving: Volume, by: Found, mask: np.ndarray | None = None, cancelled: Cancel = None
) -> Found:
    """Improve a rigid or affine transform by the mutual information of the two volumes, on the finest grid.

    Args:
        fixed: Scalar 3-D.
        moving: Scalar 3-D, as it is, not its translation.
        by: What was found.
        mask: Bool (z, y, x) on the fixed grid.
        cancelled: Asked at every iteration.

    Returns:
        The better transform, or what was found where mutual information is not higher, or only by a stretch that
        scanners do not make.

    Raises:
        InputError: Where the two hardly overlap.
        Cancelled: Once ``cancelled`` says so.
    """
    images = float_image(fixed, "fixed"), float_image(moving, "moving")
    mask_image = None if mask is None else mask_image_of(mask, images[0])
    first, second = (pyramid(image, LEVELS_MM[-1:])[0] for image in images)
    start = as_affine(by.linear) if by.kind == "affine" else sitk.VersorRigid3DTransform(by.linear)
    better, steps = climb(first, second, start, mask_image, LEVELS_MM[-1], cancelled)
    values = [mutual_information(first, second, each, mask_image) for each in (better, by.linear)]
    if not values[0] > values[1] or (by.kind == "affine" and not stretches_plausibly(better)):
        return by
    method = f"{by.method}, then mutual information"
    return replace(by, transform=better, linear=better, steps=by.steps + steps, method=method)
