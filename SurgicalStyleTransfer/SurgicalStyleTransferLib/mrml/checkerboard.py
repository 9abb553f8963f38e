"""Two volumes on one grid as the squares of a checkerboard: a temporary volume, made by VTK as they are displayed."""

from __future__ import annotations

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from . import geometry as mrml_geometry
from . import outputs
from .observers import Observers

SQUARE_MM = 20.0
DELAY_MS = 50  # after a change of a volume or its window, of which dragging makes many


class Checkerboard:
    """Keeps the temporary volume up to date; it is hidden from selectors and not saved with the scene."""

    def __init__(self) -> None:
        self._node_id = ""
        self._of: tuple[str, str] = ("", "")
        self._key: tuple = ()
        self._observers = Observers()
        self._timer = qt.QTimer()
        self._timer.singleShot = True
        self._timer.connect("timeout()", self.refresh)

    @property
    def node(self) -> object | None:
        """The volume that shows it, while there is one."""
        return slicer.mrmlScene.GetNodeByID(self._node_id) if self._node_id else None

    def show(self, first: object, second: object) -> object:
        """Make it of two volumes of one size, or make it anew.

        Args:
            first: on whose grid it lies.
            second: of the same size.

        Returns:
            Its volume node.
        """
        self._of = first.GetID(), second.GetID()
        colour = 3 in (_components(first), _components(second))
        node = self.node
        if node is not None and node.IsA("vtkMRMLVectorVolumeNode") != colour:
            self.remove()
            self._of = first.GetID(), second.GetID()
            node = None
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass(outputs.volume_class(3 if colour else 1))
            node.UnRegister(None)
            node.SetName(slicer.mrmlScene.GenerateUniqueName(_("Checkerboard")))
            node.SetHideFromEditors(True)
            node.SetSaveWithScene(False)
            slicer.mrmlScene.AddNode(node)
            self._node_id = node.GetID()
        self._key = self._state(first, second)
        self._observe(first, second)
        board = vtk.vtkImageCheckerboard()
        board.SetInputData(0, _as_displayed(first, colour))
        board.SetInputData(1, _as_displayed(second, colour))
        board.SetNumberOfDivisions(*divisions(first))
        board.Update()
        image = vtk.vtkImageData()
        image.DeepCopy(board.GetOutput())
        node.SetAndObserveImageData(image)
        mrml_geometry.copy(first, node)
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
            if node.GetDisplayNode() is not None:
                node.GetDisplayNode().SetSaveWithScene(False)
        if node.GetDisplayNode() is not None and not colour:
            node.GetDisplayNode().SetAutoWindowLevel(False)
            node.GetDisplayNode().SetWindowLevelMinMax(0, 255)
        return node

    def refresh(self) -> None:
        """Make it anew if a volume or its window has changed."""
        if self.node is None:
            return
        first, second = (slicer.mrmlScene.GetNodeByID(node_id) for node_id in self._of)
        if first is not None and second is not None and self._state(first, second) != self._key:
            self.show(first, second)

    def concerns(self, node_id: str) -> bool:
        """Whether it shows this volume."""
        return self.node is not None and node_id in self._of

    def remove(self) -> None:
        """Take it out of the scene."""
        node = self.node
        self.forget()
        if node is not None:
            outputs.remove_volume(node)

    def forget(self) -> None:
        """The scene is gone."""
        self._node_id, self._of, self._key = "", ("", ""), ()
        self._timer.stop()
        self._observe()

    def _observe(self, *nodes: object) -> None:
        """Follow these volumes, their windows and transforms, and no others."""
        self._observers.clear()
        for node in nodes:
            for event in (
                vtk.vtkCommand.ModifiedEvent,
                slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
                slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent,
                slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
            ):
                self._observers.add(node, event, lambda: self._timer.start(DELAY_MS))

    @staticmethod
    def _state(first: object, second: object) -> tuple:
        return tuple(
            (node.GetImageData().GetMTime(), node.GetTransformNodeID(), _window(node, node.GetDisplayNode()))
            for node in (first, second)
        )


def divisions(node: object) -> tuple[int, int, int]:
    """How many squares of about SQUARE_MM a volume has along i, j, k; at least one each, at most one a voxel."""
    size, spacing = node.GetImageData().GetDimensions(), node.GetSpacing()
    return tuple(max(1, min(count, round(count * mm / SQUARE_MM))) for count, mm in zip(size, spacing, strict=True))


def _components(node: object) -> int:
    return node.GetImageData().GetNumberOfScalarComponents()


def _window(node: object, display: object | None) -> tuple[float, float]:
    """Window and level; of colours and undisplayed volumes the whole range."""
    if display is not None and _components(node) == 1 and display.GetWindow() > 0:
        return display.GetWindow(), display.GetLevel()
    low, high = (0.0, 255.0) if _components(node) == 3 else node.GetImageData().GetScalarRange()
    return max(high - low, 1e-6), (low + high) / 2


def _as_displayed(node: object, colour: bool) -> object:
    """8-bit image data of what a volume looks like through its window."""
    window, level = _window(node, node.GetDisplayNode())
    mapping = vtk.vtkImageMapToWindowLevelColors()
    mapping.SetInputData(node.GetImageData())
    mapping.SetWindow(window)
    mapping.SetLevel(level)
    if colour:
        mapping.SetOutputFormatToRGB()
    else:
        mapping.SetOutputFormatToLuminance()
    mapping.Update()
    return mapping.GetOutput()
