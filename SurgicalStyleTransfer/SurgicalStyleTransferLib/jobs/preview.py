"""The preview: the slice that a slice view shows, translated while the user scrolls, as its foreground.

It is no ``Job``: it has no end, and of its requests only the latest counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.mrml.observers import Observers
from SurgicalStyleTransferLib.mrml.slice_views import slice_widgets
from SurgicalStyleTransferLib.setup.model_cards import Card

from .engine import Engine

PLANES = ("sagittal", "coronal", "axial")  # by the patient axis (L, P, S) that is nearest to the view's normal


@dataclass(frozen=True)
class Asked:
    """What is shown: IDs of the input and of those beside it, in the order of the direction, and how it is made."""

    node_id: str
    other_ids: tuple[str, ...]
    card: Card
    direction: str
    device: str
    precision: str

    def nodes(self) -> list[object]:
        """The inputs; None for one that is gone."""
        return [slicer.mrmlScene.GetNodeByID(node_id) for node_id in (self.node_id, *self.other_ids)]


class Preview:
    """Follows one slice view. The latest position wins; what is asked in between is never computed."""

    def __init__(self, engine: Engine, on_message: Callable[[str], None]) -> None:
        self._engine, self._on_message = engine, on_message
        self._view = ""
        self._job: Asked | None = None
        self._slice_node: object | None = None
        self._observers = Observers()
        self._in_flight = self._wanted = False
        self._generation = 0
        self._node_id = ""
        self._before: tuple[str | None, float] = (None, 0.0)

    @property
    def active(self) -> bool:
        """Whether a slice view shows it."""
        return self._job is not None

    def start(self, view: str, asked: Asked) -> None:
        """Show the preview in a slice view; a running one moves there."""
        if (self._view, self._job) == (view, asked):
            return
        self.stop()
        widget = slice_widgets().get(view)
        if widget is None:
            self._on_message(_("The slice view {view} is not in this layout.").format(view=view))
            return
        self._view, self._job = view, asked
        self._slice_node = widget.mrmlSliceNode()
        composite = self._composite()
        self._before = composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()
        # A sequence's next frame modifies the image; voxels edited through numpy modify the node alone.
        self._observers.add(self._slice_node, vtk.vtkCommand.ModifiedEvent, self.update)
        for node in filter(None, asked.nodes()):
            self._observers.add(node, vtk.vtkCommand.ModifiedEvent, self.update)
            self._observers.add(node, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, self.update)
        self.update()

    def stop(self) -> None:
        """Take the overlay away and put back what was there."""
        self._generation += 1
        self._in_flight = self._wanted = False
        self._observers.clear()
        if self._job is not None:
            composite = self._composite()
            if composite is not None and composite.GetForegroundVolumeID() == (self._node_id or None):
                composite.SetForegroundVolumeID(self._before[0])
                composite.SetForegroundOpacity(self._before[1])
            self._job = None
        node = slicer.mrmlScene.GetNodeByID(self._node_id) if self._node_id else None
        self._node_id = ""
        if node is not None:
            outputs.remove_volume(node)

    def update(self) -> None:
        """Ask for the slice now shown, or remember to do so when the answer under way is there."""
        if self._job is None:
            return
        if self._in_flight:
            self._wanted = True
            return
        job, (node, *others) = self._job, self._job.nodes()
        if node is None or None in others:
            self.stop()
            return
        matrix = slicer.util.arrayFromVTKMatrix(self._slice_node.GetSliceToRAS())
        centre = mrml_geometry.world_to_volume(node, tuple(matrix[:3, 3]))
        ahead = mrml_geometry.world_to_volume(node, tuple(matrix[:3, 3] + matrix[:3, 2]))
        plane = PLANES[int(np.argmax(np.abs(np.subtract(ahead, centre))))]
        path = self._engine.exchange.new_path("preview")
        generation = self._generation
        try:
            volume = self._engine.exchange.upload(node, outputs.modality_of(node))
            beside = [self._engine.exchange.upload(other, outputs.modality_of(other), node) for other in others]
        except (ValueError, OSError) as error:
            self._on_message(str(error))
            return
        self._in_flight = True
        self._engine.client.request(
            "preview",
            lambda answer: self._show(generation, path, answer),
            lambda code, message: self._failed(generation, message),
            volume=volume,
            others=beside,
            model=str(job.card.folder),
            output=str(path),
            position=list(centre),
            plane=plane,
            direction=job.direction,
            device=job.device,
            precision=job.precision,
        )

    def _show(self, generation: int, path: object, answer: dict) -> None:
        if generation != self._generation:
            self._engine.exchange.discard(path)
            return
        array = self._engine.exchange.take(path)
        job = self._job
        source = slicer.mrmlScene.GetNodeByID(job.node_id)
        if source is None:
            self.stop()
            return
        side = job.card.ends_in(job.direction)
        node = slicer.mrmlScene.GetNodeByID(self._node_id) if self._node_id else None
        if node is None:
            name = _("{name} preview").format(name=source.GetName())
            node = slicer.mrmlScene.AddNewNodeByClass(outputs.volume_class(side.channels), name)
            node.SetHideFromEditors(True)
            node.SetSaveWithScene(False)
            self._node_id = node.GetID()
        slicer.util.updateVolumeFromArray(node, array)
        mrml_geometry.set_from_lps(node, answer["spacing"], answer["origin"], answer["direction"])
        node.SetAndObserveTransformNodeID(source.GetTransformNodeID())
        outputs.show_as(node, side, job.card, answer["range"])
        if node.GetDisplayNode() is not None:
            node.GetDisplayNode().SetSaveWithScene(False)
        composite = self._composite()
        if composite.GetForegroundVolumeID() != node.GetID():
            composite.SetForegroundVolumeID(node.GetID())
            composite.SetForegroundOpacity(1.0)
        self._on_message("")
        self._answered()

    def _failed(self, generation: int, message: str) -> None:
        if generation == self._generation:
            self._on_message(message)
            self._answered()

    def _answered(self) -> None:
        self._in_flight = False
        if self._wanted:
            self._wanted = False
            self.update()

    def _composite(self) -> object | None:
        widget = slice_widgets().get(self._view)
        return None if widget is None else widget.mrmlSliceCompositeNode()
