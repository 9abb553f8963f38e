"""Stand-ins for the widgets of ctk that the panel uses, with ctk's names of properties and signals."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from .plain import kept, of_part


class ctkCollapsibleButton(QtWidgets.QWidget):
    """A titled section that opens and closes."""

    contentsCollapsed = Signal(bool)
    SIGNATURES = {"contentsCollapsed(bool)": "contentsCollapsed"}
    HEADER = 24

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._collapsed = "", False
        self.setContentsMargins(0, self.HEADER, 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Minimum)

    def _set_text(self, text: str) -> None:
        self._text = text
        self.update()

    def _set_collapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self._apply()
        self.contentsCollapsed.emit(collapsed)

    text = Property(str, lambda self: self._text, _set_text)
    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)

    def _apply(self) -> None:
        # Not hidden: what is visible within a section stays that section's own affair.
        self.setMaximumHeight(self.HEADER if self._collapsed else 16777215)
        self.updateGeometry()

    def minimumSizeHint(self) -> QtCore.QSize:
        hint = super().minimumSizeHint()
        return QtCore.QSize(hint.width(), self.HEADER) if self._collapsed else hint

    def sizeHint(self) -> QtCore.QSize:
        hint = super().sizeHint()
        return QtCore.QSize(hint.width(), self.HEADER) if self._collapsed else hint

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        if event.position().y() <= self.HEADER:
            self._set_collapsed(not self._collapsed)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        header = QtCore.QRect(0, 0, self.width(), self.HEADER - 2)
        painter.fillRect(header, self.palette().button())
        painter.setPen(self.palette().mid().color())
        painter.drawRect(header.adjusted(0, 0, -1, -1))
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(6, 5, 12, 12)
        element = QtWidgets.QStyle.PrimitiveElement
        kind = element.PE_IndicatorArrowRight if self._collapsed else element.PE_IndicatorArrowDown
        self.style().drawPrimitive(kind, arrow, painter, self)
        painter.setPen(self.palette().buttonText().color())
        painter.drawText(header.adjusted(24, 0, 0, 0), QtCore.Qt.AlignmentFlag.AlignVCenter, self._text)


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider with a spin box, for decimal numbers."""

    valueChanged = Signal(float)
    SIGNATURES = {"valueChanged(double)": "valueChanged"}
    STEPS = 10000

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self._slider.setRange(0, self.STEPS)
        self._box = QtWidgets.QDoubleSpinBox()
        self._box.setKeyboardTracking(False)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._box)
        self._values = {"pageStep": 1.0}
        self._slider.valueChanged.connect(self._slid)
        self._box.valueChanged.connect(self._changed)

    def _slid(self, position: int) -> None:
        self._box.setValue(self._box.minimum() + position / self.STEPS * (self._box.maximum() - self._box.minimum()))

    def _changed(self, value: float) -> None:
        width = self._box.maximum() - self._box.minimum()
        blocked = self._slider.blockSignals(True)
        self._slider.setValue(round((value - self._box.minimum()) / width * self.STEPS) if width else 0)
        self._slider.blockSignals(blocked)
        self.valueChanged.emit(value)

    for _name in ("value", "minimum", "maximum", "singleStep"):
        vars()[_name] = of_part("_box", _name, float)
    decimals, suffix = of_part("_box", "decimals", int), of_part("_box", "suffix", str)
    pageStep = kept("pageStep", 1.0)

    def _show(self) -> None:
        """Nothing of it is drawn."""


class ctkDirectoryButton(QtWidgets.QWidget):
    """A button with the path of a folder that opens a dialog."""

    directoryChanged = Signal(str)
    SIGNATURES = {"directoryChanged(QString)": "directoryChanged"}

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._button = QtWidgets.QPushButton()
        self._button.setMinimumWidth(80)
        self._button.setIcon(self.style().standardIcon(QtWidgets.QStyle.StandardPixmap.SP_DirIcon))
        layout.addWidget(self._button)
        self._directory = ""

    def _set(self, directory: str) -> None:
        if directory != self._directory:
            self._directory = directory
            self._button.setText(
                self._button.fontMetrics().elidedText(directory, QtCore.Qt.TextElideMode.ElideMiddle, 240)
            )
            self.directoryChanged.emit(directory)

    directory = Property(str, lambda self: self._directory, _set)


CLASSES = (ctkCollapsibleButton, ctkSliderWidget, ctkDirectoryButton)
# Classes that Slicer's own connectors ask about by name, but that no .ui file may use here.
NAMED = (
    "ctkCheckBox ctkCheckablePushButton ctkColorPickerButton ctkComboBox ctkDoubleRangeSlider ctkDoubleSlider "
    "ctkDoubleSpinBox ctkPathLineEdit ctkRangeWidget"
).split()
