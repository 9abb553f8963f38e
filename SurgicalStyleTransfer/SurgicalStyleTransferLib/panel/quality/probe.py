"""What an image says under the mouse, and how far that may be trusted: "T2w 412 ± 60"."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.mrml.observers import Observers


class Probe:
    """Follows the crosshair's cursor while there is a bound."""

    def __init__(self, label: object) -> None:
        self._label = label
        self._observers = Observers()
        self._result: object | None = None
        self._bound: object | None = None
        self._limit = 0.0
        self.look_at(None, None, 0)

    def look_at(self, result: object | None, bound: object | None, limit: float) -> None:
        """Follow the mouse over an image; no more without one.

        Args:
            result: node of the image.
            bound: node of its error bound, on the same grid.
            limit: of the bound, from which nothing can be trusted.
        """
        self._observers.clear()
        self._result, self._bound, self._limit = result, bound, limit
        self._say("")
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if bound is not None and crosshair is not None:
            event = slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent
            self._observers.add(crosshair, event, lambda: self._moved(crosshair))

    def _moved(self, crosshair: object) -> None:
        place = [0.0, 0.0, 0.0]
        self._say(self.text_at(place) if crosshair.GetCursorPositionRAS(place) else "")

    def text_at(self, place: list[float]) -> str:
        """What is said of a place, mm RAS in the world; "" outside of the image.

        A voxel without a bound, which lies outside of the body, has none.
        """
        if self._result is None or self._result.GetImageData() is None or self._bound.GetImageData() is None:
            return ""
        index = voxel_at(self._result, place)
        dimensions = self._result.GetImageData().GetDimensions()
        if any(not 0 <= number < count for number, count in zip(index, dimensions, strict=True)):
            return ""
        value = self._result.GetImageData().GetScalarComponentAsDouble(*index, 0)
        if self._bound.GetImageData().GetDimensions() != dimensions:
            return ""
        bound = self._bound.GetImageData().GetScalarComponentAsDouble(*index, 0)
        target = self._result.GetAttribute(outputs.ATTRIBUTE_PREFIX + "SyntheticTo") or ""
        if bound < 0:
            return _("{target} {value:.3g}, outside of the body").format(target=target, value=value)
        text = _("{target} {value:.4g} ± {bound:.2g}").format(target=target, value=value, bound=bound)
        if bound >= self._limit:
            text = _("{text}, outside of what can be trusted here").format(text=text)
        return text

    def _say(self, text: str) -> None:
        self._label.text = text
        self._label.visible = bool(text)


def voxel_at(node: object, place: list[float]) -> list[int]:
    """(i, j, k) of the voxel of a volume at a place, mm RAS in the world; also outside of the volume."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, node.GetParentTransformNode(), transform)
    local = transform.TransformPoint(*place)
    matrix = vtk.vtkMatrix4x4()
    node.GetRASToIJKMatrix(matrix)
    index = matrix.MultiplyPoint([*local, 1.0])[:3]
    return [int(number) for number in np.floor(np.asarray(index) + 0.5)]
