"""A volume: array plus geometry."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    import SimpleITK


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and where they lie.

    array: (c, z, y, x), c = 1 for scalar volumes and 3 for colour; any numeric type.
    spacing, origin: (x, y, z) in mm, LPS. direction: 3x3, columns are the directions of x, y, z (ITK convention).
    is_2d: the file held a plane picture, which is a volume of one slice.
    metadata: harmless tags such as Modality; never a patient's name or identifiers.
    """

    array: np.ndarray
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: np.ndarray = field(default_factory=lambda: np.eye(3))
    is_2d: bool = False
    metadata: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.array.ndim != 4:
            raise InputError(f"A volume's array has four axes (channel, z, y, x), not {self.array.ndim}.")

    @property
    def channels(self) -> int:
        return self.array.shape[0]

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along (x, y, z)."""
        return self.array.shape[3], self.array.shape[2], self.array.shape[1]

    def with_array(self, array: np.ndarray) -> Volume:
        """Another array (c, z, y, x) on the same grid."""
        return replace(self, array=array)

    def same_grid(self, other: Volume, tolerance: float = 1e-4) -> bool:
        """Whether both have equal size and, within ``tolerance`` of a voxel (and radian), equal geometry."""
        return (
            self.size == other.size
            and np.allclose(self.spacing, other.spacing, rtol=tolerance, atol=0)
            and np.allclose(self.origin, other.origin, rtol=0, atol=tolerance * max(self.spacing) * max(self.size))
            and np.allclose(self.direction, other.direction, rtol=0, atol=tolerance)
        )

    def to_sitk(self) -> SimpleITK.Image:
        """The same as a SimpleITK image (3-D; a vector image for colour)."""
        import SimpleITK as sitk

        if self.channels == 1:
            image = sitk.GetImageFromArray(self.array[0])
        else:
            image = sitk.GetImageFromArray(np.ascontiguousarray(np.moveaxis(self.array, 0, -1)), isVector=True)
        image.SetSpacing([float(value) for value in self.spacing])
        image.SetOrigin([float(value) for value in self.origin])
        image.SetDirection(np.asarray(self.direction, float).ravel().tolist())
        return image

    @staticmethod
    def from_sitk(image: SimpleITK.Image, metadata: dict[str, str] | None = None) -> Volume:
        """From a SimpleITK image of two or three dimensions. Raises InputError for other shapes."""
        import SimpleITK as sitk

        dimension = image.GetDimension()
        if dimension not in (2, 3):
            raise InputError(f"An image of {dimension} dimensions is not a volume; give one time point of a series.")
        array = sitk.GetArrayFromImage(image)
        channels = image.GetNumberOfComponentsPerPixel()
        array = np.moveaxis(array, -1, 0) if channels > 1 else array[None]
        direction = np.asarray(image.GetDirection(), float).reshape(dimension, dimension)
        spacing, origin = tuple(image.GetSpacing()), tuple(image.GetOrigin())
        if dimension == 2:
            array = array[:, None]
            whole = np.eye(3)
            whole[:2, :2] = direction
            direction, spacing, origin = whole, (*spacing, 1.0), (*origin, 0.0)
        return Volume(np.ascontiguousarray(array), spacing, origin, direction, dimension == 2, metadata or {})


def check_volume(volume: Volume, name: str = "The volume") -> None:
    """Raise InputError with one sentence for volumes no style can be applied to."""
    array = volume.array
    if array.size == 0:
        raise InputError(f"{name} is empty.")
    if volume.channels not in (1, 3):
        raise InputError(f"{name} has {volume.channels} channels; scalar (1) and colour (3) volumes can be used.")
    if np.issubdtype(array.dtype, np.complexfloating):
        raise InputError(f"{name} holds complex numbers.")
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise InputError(f"{name} holds NaN or infinite values.")
    if array.min() == array.max():
        raise InputError(f"{name} is constant: every voxel is {array.flat[0]:g}.")
    determinant = float(np.linalg.det(volume.direction))
    if not np.isfinite(determinant) or abs(abs(determinant) - 1) > 0.02 or min(volume.spacing) <= 0:
        raise InputError(f"{name} has an unusable geometry (spacing or direction).")
