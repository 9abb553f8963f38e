"""What tests ask of the scene: matrices, volumes, what the slice views show, a node as the engine's volume."""

from __future__ import annotations

import numpy as np


def matrix_of(node):
    """4x4 of a volume node: (i, j, k) to RAS."""
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def volumes(scene):
    """The volume nodes in the scene."""
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    return [node for node in nodes if node.IsA("vtkMRMLVolumeNode")]


def volume_names(scene):
    """Their names, sorted."""
    return sorted(node.GetName() for node in volumes(scene))


def shift(node, millimetres, name="Shift"):
    """Put a node under a new transform that moves it along R."""
    import slicer

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    matrix = np.eye(4)
    matrix[0, 3] = millimetres
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def engines_volume(node, moved_l=0.0):
    """A node as the engine's volume, moved by some mm towards L."""
    import slicer

    from surgical_style_engine.volumes.volume import Volume

    matrix = np.diag([-1, -1, 1, 1]) @ matrix_of(node)
    spacing = np.round(np.linalg.norm(matrix[:3, :3], axis=0), 6)
    origin = matrix[:3, 3] + (moved_l, 0, 0)
    array = np.array(slicer.util.arrayFromVolume(node))[None]
    return Volume(array, tuple(spacing), tuple(origin), matrix[:3, :3] / spacing, False, {}, node.GetName())


def composites():
    """The composite nodes of the layout's slice views, by name."""
    import slicer

    manager = slicer.app.layoutManager()
    return {name: manager.sliceWidget(name).mrmlSliceCompositeNode() for name in manager.sliceViewNames()}


def plane(name):
    """Where a slice view lies and how much it shows."""
    import slicer

    node = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
    matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
    return node.GetOrientation(), tuple(matrix.round(9).ravel()), node.GetFieldOfView()


def state():
    """The layout, and everything that the slice views show."""
    import slicer

    return slicer.app.layoutManager().layout, {
        name: (
            node.GetBackgroundVolumeID(),
            node.GetForegroundVolumeID(),
            node.GetForegroundOpacity(),
            node.GetLinkedControl(),
            node.GetHotLinkedControl(),
            *plane(name),
        )
        for name, node in composites().items()
    }
