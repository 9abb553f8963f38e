"""Transforms of a registration above a volume: where its voxels are seen then, and undo."""

import numpy as np
import pytest
from scene_helpers import shift


def seen(node, ras):
    """Where a point inside a node's transforms is seen in the world."""
    import slicer
    import vtk

    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, transform)
    return np.array(transform.TransformPoint(*ras))


@pytest.mark.parametrize("bent", [False, True])
def test_a_volume_goes_where_the_registration_says_and_back(scene, volume, bent):
    from SurgicalStyleTransferLib.mrml import registered

    moving, fixed = volume("T2"), volume("T1")
    above = shift(moving, 10.0, "Before")
    matrix = np.eye(4)
    matrix[:3, 3] = (4.0, 6.0, 2.0)  # a point x of the fixed volume is x + (4, 6, 2) in the moving one, LPS
    displacement, grid = None, None
    if bent:
        displacement = np.zeros((9, 11, 13, 3))
        displacement[..., 1] = 3.0
        displacement[:, :, 7:, 1] = 5.0  # the half to L
        grid = {"spacing": [10.0, 10.0, 10.0], "origin": [-60.0, -50.0, -40.0]}
    answer = {"matrix": matrix.tolist(), "displacement": grid}
    done = registered.put_under(moving, fixed, "T2 to T1", answer, displacement)
    assert len(done.transform_ids) == 1 + bent and moving.GetTransformNodeID() == done.transform_ids[-1]
    # The moving volume was seen 10 mm to R of where its own coordinates say: its point (R, A, S) lay at (R + 10, A, S).
    for right, more in ((-30.0, 5.0), (30.0, 3.0)):
        place = np.array([right, 7.0, -2.0])
        there = place + (-4.0 - 10.0, -6.0 - (more if bent else 0.0), 2.0)
        np.testing.assert_allclose(seen(moving, there), place, atol=0.02)
    count = scene.GetNumberOfNodesByClass("vtkMRMLTransformNode")
    registered.undo(done)
    assert moving.GetTransformNodeID() == above.GetID()
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == count - 1 - bent
