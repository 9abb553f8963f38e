"""Which volumes belong together: the scene's, and those of every patient, study and folder of the subject hierarchy."""

from __future__ import annotations

from collections.abc import Iterator

import slicer

from . import outputs


def is_translatable(node: object | None) -> bool:
    """Whether a node is an acquired volume that people see: no labelmap, nothing hidden, no result, no map of one."""
    return (
        node is not None
        and node.GetClassName() in ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode")
        and not node.GetHideFromEditors()
        and not any(name.startswith(outputs.ATTRIBUTE_PREFIX) for name in node.GetAttributeNames())
    )


def _branch(hierarchy: object, item: int) -> Iterator[int]:
    """The items below an item, in the order in which they are shown."""
    for position in range(hierarchy.GetNumberOfItemChildren(item)):
        child = hierarchy.GetItemByPositionUnderParent(item, position)
        yield child
        yield from _branch(hierarchy, child)


def volumes_in(item: int) -> list[object]:
    """The acquired volumes below an item of the subject hierarchy, in its order."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    nodes = [hierarchy.GetItemDataNode(child) for child in _branch(hierarchy, item)]
    return [node for node in nodes if is_translatable(node)]


def groups() -> list[tuple[str, int]]:
    """(name, item) of the whole scene, then of every patient, study and folder that holds acquired volumes.

    The scene's name is "".
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    root = hierarchy.GetSceneItemID()
    return [("", root)] + [
        (hierarchy.GetItemName(item), item)
        for item in _branch(hierarchy, root)
        if hierarchy.GetItemDataNode(item) is None and volumes_in(item)
    ]
