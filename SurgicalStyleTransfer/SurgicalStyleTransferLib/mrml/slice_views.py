"""The slice views of the layout, of which there are none where Slicer runs without its main window."""

from __future__ import annotations

import slicer
import vtk


def slice_widgets() -> dict[str, object]:
    """Slice widgets by the names of their views, in the layout's order."""
    manager = slicer.app.layoutManager()
    return {} if manager is None else {name: manager.sliceWidget(name) for name in manager.sliceViewNames()}


def center_on(node: object, position_lps: list[float]) -> None:
    """Centre every slice view on a place.

    Args:
        node: a volume.
        position_lps: mm, LPS, inside the volume's parent transform.
    """
    x, y, z = position_lps
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, transform)
    place = transform.TransformPoint(-x, -y, z)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *place, slicer.vtkMRMLSliceNode.CenteredJumpSlice)
