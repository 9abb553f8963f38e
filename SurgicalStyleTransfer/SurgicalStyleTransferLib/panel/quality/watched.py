"""Watches what metrics depend on and what is no parameter: voxels and places of the reference and of the region."""

from __future__ import annotations

from collections.abc import Callable

import slicer
import vtk

from SurgicalStyleTransferLib.mrml.observers import Observers


class Watched:
    """Calls back when a node that is watched changes."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._nodes: tuple[object | None, ...] = ()
        self._observers = Observers()

    def watch(self, *nodes: object | None) -> None:
        """Watch these volumes and segmentations and no others; None for what is not chosen."""
        if nodes == self._nodes:
            return
        self._nodes = nodes
        self._observers.clear()
        for node in nodes:
            if node is None:
                continue
            self._observers.add(node, slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._on_change)
            if node.IsA("vtkMRMLSegmentationNode"):
                kind, segmentation = slicer.vtkSegmentation, node.GetSegmentation()
                for event in (kind.SourceRepresentationModified, kind.SegmentModified):
                    self._observers.add(segmentation, event, self._on_change)
            else:
                # Voxels edited through numpy modify the node alone.
                for event in (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent):
                    self._observers.add(node, event, self._on_change)
