"""The region outside of which the input stays: a segment or a labelmap, as the worker wants it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from . import geometry as mrml_geometry
from . import outputs


@dataclass(frozen=True)
class RegionState:
    """Which region something was computed with.

    Attributes:
        title: as people call it; "" for the whole volume.
        state: equal as long as neither the choice nor the region's voxels nor its place have changed.
    """

    title: str = ""
    state: tuple = ()


WHOLE_VOLUME = RegionState()


def segments(node: object) -> list[tuple[str, str]]:
    """(ID, name) of every segment of a segmentation node."""
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
    return [(segment, segmentation.GetSegment(segment).GetName()) for segment in ids]


def state(node: object | None, segment: str, volume: object) -> RegionState:
    """The region that is chosen now, to be compared with an earlier one.

    Args:
        node: segmentation or labelmap, or None for the whole volume.
        segment: ID of the segment in a segmentation.
        volume: the volume that the region is for.
    """
    if node is None:
        return WHOLE_VOLUME
    place = mrml_geometry.place(node, volume)
    if not node.IsA("vtkMRMLSegmentationNode"):
        image = node.GetImageData()
        return RegionState(node.GetName(), (node.GetID(), None if image is None else image.GetMTime(), place))
    chosen = node.GetSegmentation().GetSegment(segment)
    if chosen is None:
        return RegionState(node.GetName(), (node.GetID(), segment, None, place))
    painted = chosen.GetRepresentation(node.GetSegmentation().GetSourceRepresentationName())
    painted = painted.GetMTime() if painted is not None else None
    title = _("{segmentation}, {segment}").format(segmentation=node.GetName(), segment=chosen.GetName())
    return RegionState(title, (node.GetID(), segment, painted, place))


def upload(exchange: object, node: object, segment: str, volume: object) -> dict:
    """Hand a region over to the worker.

    Args:
        exchange: the ``Exchange`` to write to.
        node: segmentation or labelmap.
        segment: ID of the segment in a segmentation.
        volume: the volume that the region is for; parent transforms of both are taken into account.

    Returns:
        The worker's description of the mask.

    Raises:
        ValueError: the segment is gone, or does not overlap the volume.
    """
    if node.IsA("vtkMRMLSegmentationNode"):
        if node.GetSegmentation().GetSegment(segment) is None:
            raise ValueError(_("The segment of the region is gone; select another one."))
        array = _segment_array(node, segment, volume)
        if not array.any():
            raise ValueError(_("The region does not overlap the input volume."))
        return exchange.upload_array(array, volume)
    return exchange.upload(node, relative_to=volume)


def _segment_array(node: object, segment: str, volume: object) -> np.ndarray:
    """Bool (z, y, x) of the segment on the volume's grid, parent transforms of both taken into account."""
    ids = vtk.vtkStringArray()
    ids.InsertNextValue(segment)
    labelmap = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "__region__")
    labelmap.SetHideFromEditors(True)
    try:
        exported = slicer.vtkSlicerSegmentationsModuleLogic.ExportSegmentsToLabelmapNode(node, ids, labelmap, volume)
        if not exported:
            raise ValueError(_("The segment could not be turned into a labelmap."))
        return slicer.util.arrayFromVolume(labelmap) != 0
    finally:
        if labelmap.GetDisplayNode() and labelmap.GetDisplayNode().GetColorNode():
            slicer.mrmlScene.RemoveNode(labelmap.GetDisplayNode().GetColorNode())
        outputs.remove_volume(labelmap)
