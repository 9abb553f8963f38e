"""Texts that come later find room at once: no line is cut until the panel is resized."""

import pytest


@pytest.mark.parametrize("width", [350, 480])
def test_a_longer_text_moves_what_stands_below_it(slicer_app, open_panel, width):
    from PySide6 import QtWidgets

    widget = open_panel()
    parent, ui = widget.parent._target, widget.ui
    for section in parent.findChildren(QtWidgets.QWidget):
        if section.objectName().endswith("CollapsibleButton"):
            getattr(ui, section.objectName()).collapsed = False
    parent.setFixedWidth(width)
    parent.show()

    def settle():
        for _ in range(4):
            slicer_app.app.processEvents()
            parent.setFixedHeight(parent.layout().totalHeightForWidth(width))

    labels = [label for label in parent.findChildren(QtWidgets.QLabel) if label.wordWrap()]
    assert len(labels) > 15
    for text in ("A sentence of some length on what was judged. " * 4, "Short.", "And one that is longer still. " * 9):
        settle()
        for label in labels:
            label.setText(text)
            label.setVisible(True)
        settle()
        cut = {
            label.objectName(): (label.height(), label.heightForWidth(label.width()))
            for label in labels
            if label.isVisible() and label.height() < label.heightForWidth(label.width())
        }
        assert cut == {}, text
        over = [
            (first.objectName(), second.objectName())
            for first in labels
            for second in labels
            if first.isVisible() and second.isVisible() and first is not second and _overlap(first, second, parent)
        ]
        assert over == [], text


def _overlap(first, second, parent):
    from PySide6 import QtCore

    places = [QtCore.QRect(one.mapTo(parent, QtCore.QPoint(0, 0)), one.size()) for one in (first, second)]
    return places[0].intersects(places[1])
