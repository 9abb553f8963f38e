"""The module as Slicer opens it: what is loaded, what it says of itself, and what it leaves behind."""

import ast
import gc
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "SurgicalStyleTransfer"

SLICER_SIDE = [
    MODULE_FOLDER / "SurgicalStyleTransfer.py",
    *sorted((MODULE_FOLDER / "SurgicalStyleTransferLib").rglob("*.py")),
]


def test_opening_loads_neither_torch_nor_the_engines_packages(slicer_app):
    """In a process of its own, with the styles listed and shown."""
    code = f"""
import sys
sys.path[:] = [entry for entry in sys.path if entry not in ({str(Path(__file__).parent)!r}, "")]
import slicer
sys.path.insert(0, {str(Path(__file__).parent)!r})
import pathlib, tempfile
from slicer_stand_in import install
install(pathlib.Path(tempfile.mkdtemp()))
before = set(sys.modules)
import SurgicalStyleTransfer, qt
parent = slicer.qSlicerScriptedLoadableModuleWidget()
qt.QVBoxLayout(parent)
widget = SurgicalStyleTransfer.SurgicalStyleTransferWidget(parent)
widget.setup()
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(sorted(loaded & {{"torch", "torchvision", "pydantic", "safetensors", "SimpleITK", "monai", "nilearn"}}))
widget.cleanup()
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert said.stdout.strip().endswith("[]"), said.stdout + said.stderr


def test_the_engine_knows_nothing_of_slicer_and_the_panel_computes_nothing():
    for path in sorted((MODULE_FOLDER / "surgical_style_engine").rglob("*.py")):
        assert not imported(path) & {"slicer", "qt", "ctk", "vtk", "SurgicalStyleTransferLib"}, path
    for path in SLICER_SIDE:
        assert not imported(path) & {"torch", "SimpleITK", "scipy", "pydantic", "training_cli"}, path


def imported(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


def test_texts_can_be_translated():
    """``_()`` gets one constant, never an f-string, or a text of the metric registry; placeholders are named."""
    of_registry = {"title", "slice_title", "help"}
    count = 0
    for path in SLICER_SIDE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                count += 1
                assert len(node.args) == 1, (path.name, node.lineno)
                text = node.args[0]
                if isinstance(text, ast.Attribute) and text.attr in of_registry:
                    continue
                assert isinstance(text, ast.Constant) and "{}" not in text.value, (path.name, node.lineno)
    assert count > 100


def test_the_module_introduces_itself(slicer_app, module):
    class Parent:
        path = str(MODULE_FOLDER / "SurgicalStyleTransfer.py")

    parent = Parent()
    module.SurgicalStyleTransfer(parent)
    assert parent.title == "Surgical Style Transfer" and parent.categories == ["Image Synthesis"]
    assert parent.contributors and parent.acknowledgementText.strip() and "not for diagnosis" in parent.helpText
    assert "{" not in parent.helpText


def test_going_in_and_out_leaves_nothing_of_earlier_parameters_behind(open_panel, scene):
    widget = open_panel()
    gone = []
    for change in (lambda: None, lambda: None, lambda: scene.Clear(0)):
        gone.append(weakref.ref(widget._parameterNode))
        widget.exit()
        change()
        widget.enter()
    gc.collect()
    assert [entry() for entry in gone] == [None] * 3
    widget._parameterNode.strength = 0.5
    assert widget.ui.strengthSlider.value == 0.5


RELOAD = """
import pathlib, sys, tempfile
here, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path[:] = [entry for entry in sys.path if entry and pathlib.Path(entry).resolve() != here]
import slicer
sys.path.insert(0, str(here))
from slicer_stand_in import install, mrml_widgets
install(pathlib.Path(tempfile.mkdtemp()), folder)
import SurgicalStyleTransfer
mrml_widgets.qSlicerScriptedLoadableModuleWidget.moduleName = "SurgicalStyleTransfer"
slicer.modules.surgicalstyletransfer.widgetRepresentation().reload()
first = slicer.modules.SurgicalStyleTransferWidget
assert pathlib.Path(sys.modules[type(first.panel).__module__].__file__).is_relative_to(folder)
exchange = first.logic.engine.exchange.folder
for file, old, new in (
    ("panel/advanced.py", '_("not running")', '_("asleep")'),
    ("jobs/engine.py", "QUICK_SLICES = 24", "QUICK_SLICES = 25"),
):
    path = folder / "SurgicalStyleTransferLib" / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
first.onReload()
second = slicer.modules.SurgicalStyleTransferWidget
assert second is not first and first.panel is None and not exchange.exists()
second.logic.engine.client.on_state_changed()
print(second.ui.workerStateLabel.text, "|", second.ui.figuresComboBox.itemText(0))
second.cleanup()
"""


def test_reload_brings_the_files_of_every_folder_anew(slicer_app, tmp_path):
    """As Slicer's developers use it: files in several folders of the library are edited, then Reload is pressed."""
    folder = tmp_path / "SurgicalStyleTransfer"
    shutil.copytree(MODULE_FOLDER, folder, ignore=shutil.ignore_patterns("Models", "__pycache__", "Testing"))
    said = subprocess.run(
        [sys.executable, "-B", "-c", RELOAD, str(Path(__file__).resolve().parent), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    told = "asleep | Verdict after every run, figures on request"
    assert said.stdout.strip().endswith(told), said.stdout + said.stderr
