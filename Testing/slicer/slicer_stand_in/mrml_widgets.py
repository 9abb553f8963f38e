"""Stand-ins for Slicer's MRML widgets that the panel uses; they know the scene only once it is set."""

from __future__ import annotations

import sys

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal

from . import pythonqt
from .plain import giving, kept


class _SceneWidget(QtWidgets.QWidget):
    """A widget that hands its scene on through its signal."""

    mrmlSceneChanged = Signal(object)
    SIGNATURES = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}
    SLOTS = {"setMRMLScene(vtkMRMLScene*)": "setMRMLScene"}

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene: object) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    mrmlScene = giving("_scene")


class qMRMLWidget(_SceneWidget):
    """The outermost widget of a .ui file."""


class qSlicerScriptedLoadableModuleWidget(_SceneWidget):
    """What Slicer puts a scripted module's panel into; makes it anew of the module that Python has by then."""

    moduleName = ""
    isEntered = Property(bool, lambda self: True)

    def reload(self) -> None:
        name = f"{self.moduleName}Widget"
        widget = getattr(sys.modules[self.moduleName], name)(pythonqt.wrap(self))
        setattr(slicer.modules, name, widget)
        widget.setup()


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """The nodes of some classes in the scene, one of them current."""

    currentNodeChanged = Signal(object)
    SIGNATURES = {"currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged"}
    SLOTS = {"setMRMLScene(vtkMRMLScene*)": "setMRMLScene"}
    _PLAIN = dict.fromkeys(("showChildNodeTypes", "addEnabled", "removeEnabled", "selectNodeUponCreation"), True)
    _PLAIN |= dict.fromkeys(("showHidden", "noneEnabled", "editEnabled", "renameEnabled"), False)
    _PLAIN |= {"noneDisplay": "None", "baseName": ""}

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox()
        layout.addWidget(self._combo)
        self._values = {"nodeTypes": [], **self._PLAIN}
        self._scene, self._current = None, ""
        self._combo.activated.connect(lambda index: self.setCurrentNodeID(self._combo.itemData(index) or ""))

    def setMRMLScene(self, scene: object) -> None:
        self._scene = scene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent)
        tags = [scene.AddObserver(event, lambda caller, event: self._refresh()) for event in events]
        self.destroyed.connect(lambda: [scene.RemoveObserver(tag) for tag in tags])
        self._refresh()

    mrmlScene = giving("_scene")

    def currentNode(self) -> object | None:
        return self._scene.GetNodeByID(self._current) if self._scene is not None and self._current else None

    def setCurrentNode(self, node: object | None) -> None:
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        if self._scene is None and node_id:
            raise RuntimeError(
                f"{self.objectName()} has no scene: the .ui file does not connect mrmlSceneChanged to it"
            )
        if node_id and node_id not in self._ids():
            node_id = ""
        changed = node_id != self._current
        self._current = node_id
        self._show()
        if changed:
            self.currentNodeChanged.emit(self.currentNode())

    def _ids(self) -> list[str]:
        if self._scene is None:
            return []
        found = []
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            exact = node.GetClassName() in self._values["nodeTypes"]
            child = self._values["showChildNodeTypes"] and any(node.IsA(name) for name in self._values["nodeTypes"])
            if (exact or child) and (self._values["showHidden"] or not node.GetHideFromEditors()):
                found.append(node.GetID())
        return found

    def _refresh(self) -> None:
        ids = self._ids()
        if self._current and self._current not in ids:
            self._current = ""
            self._show()
            self.currentNodeChanged.emit(None)
        elif not self._current and ids and not self._values["noneEnabled"]:
            self.setCurrentNodeID(ids[0])
        else:
            self._show()

    def _show(self) -> None:
        self._combo.clear()
        if self._values["noneEnabled"] or not self._ids():
            self._combo.addItem(self._values["noneDisplay"], "")
        for node_id in self._ids():
            self._combo.addItem(self._scene.GetNodeByID(node_id).GetName(), node_id)
        self._combo.setCurrentIndex(max(0, self._combo.findData(self._current)))

    def _set_types(self, types: list[str]) -> None:
        self._values["nodeTypes"] = list(types)
        self._refresh()

    nodeTypes = Property("QStringList", lambda self: self._values["nodeTypes"], _set_types)
    currentNodeID = Property(str, lambda self: self._current, setCurrentNodeID)
    for _name, _default in _PLAIN.items():
        vars()[_name] = kept(_name, _default)


CLASSES = (qMRMLWidget, qSlicerScriptedLoadableModuleWidget, qMRMLNodeComboBox)
NAMED = (
    "qMRMLSliderWidget qMRMLSpinBox qMRMLRangeWidget qMRMLSubjectHierarchyTreeView qMRMLCheckableNodeComboBox".split()
)
