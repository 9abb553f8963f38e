"""A volume: array plus geometry."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.errors import InputError

if TYPE_CHECKING:
    import SimpleITK

LARGEST_VALUE = 1e15  # of a voxel; its square fits into single precision
# What a header can say, and no scanner or microscope: a nanometre, a kilometre, and a thousand of these.
SMALLEST_MM, LARGEST_MM, FARTHEST_MM = 1e-6, 1e6, 1e9


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and where they lie.

    Attributes:
        array: (c, z, y, x), c = 1 for scalar volumes and 3 for colour; any numeric type.
        spacing: (x, y, z) in mm.
        origin: (x, y, z) in mm, LPS, of the first voxel's centre.
        direction: 3x3, columns are the directions of x, y, z (ITK convention).
        is_2d: The file held a plane picture, which is a volume of one slice.
        metadata: Harmless tags such as Modality; never a patient's name or identifiers. "Warning" holds a sentence on
            what was odd about the file, where something was.
        name: The file it was read from, for messages only; never stored.
        stated: How the file states the place, for a writer of the same format to state it in the same bits; for NIfTI a
            ``imageio.nifti_stated.StatedPlace``. It counts only as long as the grid is the one that was read.

    Example:
        >>> volume = Volume(np.zeros((1, 24, 256, 192), np.int16), spacing=(0.9, 0.9, 6.0))
        >>> volume.size, volume.channels
        ((192, 256, 24), 1)
        >>> volume.corners()[-1].round(1).tolist()
        [171.9, 229.5, 138.0]
    """

    array: np.ndarray
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: np.ndarray = field(default_factory=lambda: np.eye(3))
    is_2d: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    name: str = ""
    stated: object | None = None

    def __post_init__(self) -> None:
        """Raise InputError for an array that has not four axes."""
        if self.array.ndim != 4:
            raise InputError(f"A volume's array has four axes (channel, z, y, x), not {self.array.ndim}.")

    @property
    def channels(self) -> int:
        """1 for scalar volumes, 3 for colours."""
        return self.array.shape[0]

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along (x, y, z)."""
        return self.array.shape[3], self.array.shape[2], self.array.shape[1]

    def with_array(self, array: np.ndarray) -> Volume:
        """Return another array (c, z, y, x) on the same grid; it is no longer what the file held, so the name goes."""
        return replace(self, array=array, name="")

    def corners(self) -> np.ndarray:
        """Return the (8, 3) positions of the outermost voxels' centres, mm LPS."""
        return corners_of(np.column_stack([np.asarray(self.direction) * self.spacing, self.origin]), self.size)

    def same_grid(self, other: Volume, tolerance: float = 0.01) -> bool:
        """Whether every voxel has its counterpart in the same place, within ``tolerance`` of the smallest spacing.

        The tolerance covers formats that store geometry in single precision (NIfTI) or as rounded text.
        """
        if self.size != other.size or not np.allclose(self.spacing, other.spacing, rtol=tolerance, atol=0):
            return False
        if not np.allclose(self.direction, other.direction, rtol=0, atol=tolerance):
            return False
        distance = np.linalg.norm(self.corners() - other.corners(), axis=1)
        return bool((distance <= tolerance * min(self.spacing)).all())

    def to_sitk(self) -> SimpleITK.Image:
        """Return a SimpleITK image (3-D; a vector image for colour). Types ITK lacks become the next larger."""
        import SimpleITK as sitk

        array = _known_to_itk(self.array)
        if self.channels == 1:
            image = sitk.GetImageFromArray(array[0])
        else:
            image = sitk.GetImageFromArray(np.ascontiguousarray(np.moveaxis(array, 0, -1)), isVector=True)
        image.SetSpacing([float(value) for value in self.spacing])
        image.SetOrigin([float(value) for value in self.origin])
        image.SetDirection(np.asarray(self.direction, float).ravel().tolist())
        return image

    @staticmethod
    def from_sitk(image: SimpleITK.Image, metadata: dict[str, str] | None = None) -> Volume:
        """Take a SimpleITK image of two or three dimensions. Raises InputError for other shapes."""
        import SimpleITK as sitk

        dimension = image.GetDimension()
        if dimension not in (2, 3):
            raise InputError(f"An image of {dimension} dimensions is not a volume; give one time point of a series.")
        array = sitk.GetArrayFromImage(image)
        array = np.moveaxis(array, -1, 0) if image.GetNumberOfComponentsPerPixel() > 1 else array[None]
        direction = np.asarray(image.GetDirection(), float).reshape(dimension, dimension)
        spacing, origin = tuple(image.GetSpacing()), tuple(image.GetOrigin())
        if dimension == 2:
            array = array[:, None]
            whole = np.eye(3)
            whole[:2, :2] = direction
            direction, spacing, origin = whole, (*spacing, 1.0), (*origin, 0.0)
        return Volume(np.ascontiguousarray(array), spacing, origin, direction, dimension == 2, metadata or {})


def corners_of(form: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
    """Find the outermost voxels' centres.

    Args:
        form: (3, 4) from voxel (x, y, z) to mm.
        size: (x, y, z) in voxels.

    Returns:
        (8, 3) mm.
    """
    index = np.array(np.meshgrid(*((0, count - 1) for count in size), indexing="ij"), float).reshape(3, 8)
    return (form[:, :3] @ index).T + form[:, 3]


def _known_to_itk(array: np.ndarray) -> np.ndarray:
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def check_volume(volume: Volume, name: str | None = None) -> None:
    """Refuse volumes that no style can be applied to.

    Args:
        volume: Any.
        name: Begins the sentence; by default the file's name.

    Raises:
        InputError: With one sentence: empty, constant, NaN or infinite values, channels other than 1 or 3, no usable
            geometry.
    """
    name = name or (f"The volume {volume.name}" if volume.name else "The volume")
    array = volume.array
    if array.size == 0:
        raise InputError(f"{name} is empty.")
    if volume.channels not in (1, 3):
        raise InputError(f"{name} has {volume.channels} channels; scalar (1) and colour (3) volumes can be used.")
    if np.issubdtype(array.dtype, np.complexfloating):
        raise InputError(f"{name} holds complex numbers.")
    if array.dtype != bool and not np.issubdtype(array.dtype, np.number):
        raise InputError(f"{name} holds values of type {array.dtype}, not numbers.")
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise InputError(f"{name} holds NaN or infinite values.")
    if array.min() == array.max():
        raise InputError(f"{name} is constant: every voxel is {float(array.flat[0]):g}.")
    if max(abs(float(array.min())), abs(float(array.max()))) > LARGEST_VALUE:
        raise InputError(f"{name} holds values that no image has, up to {float(np.abs(array).max()):.3g}.")
    numbers = [*volume.spacing, *volume.origin, *np.ravel(volume.direction)]
    # A direction that is no rotation (or reflection) shears the grid: lengths and angles would come out wrong.
    if (
        not np.isfinite(numbers).all()
        or not SMALLEST_MM <= min(volume.spacing) <= max(volume.spacing) <= LARGEST_MM
        or max(map(abs, volume.origin)) > FARTHEST_MM
        or not np.allclose(np.asarray(volume.direction).T @ volume.direction, np.eye(3), atol=0.02)
    ):
        raise InputError(f"{name} has an unusable geometry (spacing, origin or direction).")
