"""The region outside of which the input stays: a segment or a labelmap, as the worker wants it."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from . import outputs


def segments(node: object) -> list[tuple[str, str]]:
    """(ID, name) of a segmentation's segments."""
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
    return [(segment, segmentation.GetSegment(segment).GetName()) for segment in ids]


def upload(exchange: object, node: object, segment: str, volume: object) -> dict:
    """The region as the worker's description of a mask. Raises ValueError with a sentence."""
    if node.IsA("vtkMRMLSegmentationNode"):
        if node.GetSegmentation().GetSegment(segment) is None:
            raise ValueError(_("The segment of the region is gone; select another one."))
        array = _segment_array(node, segment, volume)
        if not array.any():
            raise ValueError(_("The region does not overlap the input volume."))
        return exchange.upload_array(array, volume)
    return exchange.upload(node, relative_to=volume)


def _segment_array(node: object, segment: str, volume: object):
    """(z, y, x) of the segment on the volume's grid, parent transforms of both taken into account."""
    import vtk

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
