"""Where a volume node lies: RAS matrices of MRML to the engine's LPS spacing, origin and direction, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
ROUNDING = 1e-12  # relative, of what a few products of matrices lose
SHEAR = 0.02  # largest deviation from right angles that the engine takes


@dataclass(frozen=True, eq=False)
class Geometry:
    """spacing and origin (x, y, z) in mm, LPS; direction 3x3, columns are the directions of x, y, z."""

    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: np.ndarray
    is_2d: bool

    def key(self) -> tuple:
        """Equal where the geometry is."""
        return (*self.spacing, *self.origin, *self.direction.ravel().tolist())


def of_volume(node: object, relative_to: object | None = None) -> Geometry:
    """The geometry of a volume node without its parent transform, or as another node's coordinates see it.

    Raises ValueError with a sentence for a transform between the two that bends or shears.
    """
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    values = slicer.util.arrayFromVTKMatrix(matrix)
    if relative_to is not None:
        values = matrix_between(node, relative_to) @ values
    values = LPS_FROM_RAS @ values
    spacing = np.array([stated(float(length)) for length in np.linalg.norm(values[:3, :3], axis=0)])
    direction = values[:3, :3] / np.where(spacing > 0, spacing, 1)
    if relative_to is not None and not np.allclose(direction.T @ direction, np.eye(3), atol=SHEAR):
        raise ValueError(
            _("{name} is sheared or scaled by its transform; harden the transform first.").format(name=node.GetName())
        )
    size = node.GetImageData().GetDimensions()
    return Geometry(
        tuple(spacing.tolist()), tuple(values[:3, 3].tolist()), direction, is_2d=size[2] == 1 and _is_picture(node)
    )


def stated(length: float) -> float:
    """The spacing that a file has stated, of which matrices lose the last bits: a short decimal or in single precision.

    The engine reads it from the file as it stands there, and results may hang on its last bit, as those of N4 do.
    """
    likely = (round(length, 6), float(np.float32(length)))
    return next((value for value in likely if abs(value - length) <= ROUNDING * length), length)


def place(node: object, relative_to: object) -> tuple:
    """Where a volume or segmentation lies as another node sees it; equal as long as nothing of it has moved."""
    first, second = node.GetParentTransformNode(), relative_to.GetParentTransformNode()
    values: list[float] = []
    if node.IsA("vtkMRMLVolumeNode"):
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        values = slicer.util.arrayFromVTKMatrix(matrix).ravel().tolist()
    if first is second:
        return tuple(values)
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(first, second, transform)
    corners = ((0, 0, 0), (100, 0, 0), (0, 100, 0), (0, 0, 100))
    return (*values, *(value for corner in corners for value in transform.TransformPoint(*corner)))


def _is_picture(node: object) -> bool:
    """Whether a volume of one slice is a picture without a place in space: pixels of 1 mm at the origin's axes."""
    return all(abs(value - 1) < 1e-6 for value in node.GetSpacing())


def matrix_between(node: object, other: object) -> np.ndarray:
    """4x4: the coordinates of one node (RAS, inside its transforms) to those of another."""
    first, second = node.GetParentTransformNode(), other.GetParentTransformNode()
    if first is second:
        return np.eye(4)
    if not (first.IsTransformToNodeLinear(second) if first is not None else second.IsTransformToNodeLinear(None)):
        raise ValueError(
            _("{name} is under a transform that is not linear; harden it first.").format(name=node.GetName())
        )
    matrix = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(first, second, matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def world_to_volume(node: object, position_ras: tuple[float, float, float]) -> tuple[float, float, float]:
    """A position in the world (RAS) to the engine's coordinates of a volume (LPS, inside its parent transform)."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, node.GetParentTransformNode(), transform)
    r, a, s = transform.TransformPoint(*position_ras)
    return -r, -a, s


def set_from_lps(node: object, spacing: list, origin: list, direction: list) -> None:
    """Give a volume node a geometry that the engine states."""
    values = np.eye(4)
    values[:3, :3] = np.asarray(direction, float) * np.asarray(spacing, float)
    values[:3, 3] = origin
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_FROM_RAS @ values))


def copy(source: object, target: object) -> None:
    """Give a volume node exactly another's grid and parent transform."""
    matrix = vtk.vtkMatrix4x4()
    source.GetIJKToRASMatrix(matrix)
    target.SetIJKToRASMatrix(matrix)
    target.SetAndObserveTransformNodeID(source.GetTransformNodeID())
