"""Whether a volume may be overwritten without a question, and what remains of what it was when it is."""

from __future__ import annotations

import slicer

from SurgicalStyleTransferLib.setup.model_cards import Side

from . import outputs

DICOM_PREFIX = "DICOM."


def is_result_of(node: object, input_node: object) -> bool:
    """Whether a volume was made by this module from an input, so that nothing is lost when it is made anew."""
    source = node.GetNodeReference(outputs.INPUT_ROLE)
    return outputs.is_synthetic(node) and source is not None and source.GetID() == input_node.GetID()


def take_over(node: object, input_node: object, target: Side) -> None:
    """Leave nothing on a volume that would say of another image what it is now.

    A result of the same input in the same domain keeps its name. Anything else loses its name, the file it came from or
    went to (saving the scene would write over it), what DICOM said of it, and its place among another patient's images.

    Args:
        node: that is about to be overwritten.
        input_node: what it will be made from.
        target: the domain it will be in.
    """
    is_same = is_result_of(node, input_node)
    if is_same and node.GetAttribute(outputs.ATTRIBUTE_PREFIX + "SyntheticTo") == target.name:
        return
    node.SetName(outputs.synthetic_name(input_node.GetName(), target))
    _forget_files(node)
    if not is_same:
        _forget_dicom(node)
        outputs.place_beside(node, input_node)


def _forget_files(node: object) -> None:
    storages = [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    for storage in storages:
        if storage is not None:
            slicer.mrmlScene.RemoveNode(storage)


def _forget_dicom(node: object) -> None:
    for name in list(node.GetAttributeNames()):
        if name.startswith(DICOM_PREFIX):
            node.RemoveAttribute(name)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node)
    if not item:
        return
    for name in list(hierarchy.GetItemUIDNames(item)):
        hierarchy.RemoveItemUID(item, name)
    for name in list(hierarchy.GetItemAttributeNames(item)):
        if name.startswith(DICOM_PREFIX):
            hierarchy.RemoveItemAttribute(item, name)
