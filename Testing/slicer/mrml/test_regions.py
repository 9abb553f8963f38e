"""Regions: a segment or a labelmap, outside of which the input stays."""

from pathlib import Path

import numpy as np
from scene_helpers import matrix_of, volume_names

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_a_region_from_a_segment(slicer_app, scene, ready, apply, volume):
    """Outside the segment the input stays, to the digit; the segment lies under a transform of its own."""
    node = volume()
    labels = np.zeros((12, 40, 36), np.uint8)
    labels[3:9, 8:30, 6:20] = 1
    labelmap = volume("Labels", array=labels, class_name="vtkMRMLLabelMapVolumeNode")
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    segmentation.CreateDefaultDisplayNodes()
    slicer_app.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelmap, segmentation)
    scene.RemoveNode(labelmap)
    widget = ready(node=node, region=segmentation)
    assert not widget.ui.segmentComboBox.isHidden() and widget._parameterNode.segment
    before = volume_names(scene)
    result = apply(widget)
    assert result is not None, widget.ui.statusLabel.text
    assert volume_names(scene) == sorted([*before, result.GetName()]), "nothing temporary is left"
    made, source = slicer_app.util.arrayFromVolume(result), slicer_app.util.arrayFromVolume(node)
    np.testing.assert_array_equal(made[labels == 0], source[labels == 0])
    assert not np.allclose(made[labels == 1], source[labels == 1])

    # Moved by two voxels along the volume's first axis: so does the region.
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Shift")
    shift = np.eye(4)
    shift[:3, 3] = matrix_of(node)[:3, 0] * 2
    transform.SetMatrixTransformToParent(slicer_app.util.vtkMatrixFromArray(shift))
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    moved = slicer_app.util.arrayFromVolume(apply(widget))
    expected = np.roll(labels, 2, axis=2)
    np.testing.assert_array_equal(moved[expected == 0], source[expected == 0])
    assert not np.allclose(moved[expected == 1], source[expected == 1])


def test_a_region_from_a_labelmap(slicer_app, ready, apply, volume):
    node = volume()
    labels = np.zeros((12, 40, 36), np.uint8)
    labels[3:9, 8:30, 6:20] = 1
    region = volume("Labels", array=labels, class_name="vtkMRMLLabelMapVolumeNode")
    result = apply(ready(node=node, region=region))
    made, source = slicer_app.util.arrayFromVolume(result), slicer_app.util.arrayFromVolume(node)
    np.testing.assert_array_equal(made[labels == 0], source[labels == 0])
    assert not np.allclose(made[labels == 1], source[labels == 1])
