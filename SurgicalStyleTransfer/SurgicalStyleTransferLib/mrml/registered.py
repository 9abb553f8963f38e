"""A registration in the scene: transform nodes above the moved volume, and how the scene was before."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from . import geometry as mrml_geometry
from . import outputs


@dataclass
class Registered:
    """What a registration has put into the scene, by ID.

    Attributes:
        moving_id: the volume that was moved.
        before_id: of the transform that it was under; "" for none.
        transform_ids: the new transforms, the outermost first.
        output_id: the copy of the moved volume on the fixed one's grid.
    """

    moving_id: str
    before_id: str
    transform_ids: list[str] = field(default_factory=list)
    output_id: str = ""


def put_under(moving: object, fixed: object, name: str, answer: dict, displacement: np.ndarray | None) -> Registered:
    """Lay a volume over another by new transforms above it; its voxels stay as they are.

    Args:
        moving: volume node.
        fixed: volume node; a transform that it is under stays above both.
        name: of the transforms.
        answer: of the worker, with ``matrix`` (LPS) and ``displacement``.
        displacement: (z, y, x, 3) mm LPS on the grid that the answer states, or None.

    Returns:
        What to undo.
    """
    registered = Registered(moving.GetID(), moving.GetTransformNodeID() or "")
    # How the fixed volume sees the moving one now: what the worker was told.
    seen = mrml_geometry.matrix_between(moving, fixed)
    linear = np.linalg.inv(seen) @ mrml_geometry.LPS_FROM_RAS @ np.array(answer["matrix"]) @ mrml_geometry.LPS_FROM_RAS
    above = fixed.GetTransformNodeID()
    if displacement is not None:
        grid = _new("vtkMRMLGridTransformNode", name)
        grid.SetAndObserveTransformFromParent(_grid_transform(displacement, answer["displacement"]))
        grid.SetAndObserveTransformNodeID(above)
        registered.transform_ids.append(grid.GetID())
        above = grid.GetID()
    node = _new("vtkMRMLLinearTransformNode", name)
    node.SetMatrixTransformFromParent(slicer.util.vtkMatrixFromArray(linear))
    node.SetAndObserveTransformNodeID(above)
    registered.transform_ids.append(node.GetID())
    moving.SetAndObserveTransformNodeID(node.GetID())
    return registered


def undo(registered: Registered) -> None:
    """Put the moved volume back under what it was under, and remove what the registration has made."""
    scene = slicer.mrmlScene
    moving = scene.GetNodeByID(registered.moving_id)
    if moving is not None and moving.GetTransformNodeID() in registered.transform_ids:
        before = scene.GetNodeByID(registered.before_id) if registered.before_id else None
        moving.SetAndObserveTransformNodeID(None if before is None else before.GetID())
    for node_id in reversed(registered.transform_ids):
        node = scene.GetNodeByID(node_id)
        if node is not None:
            scene.RemoveNode(node)
    output = scene.GetNodeByID(registered.output_id) if registered.output_id else None
    if output is not None:
        outputs.remove_volume(output)


def _new(kind: str, name: str) -> object:
    return slicer.mrmlScene.AddNewNodeByClass(kind, slicer.mrmlScene.GenerateUniqueName(name))


def _grid_transform(displacement: np.ndarray, grid: dict) -> object:
    """A displacement in LPS as VTK's transform in RAS: the axes to Left and Posterior are turned over."""
    values = np.ascontiguousarray(displacement[:, ::-1, ::-1] * np.array([-1.0, -1.0, 1.0]))
    depth, height, width = values.shape[:3]
    spacing, first = grid["spacing"], grid["origin"]
    image = vtk.vtkImageData()
    image.SetDimensions(width, height, depth)
    image.SetSpacing(*spacing)
    image.SetOrigin(-(first[0] + (width - 1) * spacing[0]), -(first[1] + (height - 1) * spacing[1]), first[2])
    image.AllocateScalars(vtk.VTK_DOUBLE, 3)
    scalars = image.GetPointData().GetScalars()
    numpy_support.vtk_to_numpy(scalars)[:] = values.reshape(-1, 3)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(image)
    transform.SetInterpolationModeToLinear()
    return transform
