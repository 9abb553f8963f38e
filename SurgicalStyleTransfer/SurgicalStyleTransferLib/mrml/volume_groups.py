"""Which volumes belong together: the scene's, and those of every patient, study and folder of the subject hierarchy."""

from __future__ import annotations

import slicer
import vtk

from . import outputs


def is_translatable(node: object | None) -> bool:
    """Whether a node is an acquired volume that people see: no labelmap, nothing hidden, no result, no map of one."""
    return (
        node is not None
        and node.GetClassName() in ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode")
        and not node.GetHideFromEditors()
        and not any(name.startswith(outputs.ATTRIBUTE_PREFIX) for name in node.GetAttributeNames())
    )


def volumes_in(item: int) -> list[object]:
    """The acquired volumes below an item of the subject hierarchy, in its order."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, items, True)
    nodes = [hierarchy.GetItemDataNode(items.GetId(index)) for index in range(items.GetNumberOfIds())]
    return [node for node in nodes if is_translatable(node)]


def groups() -> list[tuple[str, int]]:
    """(name, item) of the whole scene, then of every patient, study and folder that holds acquired volumes.

    The scene's name is "".
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    root = hierarchy.GetSceneItemID()
    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(root, items, True)
    listed = [("", root)]
    for index in range(items.GetNumberOfIds()):
        item = items.GetId(index)
        if hierarchy.GetItemDataNode(item) is None and volumes_in(item):
            listed.append((hierarchy.GetItemName(item), item))
    return listed
