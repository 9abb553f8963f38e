"""A displacement on a grid along the patient's axes, as viewers take it."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.volumes.volume import Volume

GRID_MM = 4.0
BEYOND_MM = 12.0  # of the volume's box; there, the displacement falls to 0


def displacement_along_axes(
    displacement: sitk.Image, fixed: Volume
) -> tuple[np.ndarray, tuple[float, float, float], tuple[float, float, float]]:
    """Sample a displacement.

    Args:
        displacement: Vector image, mm LPS; 0 outside of its grid.
        fixed: The volume around which it is sampled.

    Returns:
        (z, y, x, 3) float64 along L, P and S, spacing and origin in mm.
    """
    corners = fixed.corners()
    low, high = corners.min(0) - BEYOND_MM, corners.max(0) + BEYOND_MM
    size = np.ceil((high - low) / GRID_MM).astype(int) + 1
    frame = sitk.Image([int(count) for count in size], sitk.sitkUInt8)
    frame.SetOrigin(low.tolist())
    frame.SetSpacing([GRID_MM] * 3)
    place = sitk.Transform(3, sitk.sitkIdentity)
    sampled = sitk.Resample(displacement, frame, place, sitk.sitkLinear, 0.0, sitk.sitkVectorFloat64)
    return sitk.GetArrayFromImage(sampled), (GRID_MM,) * 3, tuple(low.tolist())
