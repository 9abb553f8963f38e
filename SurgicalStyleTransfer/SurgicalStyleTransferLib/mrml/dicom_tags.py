"""What Slicer's own DICOM exporter reads of a result, and the DICOM files that a volume was loaded from."""

from __future__ import annotations

from pathlib import Path

import slicer

from surgical_style_engine.imageio.provenance import summary

INSTANCES = "DICOM.instanceUIDs"  # attribute of a volume that Slicer's DICOM module loaded
DESCRIPTION = "DICOM.SeriesDescription"
OTHER = "OT"  # DICOM's modality of what is none of the others
LONGEST = 64  # letters of a series description


def set_tags(node: object, modality: str, notes: dict[str, str]) -> None:
    """Give a result the modality and description that Slicer's exporter takes; without them it writes CT.

    Args:
        node: the result.
        modality: of the domain that it is in; "" for none.
        notes: what the engine says of it.
    """
    hierarchy, item = _item(node)
    if not item:
        return
    words = {"SyntheticFrom": "", "StyleModel": "", **notes}
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    hierarchy.SetItemAttribute(item, name, modality or OTHER)
    hierarchy.SetItemAttribute(item, DESCRIPTION, summary(words)[:LONGEST])


def files_of(node: object) -> list[Path]:
    """The DICOM files that a volume was loaded from; [] where it was not, or where the database lacks one."""
    database = getattr(slicer, "dicomDatabase", None)
    uids = (node.GetAttribute(INSTANCES) or "").split()
    if database is None or not uids:
        return []
    files = [str(database.fileForInstance(uid) or "") for uid in uids]
    return [Path(file) for file in files] if all(files) else []


def _item(node: object) -> tuple[object, int]:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy, hierarchy.GetItemByDataNode(node)
