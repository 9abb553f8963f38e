"""What a slice view shows, drawn by MRML's own slice logic, without a display."""

from __future__ import annotations

import numpy as np
import slicer
from PySide6 import QtCore, QtGui
from vtk.util.numpy_support import vtk_to_numpy

COLOURS = {"Red": "#f34a33", "Yellow": "#edd54c", "Green": "#6eb04b"}
BAR = 20  # pixels of the bar above a view


def picture(name: str, width: int, height: int, title: str = "") -> QtGui.QImage:
    """A slice view with its bar and annotation.

    Args:
        name: layout name of the view: "Red", "Yellow" or "Green".
        width, height: in pixels, with the bar.
        title: at the lower left; the names of the volumes if empty.
    """
    image = QtGui.QImage(width, height, QtGui.QImage.Format.Format_RGB32)
    image.fill(QtCore.Qt.GlobalColor.black)
    painter = QtGui.QPainter(image)
    painter.drawImage(0, BAR, _slice(name, width, height - BAR))
    painter.fillRect(0, 0, width, BAR, QtGui.QColor(COLOURS.get(name, "#808080")))
    painter.setPen(QtGui.QColor("black"))
    font = painter.font()
    font.setPixelSize(12)
    painter.setFont(font)
    node = _logic(name).GetSliceNode()
    middle = QtCore.Qt.AlignmentFlag.AlignVCenter
    painter.drawText(6, 0, 60, BAR, middle, name[0])
    offset = f"{node.GetOrientation()}  {node.GetSliceOffset():.1f} mm"
    painter.drawText(0, 0, width - 6, BAR, middle | QtCore.Qt.AlignmentFlag.AlignRight, offset)
    painter.setPen(QtGui.QColor("#ffe680"))
    left_below = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignBottom
    painter.drawText(QtCore.QRect(6, BAR, width - 12, height - BAR - 5), left_below, title or _names(name))
    painter.end()
    return image


def fit(name: str, width: int, height: int) -> None:
    """Show all of the background volume in a view of this size."""
    logic = _logic(name)
    logic.GetSliceNode().SetDimensions(width, height - BAR, 1)
    logic.FitSliceToAll(width, height - BAR)


def _logic(name: str) -> object:
    return slicer.app.layoutManager().sliceWidget(name).sliceLogic()


def _slice(name: str, width: int, height: int) -> QtGui.QImage:
    logic = _logic(name)
    logic.GetSliceNode().SetDimensions(width, height, 1)
    logic.UpdatePipeline()
    port = logic.GetImageDataConnection()
    if port is None:
        blank = QtGui.QImage(width, height, QtGui.QImage.Format.Format_RGB32)
        blank.fill(QtCore.Qt.GlobalColor.black)
        return blank
    producer = port.GetProducer()
    producer.Update()
    data = producer.GetOutputDataObject(port.GetIndex())
    columns, rows, _ = data.GetDimensions()
    values = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1]
    opaque = np.ascontiguousarray(values[..., :3] if values.shape[-1] >= 3 else np.repeat(values[..., :1], 3, -1))
    return QtGui.QImage(opaque.tobytes(), columns, rows, 3 * columns, QtGui.QImage.Format.Format_RGB888).copy()


def _names(name: str) -> str:
    composite = slicer.app.layoutManager().sliceWidget(name).mrmlSliceCompositeNode()
    layers = (("F", composite.GetForegroundVolumeID()), ("B", composite.GetBackgroundVolumeID()))
    nodes = [(letter, slicer.mrmlScene.GetNodeByID(node_id)) for letter, node_id in layers if node_id]
    return "\n".join(f"{letter}: {node.GetName()}" for letter, node in nodes if node is not None)
