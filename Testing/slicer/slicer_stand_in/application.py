"""``slicer`` completed: scene with the modules' logics, application, layout manager, and the stand-ins in place."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import types
from pathlib import Path

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

from . import ctk_widgets, mrml_widgets, pythonqt, ui_loader
from .plain import giving, through

HERE = Path(__file__).resolve().parent
MODULE_FOLDER = HERE.parents[2] / "SurgicalStyleTransfer"
STAND_INS = {
    "i18n": "i18n",
    "scripted_module": "ScriptedLoadableModule",
    "parameter_node_wrapper": "parameterNodeWrapper",
}


class _Strict:
    """No attribute beside those that are written down here."""

    def __getattr__(self, name: str) -> object:
        raise AttributeError(f"the stand-in {type(self).__name__.strip('_')} has no {name}")


class SliceWidget(_Strict):
    def __init__(self, logic: object) -> None:
        self._logic = logic

    sliceLogic = giving("_logic")
    mrmlSliceNode = through("_logic", "GetSliceNode")
    mrmlSliceCompositeNode = through("_logic", "GetSliceCompositeNode")


class LayoutManager(_Strict):
    """The slice views of the layout that the layout node names; views live on when the layout hides them."""

    def __init__(self, scene: object, application_logic: object) -> None:
        self._scene, self._application_logic = scene, application_logic
        self._layout_logic = slicer.vtkMRMLLayoutLogic()
        self._layout_logic.SetMRMLScene(scene)
        self._slice_logics: dict[str, object] = {}
        self._collection = vtk.vtkCollection()
        application_logic.SetSliceLogics(self._collection)

    layoutLogic = giving("_layout_logic")

    def setLayout(self, layout: int) -> None:
        self._layout_logic.GetLayoutNode().SetViewArrangement(layout)

    @property
    def layout(self) -> int:
        return self._layout_logic.GetLayoutNode().GetViewArrangement()

    def sliceViewNames(self) -> tuple[str, ...]:
        nodes = self._layout_logic.GetViewNodes()
        views = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
        return tuple(view.GetLayoutName() for view in views if view.IsA("vtkMRMLSliceNode"))

    def sliceWidget(self, name: str) -> SliceWidget | None:
        if name not in self.sliceViewNames():
            return None
        node = next(node for node in slicer.util.getNodesByClass("vtkMRMLSliceNode") if node.GetLayoutName() == name)
        if name not in self._slice_logics or self._slice_logics[name].GetSliceNode() is not node:
            logic = slicer.vtkMRMLSliceLogic()
            logic.SetMRMLApplicationLogic(self._application_logic)
            logic.SetMRMLScene(self._scene)
            logic.SetSliceNode(node)
            self._slice_logics[name] = logic
            self._collection.AddItem(logic)
        return SliceWidget(self._slice_logics[name])

    def mrmlSliceLogics(self) -> object:
        for name in self.sliceViewNames():
            self.sliceWidget(name)
        return self._collection


class _ModuleManager(_Strict):
    def connect(self, signal: str, slot: object) -> None:
        if signal != "moduleAboutToBeUnloaded(QString)":
            raise ValueError(signal)

    disconnect = connect


class Application(_Strict):
    def __init__(self, scene: object, temporary: Path) -> None:
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._logic.SetMRMLScene(scene)
        self._layout_manager = LayoutManager(scene, self._logic)
        self._module_manager, self._is_testing, self._nothing = _ModuleManager(), True, {}
        self.temporaryPath = self.slicerHome = str(temporary)
        self.startup_slots: list[object] = []

    def connect(self, signal: str, slot: object) -> bool:
        if signal != "startupCompleted()":
            raise ValueError(signal)
        self.startup_slots.append(slot)
        return True

    @property
    def qt_object(self) -> QtWidgets.QApplication:
        """What it is as a parent of Qt's objects."""
        return QtWidgets.QApplication.instance()

    applicationLogic, layoutManager = giving("_logic"), giving("_layout_manager")
    moduleManager, testingEnabled = giving("_module_manager"), giving("_is_testing")
    processEvents, restoreOverrideCursor = (through("qt_object", n) for n in ("processEvents", "restoreOverrideCursor"))
    pauseRender = resumeRender = through("_nothing", "clear")  # nothing is rendered here

    def setOverrideCursor(self, cursor: object) -> None:
        QtWidgets.QApplication.setOverrideCursor(QtGui.QCursor(cursor))

    def translate(self, context: str, text: str) -> str:
        return text

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://slicer.readthedocs.io/{name}"


class _Module(_Strict):
    def __init__(self, logic: object = None, path: str = "") -> None:
        self._logic, self.path = logic, path
        self._representation: object | None = None

    logic = giving("_logic")

    def widgetRepresentation(self) -> object:
        if self._representation is None:
            self._representation = slicer.qSlicerScriptedLoadableModuleWidget()
            self._representation.setLayout(pythonqt.wrap(QtWidgets.QVBoxLayout()))
            self._representation.setMRMLScene(slicer.mrmlScene)
        return self._representation


class _Modules(_Strict):
    """Only the modules whose logics are real here, and this one."""


def install(temporary: Path, module_folder: Path = MODULE_FOLDER) -> types.ModuleType:
    """Complete ``slicer`` in this process, once, with the module in a folder; returns it."""
    if hasattr(slicer, "mrmlScene"):
        return slicer
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    QtWidgets.QApplication.instance() or QtWidgets.QApplication(["slicer"])
    QtCore.QCoreApplication.setOrganizationName("slicer-stand-in")
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
    for scope in (QtCore.QSettings.Scope.UserScope, QtCore.QSettings.Scope.SystemScope):
        QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, scope, str(temporary / "settings"))

    pythonqt.make_module(ui_loader.UiLoader)
    ctk = types.ModuleType("ctk")
    sys.modules["ctk"] = ctk
    for place, widgets in ((ctk, ctk_widgets), (slicer, mrml_widgets)):
        for target in widgets.CLASSES:
            setattr(place, target.__name__, pythonqt.class_for(target))
            ui_loader.UiLoader.custom[target.__name__] = target
        for name in widgets.NAMED:
            setattr(place, name, type(name, (), {}))

    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    _fill_modules(scene, module_folder)
    slicer.app = Application(scene, temporary)
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.util.mainWindow = lambda verbose=True: None
    _place_modules()
    sys.path.insert(0, str(module_folder))
    return slicer


def _fill_modules(scene: object, module_folder: Path) -> None:
    slicer.modules = _Modules()
    logics = {
        "volumes": slicer.vtkSlicerVolumesLogic,
        "sequences": slicer.vtkSlicerSequencesLogic,
        "segmentations": slicer.vtkSlicerSegmentationsModuleLogic,
        "plots": slicer.vtkSlicerPlotsLogic,
        "tables": slicer.vtkSlicerTablesLogic,
        "colors": slicer.vtkSlicerColorLogic,
        "transforms": slicer.vtkSlicerTransformLogic,
    }
    for name, kind in logics.items():
        logic = kind()
        logic.SetMRMLScene(scene)
        setattr(slicer.modules, name, _Module(logic))
    slicer.modules.surgicalstyletransfer = _Module(path=str(module_folder / "SurgicalStyleTransfer.py"))

    # In Slicer a Qt plugin gives every shown node its item.
    @vtk.calldata_type(vtk.VTK_OBJECT)
    def added(caller: object, event: str, node: object) -> None:
        if node.IsA("vtkMRMLVolumeNode") and not node.GetHideFromEditors():
            now = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
            if not now.GetItemByDataNode(node):
                now.CreateItem(now.GetSceneItemID(), node)

    scene.AddObserver(scene.NodeAddedEvent, added)


def _place_modules() -> None:
    genuine = os.environ.get("SST_SLICER_PYTHON")
    if genuine:
        _place_genuine(Path(genuine) / "slicer")
        return
    # These ask for what is in its place by now.
    for file, name in STAND_INS.items():
        _place(f"slicer.{name}", importlib.import_module(f".{file}", __package__))
    packaging = types.ModuleType("slicer.packaging")

    def pip_ensure(requirements: list, constraints: object = None, requester: str | None = None) -> None:
        raise AssertionError(f"a test tried to install {requirements}")

    def load_requirements(path: object) -> list:
        from packaging.requirements import Requirement

        lines = Path(str(path)).read_text(encoding="utf-8").splitlines()
        return [Requirement(line) for line in map(str.strip, lines) if line and line[0] not in "#-"]

    packaging.pip_ensure, packaging.load_requirements = pip_ensure, load_requirements
    _place("slicer.packaging", packaging)


def _place(name: str, module: types.ModuleType) -> None:
    sys.modules[name] = module
    setattr(slicer, name.partition(".")[2], module)


def _place_genuine(folder: Path) -> None:
    for name in ("i18n", "ScriptedLoadableModule", "packaging", "parameterNodeWrapper"):
        path = folder / name / "__init__.py" if (folder / name).is_dir() else folder / f"{name}.py"
        search = [str(path.parent)] if path.name == "__init__.py" else None
        spec = importlib.util.spec_from_file_location(f"slicer.{name}", path, submodule_search_locations=search)
        module = importlib.util.module_from_spec(spec)
        _place(spec.name, module)
        spec.loader.exec_module(module)
