"""Loading .ui files strictly: every class, property, signal and slot in them must exist."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from . import pythonqt


class _Loader(QtUiTools.QUiLoader):
    def __init__(self, custom: dict[str, type]) -> None:
        super().__init__()
        self._custom = custom

    def createWidget(self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = "") -> object:
        if class_name in self._custom:
            widget = self._custom[class_name](parent)
        elif class_name in self.availableWidgets():
            widget = super().createWidget(class_name, parent, name)
        else:
            raise ValueError(f"the .ui file names an unknown widget {class_name}")
        widget.setObjectName(name)
        return widget


class UiLoader:
    """``qt.QUiLoader`` with the stand-ins' classes."""

    custom: dict[str, type] = {}

    def load(self, file: object) -> object:
        target = pythonqt.unwrap(file)
        content = bytes(target.readAll().data())
        tree = ElementTree.fromstring(content)
        connections = tree.find("connections")
        stated = [] if connections is None else list(connections)
        for connection in stated:
            connections.remove(connection)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        widget = _Loader(self.custom).load(buffer)
        if widget is None:
            raise ValueError("the .ui file cannot be loaded")
        self._check_properties(tree, widget)
        for connection in stated:
            self._connect(widget, *(connection.findtext(part) for part in ("sender", "signal", "receiver", "slot")))
        return pythonqt.wrap(widget)

    def _check_properties(self, tree: ElementTree.Element, root: QtWidgets.QWidget) -> None:
        names = set()
        for element in tree.iter("widget"):
            name = element.get("name")
            if name in names:
                raise ValueError(f"two widgets are named {name}")
            names.add(name)
            widget = root if root.objectName() == name else root.findChild(QtWidgets.QWidget, name)
            for entry in element.findall("property"):
                dynamic = entry.get("stdset") == "0"
                if entry.get("name") == "buddy" and element.get("class") == "QLabel":
                    # No property: the loader sets it when all widgets are there.
                    if root.findChild(QtWidgets.QWidget, entry.findtext("cstring")) is None:
                        raise ValueError(f"the buddy of {name} does not exist")
                elif not dynamic and widget.metaObject().indexOfProperty(entry.get("name")) < 0:
                    raise ValueError(f"{element.get('class')} {name} has no property {entry.get('name')}")

    def _connect(self, root: QtWidgets.QWidget, sender: str, signal: str, receiver: str, slot: str) -> None:
        def find(name: str) -> QtWidgets.QWidget:
            return root if root.objectName() == name else root.findChild(QtWidgets.QWidget, name)

        source, target = find(sender), find(receiver)
        signals, slots = (
            getattr(type(widget), kind, {}) for widget, kind in ((source, "SIGNATURES"), (target, "SLOTS"))
        )
        if signal not in signals or slot not in slots:
            raise ValueError(f"the .ui file connects {sender}.{signal} to {receiver}.{slot}, which do not exist")
        getattr(source, signals[signal]).connect(getattr(target, slots[slot]))
