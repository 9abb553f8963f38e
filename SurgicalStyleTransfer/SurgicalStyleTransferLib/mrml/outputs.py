"""Output nodes: made from a complete result, marked as synthetic, shown as their domain is usually looked at."""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.setup.model_cards import Card, Side

from . import dicom_tags
from . import geometry as mrml_geometry

ATTRIBUTE_PREFIX = "SurgicalStyleTransfer."
INPUT_ROLE = "SurgicalStyleTransferInput"  # node reference of a result: the volume on whose grid it is
CT_WINDOW, CT_LEVEL = 350.0, 40.0  # soft tissue
BRAIN_WINDOW, BRAIN_LEVEL = 100.0, 50.0


def volume_class(channels: int) -> str:
    """The class of MRML node for so many channels."""
    return "vtkMRMLVectorVolumeNode" if channels == 3 else "vtkMRMLScalarVolumeNode"


def synthetic_name(input_name: str, target: Side) -> str:
    """'MRHead T2w (synthetic)', unused in the scene."""
    name = _("{name} {domain} (synthetic)").format(name=input_name, domain=target.name)
    return slicer.mrmlScene.GenerateUniqueName(name) if slicer.mrmlScene.GetFirstNodeByName(name) else name


def write_volume(
    input_node: object, array: np.ndarray, card: Card, direction: str, result: dict, output_node: object | None = None
) -> object:
    """Put a result into a node.

    Args:
        input_node: the volume that was translated.
        array: (z, y, x) or (z, y, x, 3).
        card: the style.
        direction: "forward" or "backward".
        result: what the worker said of it.
        output_node: volume to overwrite, after ``overwriting.take_over``; None makes a new one beside the input's.

    Returns:
        The node.
    """
    target = card.ends_in(direction)
    node = output_node
    if node is None:
        name = synthetic_name(input_node.GetName(), target)
        node = slicer.mrmlScene.AddNewNodeByClass(volume_class(target.channels), name)
    slicer.util.updateVolumeFromArray(node, array)
    mrml_geometry.copy(input_node, node)
    mark(node, input_node.GetName(), result["notes"])
    show_as(node, target, card, result["range"])
    if output_node is None:
        place_beside(node, input_node)
    dicom_tags.set_tags(node, target.modality, result["notes"])
    return node


def set_notes(node: object, notes: dict[str, str]) -> None:
    """What the engine notes of how an image was made, as attributes of its node; those of an earlier image go."""
    for name in list(node.GetAttributeNames()):
        if name.startswith(ATTRIBUTE_PREFIX) and name.removeprefix(ATTRIBUTE_PREFIX) not in notes:
            node.RemoveAttribute(name)
    for key, value in notes.items():
        node.SetAttribute(ATTRIBUTE_PREFIX + key, value)


def mark(node: object, input_name: str, notes: dict[str, str]) -> None:
    """Attributes and description that say the volume is synthetic, by which model, by which weights."""
    set_notes(node, notes)
    if notes["StyleModel"].startswith("look "):  # which no style's name can
        node.SetDescription(
            _(
                "Synthetic {target} image made from {input}: bias field removed, grey values by one increasing curve. "
                "Not acquired. {use}"
            ).format(target=notes["SyntheticTo"], input=input_name, use=notes["IntendedUse"])
        )
        return
    node.SetDescription(
        _(
            "Synthetic {target} image made from {input} ({source}) by the style {model}, weights {digest}, strength "
            "{strength}. Not acquired. {use}"
        ).format(
            target=notes["SyntheticTo"],
            input=input_name,
            source=notes["SyntheticFrom"],
            model=notes["StyleModel"],
            digest=notes["StyleModelSHA256"][:12],
            strength=notes["SyntheticStrength"],
            use=notes["IntendedUse"],
        )
    )


def is_synthetic(node: object) -> bool:
    """Whether a volume node is marked as made by a style or a fusion."""
    return node.GetAttribute(ATTRIBUTE_PREFIX + "Synthetic") == "yes"


def show_as(node: object, target: Side, card: Card, value_range: list[float]) -> None:
    """Greys and a window for the target domain: fixed ones in HU, else from the values."""
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    if target.channels == 3:
        return
    if target.units != "HU":
        show_in_greys(node, value_range)
        return
    brain = "brain" in f"{card.title} {card.name}".lower()
    window, level = (BRAIN_WINDOW, BRAIN_LEVEL) if brain else (CT_WINDOW, CT_LEVEL)
    show_in_greys(node, [level - window / 2, level + window / 2])


def show_in_greys(node: object, value_range: list[float]) -> None:
    """In greys, with a window over a range of values; nothing where the node has no display."""
    display = node.GetDisplayNode()
    if display is None:
        return
    grey = "vtkMRMLColorTableNodeGrey"
    if slicer.mrmlScene.GetNodeByID(grey):
        display.SetAndObserveColorNodeID(grey)
    low, high = value_range
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(max(high - low, 1e-3), (low + high) / 2)


def place_beside(node: object, neighbour: object) -> None:
    """Into the same folder, study or patient of the subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item, beside = hierarchy.GetItemByDataNode(node), hierarchy.GetItemByDataNode(neighbour)
    if item and beside:
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(beside))


def remove_volume(node: object) -> None:
    """Take a temporary volume out of the scene, with the display nodes that were made for it."""
    displays = [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    slicer.mrmlScene.RemoveNode(node)
    for display in displays:
        if display is not None:
            slicer.mrmlScene.RemoveNode(display)


def modality_of(node: object) -> str:
    """DICOM modality of a volume ("MR", "CT", ...), or "" where nothing says it."""
    if is_synthetic(node):
        return ""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node)
    if not item:
        return ""
    return hierarchy.GetItemAttribute(
        item, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    )


def show_in_slices(node: object) -> None:
    """As Slicer does with a newly loaded volume: background of every slice view."""
    slicer.util.setSliceViewerLayers(background=node)
