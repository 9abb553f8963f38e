"""Comparing input and translation: side by side with linked slices, faded, or as a checkerboard; and back."""

from __future__ import annotations

from dataclasses import dataclass

import slicer
import vtk

from .checkerboard import Checkerboard
from .slice_views import slice_widgets


@dataclass
class _View:
    background: str | None
    foreground: str | None
    opacity: float
    linked: int
    hot_linked: int
    plane: vtk.vtkMatrix4x4
    field_of_view: tuple[float, float, float]


class Compare:
    """Changes layout and layers of the slice views, and remembers how they were."""

    def __init__(self) -> None:
        self._layout: int | None = None
        self._views: dict[str, _View] = {}
        self._board = Checkerboard()

    @property
    def active(self) -> bool:
        """Whether the views are changed."""
        return self._layout is not None

    def side_by_side(self, first: object, second: object) -> None:
        """The input in one slice view, the translation in the other, moving together."""
        manager = slicer.app.layoutManager()
        if manager is None:
            return
        self._remember()
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)
        widgets = [manager.sliceWidget(name) for name in ("Red", "Yellow")]
        orientation = widgets[0].mrmlSliceNode().GetOrientation()
        # An oblique view has none of the presets' names; its plane is copied below all the same.
        is_preset = widgets[0].mrmlSliceNode().HasSliceOrientationPreset(orientation)
        for widget, node in zip(widgets, (first, second), strict=True):
            if is_preset:
                widget.mrmlSliceNode().SetOrientation(orientation)
            composite = widget.mrmlSliceCompositeNode()
            composite.SetBackgroundVolumeID(node.GetID())
            composite.SetForegroundVolumeID(None)
            composite.SetLinkedControl(1)
            composite.SetHotLinkedControl(1)
        matrix = widgets[0].mrmlSliceNode().GetSliceToRAS()
        widgets[1].mrmlSliceNode().GetSliceToRAS().DeepCopy(matrix)
        widgets[1].mrmlSliceNode().UpdateMatrices()

    def fade(self, first: object, second: object, opacity: float) -> None:
        """The translation over the input in every slice view."""
        if self.active:
            self.restore()
        self._remember()
        for composite in self._composites():
            composite.SetBackgroundVolumeID(first.GetID())
            composite.SetForegroundVolumeID(second.GetID())
            composite.SetForegroundOpacity(opacity)

    def checkerboard(self, first: object, second: object) -> None:
        """Squares of the input and of the translation in turn, in every slice view."""
        if self.active:
            self.restore()
        self._remember()
        node = self._board.show(first, second)
        for composite in self._composites():
            composite.SetBackgroundVolumeID(node.GetID())
            composite.SetForegroundVolumeID(None)

    def refresh(self) -> None:
        """What is shown follows the volumes and their windows."""
        self._board.refresh()

    def concerns(self, node_id: str) -> bool:
        """Whether what is shown cannot stay without this volume."""
        return self._board.concerns(node_id)

    def set_opacity(self, opacity: float) -> None:
        """Another opacity of the translation while it is faded."""
        if self.active:
            for composite in self._composites():
                composite.SetForegroundOpacity(opacity)

    def restore(self) -> None:
        """The layout, layers, links and planes from before."""
        if self._layout is None:
            return
        manager = slicer.app.layoutManager()
        manager.setLayout(self._layout)
        for name, before in self._views.items():
            widget = manager.sliceWidget(name)
            if widget is None:
                continue
            composite = widget.mrmlSliceCompositeNode()
            composite.SetLinkedControl(before.linked)
            composite.SetHotLinkedControl(before.hot_linked)
            composite.SetBackgroundVolumeID(_existing(before.background))
            composite.SetForegroundVolumeID(_existing(before.foreground))
            composite.SetForegroundOpacity(before.opacity)
            node = widget.mrmlSliceNode()
            node.GetSliceToRAS().DeepCopy(before.plane)
            node.SetFieldOfView(*before.field_of_view)
            node.UpdateMatrices()
        self._layout, self._views = None, {}
        self._board.remove()

    def forget(self) -> None:
        """The scene is gone; there is nothing to restore."""
        self._board.forget()
        self._layout, self._views = None, {}

    def _remember(self) -> None:
        manager = slicer.app.layoutManager()
        if self.active or manager is None:
            return
        self._layout = manager.layout
        for name, widget in slice_widgets().items():
            composite, node = widget.mrmlSliceCompositeNode(), widget.mrmlSliceNode()
            plane = vtk.vtkMatrix4x4()
            plane.DeepCopy(node.GetSliceToRAS())
            self._views[name] = _View(
                composite.GetBackgroundVolumeID(),
                composite.GetForegroundVolumeID(),
                composite.GetForegroundOpacity(),
                composite.GetLinkedControl(),
                composite.GetHotLinkedControl(),
                plane,
                node.GetFieldOfView(),
            )

    @staticmethod
    def _composites() -> list[object]:
        return [widget.mrmlSliceCompositeNode() for widget in slice_widgets().values()]


def _existing(node_id: str | None) -> str | None:
    return node_id if node_id and slicer.mrmlScene.GetNodeByID(node_id) else None
