"""A window like Slicer's: the module's panel at the left, slice views at the right."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from . import slices

WIDTH, HEIGHT, PANEL = 1280, 800, 440
TITLE = 34  # pixels of the row with the module's name
GAP = 2


def four_up(node: object) -> None:
    """Slicer's usual layout, with a volume in every slice view."""
    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    for name in manager.sliceViewNames():
        manager.sliceWidget(name).mrmlSliceCompositeNode().SetBackgroundVolumeID(node.GetID())


def side_by_side(first: object, second: object) -> None:
    """The same slice of two volumes, one in each view."""
    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)
    for name, node in (("Red", first), ("Yellow", second)):
        widget = manager.sliceWidget(name)
        widget.mrmlSliceNode().SetOrientation("Axial")
        widget.mrmlSliceCompositeNode().SetBackgroundVolumeID(node.GetID())
        widget.mrmlSliceCompositeNode().SetForegroundVolumeID(None)


def places(width: int, height: int) -> dict[str, QtCore.QRect]:
    """Where the slice views of the present layout are in an area; "3D" is the view without slices."""
    names = slicer.app.layoutManager().sliceViewNames()
    half_width, half_height = (width - GAP) // 2, (height - GAP) // 2
    right, below = half_width + GAP, half_height + GAP
    if len(names) == 2:
        return {
            names[0]: QtCore.QRect(0, 0, half_width, height),
            names[1]: QtCore.QRect(right, 0, width - right, height),
        }
    return {
        "Red": QtCore.QRect(0, 0, half_width, half_height),
        "3D": QtCore.QRect(right, 0, width - right, half_height),
        "Green": QtCore.QRect(0, below, half_width, height - below),
        "Yellow": QtCore.QRect(right, below, width - right, height - below),
    }


def views(width: int, height: int, offset: float | None = None) -> QtGui.QImage:
    """The views of the present layout.

    Args:
        width, height: in pixels.
        offset: in mm, of all axial views; None leaves them.
    """
    image = QtGui.QImage(width, height, QtGui.QImage.Format.Format_RGB32)
    image.fill(QtGui.QColor("#404040"))
    painter = QtGui.QPainter(image)
    for name, place in places(width, height).items():
        if name == "3D":
            gradient = QtGui.QLinearGradient(place.topLeft(), place.bottomLeft())
            gradient.setColorAt(0, QtGui.QColor("#9696d8"))
            gradient.setColorAt(1, QtGui.QColor("#c8c8f0"))
            painter.fillRect(place, gradient)
            painter.fillRect(place.x(), place.y(), place.width(), slices.BAR, QtGui.QColor("#7a78ad"))
            continue
        slices.fit(name, place.width(), place.height())
        node = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
        if offset is not None and node.GetOrientation() == "Axial":
            node.SetSliceOffset(offset)
        painter.drawImage(place.topLeft(), slices.picture(name, place.width(), place.height()))
    painter.end()
    return image


def window(
    panel: QtWidgets.QWidget,
    panel_width: int = PANEL,
    offset: float | None = None,
    shown: QtWidgets.QWidget | None = None,
) -> QtGui.QImage:
    """The whole window.

    Args:
        panel: the widget that holds the module's panel; its size is changed.
        panel_width: in pixels, as wide as Slicer's module panel is at the time.
        offset: see ``views``.
        shown: a widget of the panel that is to be seen, as if scrolled there; None for the top.
    """
    panel.setFixedWidth(panel_width)
    for _ in range(3):  # the panel's texts take their heights after the event that gives them their width
        panel.setFixedHeight(panel.layout().totalHeightForWidth(panel_width))
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            QtWidgets.QApplication.processEvents()
    height = HEIGHT - TITLE
    below = 0 if shown is None else shown.mapTo(panel, QtCore.QPoint(0, shown.height() + 12)).y()
    scrolled = max(0, min(below, panel.height()) - height)
    image = QtGui.QImage(WIDTH, HEIGHT, QtGui.QImage.Format.Format_RGB32)
    image.fill(panel.palette().window().color())
    painter = QtGui.QPainter(image)
    painter.drawPixmap(0, TITLE, panel.grab(QtCore.QRect(0, scrolled, panel_width, height)))
    _title(painter, panel_width)
    painter.drawImage(panel_width + GAP, 0, views(WIDTH - panel_width - GAP, HEIGHT, offset))
    painter.end()
    return image


def _title(painter: QtGui.QPainter, width: int) -> None:
    """Slicer's row with the name of the module that is open."""
    painter.setPen(QtGui.QColor("black"))
    middle = QtCore.Qt.AlignmentFlag.AlignVCenter
    painter.drawText(QtCore.QRect(8, 0, 70, TITLE), middle, "Modules:")
    box = QtCore.QRect(76, 5, width - 90, TITLE - 10)
    painter.fillRect(box, QtGui.QColor("white"))
    painter.setPen(QtGui.QColor("#a0a0a0"))
    painter.drawRect(box)
    painter.setPen(QtGui.QColor("black"))
    painter.drawText(box.adjusted(8, 0, 0, 0), middle, "Surgical Style Transfer")


def save_animation(images: list[QtGui.QImage], path: Path, milliseconds: int) -> None:
    """Images of equal size as a GIF that goes on for ever."""
    from PIL import Image

    frames = []
    for image in images:
        plain = image.convertToFormat(QtGui.QImage.Format.Format_RGB888)
        values = np.frombuffer(plain.constBits(), np.uint8, plain.sizeInBytes())
        rows = values.reshape(plain.height(), plain.bytesPerLine())[:, : 3 * plain.width()]
        picture = Image.fromarray(rows.reshape(plain.height(), plain.width(), 3).copy())
        frames.append(picture.quantize(48, dither=Image.Dither.NONE))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, optimize=True)
