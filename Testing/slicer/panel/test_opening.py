"""Opening the panel: what is loaded, what is shown, how choices are bound and kept, when Apply may be pressed."""

import ast
import gc
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"
SLICER_SIDE = [
    MODULE_FOLDER / "SurgicalStyleTransfer.py",
    *sorted((MODULE_FOLDER / "SurgicalStyleTransferLib").glob("*.py")),
]


def test_opening_loads_neither_torch_nor_the_engines_packages(slicer_app):
    """In a process of its own, with the styles listed and shown."""
    code = f"""
import sys
sys.path[:] = [entry for entry in sys.path if entry not in ({str(Path(__file__).parents[1])!r}, "")]
import slicer
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import pathlib, tempfile
from slicer_stand_in import install
install(pathlib.Path(tempfile.mkdtemp()))
before = set(sys.modules)
import SurgicalStyleTransfer, qt
parent = slicer.qMRMLWidget()
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
    """``_()`` gets one constant, never an f-string; placeholders are named."""
    count = 0
    for path in SLICER_SIDE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                count += 1
                assert len(node.args) == 1 and isinstance(node.args[0], ast.Constant), (path.name, node.lineno)
                assert "{}" not in node.args[0].value, (path.name, node.lineno)
    assert count > 100


def test_the_module_introduces_itself(slicer_app, module):
    class Parent:
        path = str(MODULE_FOLDER / "SurgicalStyleTransfer.py")

    parent = Parent()
    module.SurgicalStyleTransfer(parent)
    assert parent.title == "Surgical Style Transfer" and parent.categories == ["Image Synthesis"]
    assert parent.contributors and parent.acknowledgementText.strip() and "not for diagnosis" in parent.helpText
    assert "{" not in parent.helpText


def test_the_empty_state_offers_slicers_own_sample(slicer_app, open_panel, volume, monkeypatch):
    import types

    widget = open_panel()
    assert not widget.ui.emptyFrame.isHidden() and not widget.ui.applyButton.enabled
    asked = []

    class SampleDataLogic:
        def downloadSamples(self, name):
            asked.append(name)
            return [volume(name) for name in ("CTBrain", "MRBrainT1", "MRBrainT2")]

    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=SampleDataLogic))
    widget.ui.sampleDataButton.click()
    assert asked == ["CTMRBrain"] and widget._parameterNode.inputVolume.GetName() == "MRBrainT1"
    assert widget.ui.emptyFrame.isHidden() and widget.ui.applyButton.enabled


BOUND = {
    "strength": ("strengthSlider", "value", 0.25),
    "fade": ("fadeSlider", "value", 0.75),
    "batchSize": ("batchSpinBox", "value", 7),
    "showErrorMap": ("mapCheckBox", "checked", True),
    "preview": ("previewCheckBox", "checked", True),
}
CHOSEN = {
    "model": ("styleComboBox", "tiny-one-way"),
    "device": ("deviceComboBox", "cpu"),
    "precision": ("precisionComboBox", "bf16"),
    "plane": ("planeComboBox", "all"),
    "figures": ("figuresComboBox", "all"),
    "direction": ("directionComboBox", "backward"),
    "frames": ("framesComboBox", "all"),
    "previewView": ("previewViewComboBox", "Green"),
}


@pytest.mark.parametrize("name", BOUND)
def test_a_bound_widget_and_its_parameter_move_each_other(open_panel, name):
    widget = open_panel()
    widget_name, attribute, value = BOUND[name]
    control, parameters = getattr(widget.ui, widget_name), widget._parameterNode
    before = getattr(parameters, name)
    setattr(control, attribute, value)
    assert getattr(parameters, name) == value != before
    setattr(parameters, name, before)
    assert getattr(control, attribute) == before


@pytest.mark.parametrize("name", CHOSEN)
def test_a_combo_box_and_its_parameter_move_each_other(open_panel, name):
    widget = open_panel()
    combo, value = getattr(widget.ui, CHOSEN[name][0]), CHOSEN[name][1]
    parameters = widget._parameterNode
    before = getattr(parameters, name)
    combo.currentIndex = combo.findData(value)
    assert getattr(parameters, name) == value != before
    setattr(parameters, name, before)
    assert combo.currentData == before


def test_node_selectors_offer_volumes_of_both_kinds_and_no_labelmaps(open_panel, volume):
    widget = open_panel()
    grey = volume("Grey")
    colour = volume("Colour", array=np.zeros((1, 8, 8, 3), np.uint8), class_name="vtkMRMLVectorVolumeNode")
    labels = volume("Labels", array=np.ones((4, 8, 8), np.uint8), class_name="vtkMRMLLabelMapVolumeNode")
    for node in (grey, colour):
        widget.ui.inputSelector.setCurrentNode(node)
        assert widget._parameterNode.inputVolume is node
        widget._parameterNode.inputVolume = None
        assert widget.ui.inputSelector.currentNode() is None
    widget.ui.inputSelector.setCurrentNode(labels)
    assert widget._parameterNode.inputVolume is None
    widget.ui.regionSelector.setCurrentNode(labels)
    assert widget._parameterNode.region is labels
    widget.ui.regionSelector.setCurrentNode(grey)
    assert widget._parameterNode.region is None


def test_choices_survive_saving_and_loading_the_scene(scene, open_panel, volume):
    widget = open_panel()
    node = volume("Kept")
    parameters = widget._parameterNode
    parameters.inputVolume = parameters.referenceVolume = node
    wanted = {
        "model": "tiny-one-way",
        "direction": "forward",
        "strength": 0.5,
        "device": "cpu",
        "plane": "coronal",
        "precision": "fp32",
        "batchSize": 3,
        "figures": "all",
        "fade": 0.25,
        "frames": "all",
    }
    for name, value in wanted.items():
        setattr(parameters, name, value)
    scene.SetSaveToXMLString(1)
    scene.Commit()
    text = scene.GetSceneXMLString()
    scene.SetSaveToXMLString(0)
    scene.Clear(0)
    assert widget._parameterNode.strength == 1.0 and widget._parameterNode.inputVolume is None
    scene.SetLoadFromXMLString(1)
    scene.SetSceneXMLString(text)
    scene.Import()
    scene.SetLoadFromXMLString(0)
    parameters = widget._parameterNode
    assert {name: getattr(parameters, name) for name in wanted} == wanted
    assert parameters.inputVolume.GetName() == parameters.referenceVolume.GetName() == "Kept"
    assert widget.ui.strengthSlider.value == 0.5 and widget.ui.styleComboBox.currentData == "tiny-one-way"
    assert widget.ui.inputSelector.currentNode() is parameters.inputVolume


def test_every_rule_of_apply_has_its_reason(scene, slicer_app, open_panel, volume):
    widget = open_panel()
    ui, parameters = widget.ui, widget._parameterNode

    def reason():
        assert not ui.applyButton.enabled
        return ui.applyButton.toolTip

    assert reason() == "Select an input volume."
    parameters.inputVolume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    assert reason() == "The input volume is empty."
    node = volume()
    parameters.inputVolume = node
    assert ui.applyButton.enabled and ui.applyButton.toolTip == "Apply the style to the input volume."
    parameters.model = "tiny-torn"
    assert "damaged" in reason() and "(unusable)" in ui.styleComboBox.currentText
    parameters.model = "elsewhere"
    assert reason() == "Select a style." and "not on this machine" in ui.styleComboBox.currentText
    parameters.model = "tiny-colour"
    assert reason() == "The style takes colour volumes; the input is greyscale."
    photo = volume("Photo", array=np.zeros((1, 8, 8, 3), np.uint8), class_name="vtkMRMLVectorVolumeNode")
    parameters.inputVolume = photo
    assert ui.applyButton.enabled
    parameters.model = "tiny"
    assert reason() == "The style takes greyscale volumes; the input is in colour."
    two = volume("Two", array=np.zeros((2, 8, 8, 2), np.float32), class_name="vtkMRMLVectorVolumeNode")
    parameters.inputVolume = two
    assert "has 2 components" in reason()
    parameters.inputVolume = node
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    parameters.region = segmentation
    assert reason() == "Select a segment as the region, or choose the whole volume."
    parameters.region = None
    parameters.outputVolume = node
    assert "is the input itself" in reason()
    parameters.outputVolume = photo
    assert "of another kind" in reason()
    parameters.outputVolume = None
    assert ui.applyButton.enabled


def test_without_any_style_it_says_where_to_get_one(open_panel, volume, tmp_path):
    widget = open_panel(folder=tmp_path)
    widget._parameterNode.inputVolume = volume()
    assert not widget.ui.applyButton.enabled
    assert widget.ui.applyButton.toolTip == "There is no style yet. Import one under Style."
    assert "No style yet" in widget.ui.styleComboBox.currentText


def test_the_card_of_a_style_is_shown_as_text_not_as_markup(open_panel, tmp_path):
    from tiny_models import make_tiny_model

    metrics = {
        "patient 1, T1w to T2w": {"psnr": 21.5, "floors": {"psnr": 99.0}},
        "patient 1, T2w to T1w": {"psnr": 18.5, "ssim": 0.5},
    }
    make_tiny_model(tmp_path, licence="<b>CC</b>", metrics=metrics)
    widget = open_panel(folder=tmp_path)
    text = widget.ui.cardLabel.text
    assert "&lt;b&gt;CC&lt;/b&gt;" in text and "PSNR 21.5 dB" in text and "99.0" not in text and "SSIM" not in text
    assert "T1w (MR), greyscale, axial slices, 2 mm" in text and "T2w (MR), synthetic" in text
    assert "Not for diagnosis" in text
    assert widget.ui.thumbnailLabel.isHidden()
    widget._parameterNode.direction = "backward"
    assert "PSNR 18.5 dB, SSIM 0.500" in widget.ui.cardLabel.text
    picture = MODULE_FOLDER / "Resources" / "Icons" / "SurgicalStyleTransfer.png"
    (tmp_path / "tiny" / "thumbnail.png").write_bytes(picture.read_bytes())
    widget.panel.refresh_styles()
    assert not widget.ui.thumbnailLabel.isHidden() and widget.ui.thumbnailLabel.pixmap.height() == 96


def test_import_remove_and_another_folder(open_panel, until, tiny_folder, tmp_path, monkeypatch):
    import slicer

    widget = open_panel(folder=tmp_path / "mine")
    widget.panel.import_style(str(tiny_folder / "tiny"), {})
    until(lambda: "was imported" in widget.ui.statusLabel.text, "the import")
    assert widget._parameterNode.model == "tiny" and widget.ui.removeButton.enabled
    widget.panel.import_style(str(tiny_folder / "absent.zip"), {})
    until(lambda: "There is no file" in widget.ui.statusLabel.text, "the refusal")
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: False)
    widget.ui.removeButton.click()
    assert (tmp_path / "mine" / "tiny").is_dir()
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: True)
    widget.ui.removeButton.click()
    assert not (tmp_path / "mine" / "tiny").exists() and "No style yet" in widget.ui.styleComboBox.currentText
    widget.ui.folderButton.directory = str(tiny_folder)
    assert widget.ui.styleComboBox.count == 4


def test_a_folder_that_may_be_anything_is_not_removed(open_panel, tmp_path, monkeypatch):
    import slicer

    other = tmp_path / "somebodys-network"
    other.mkdir()
    (other / "model.json").write_text('{"format": "layers-model"}')
    (other / "data.bin").write_text("precious")
    widget = open_panel(folder=tmp_path)
    widget._parameterNode.model = other.name
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: True)
    widget.ui.removeButton.click()
    assert "cannot be deleted: the card of" in widget.ui.statusLabel.text
    assert (other / "data.bin").read_text() == "precious"


def test_weights_are_asked_about(slicer_app, tmp_path):
    from SurgicalStyleTransferLib.panel.import_dialog import ImportDialog, is_packed

    assert is_packed("model.zip") and not is_packed("latest_net_G_A.pth")
    dialog = ImportDialog(str(tmp_path / "latest net_G.pth"))
    dialog.source_name.text, dialog.target_name.text = "T1w", "CT"
    dialog.target_modality.currentIndex = 1
    assert dialog.arguments() == {
        "name": "latest-net-G",
        "source_name": "T1w",
        "target_name": "CT",
        "source_modality": "MR",
        "target_modality": "CT",
        "spacing_mm": None,
        "licence": "unstated",
    }


def test_of_a_style_picture_only_name_colour_and_licence_are_asked(slicer_app, tmp_path):
    from SurgicalStyleTransferLib.panel.import_dialog import ImportDialog, PictureDialog, dialog_for

    dialog = dialog_for(str(tmp_path / "Starry Night.JPG"))
    assert isinstance(dialog, PictureDialog)
    assert dialog.arguments() == {"name": "Starry-Night", "colour": "rgb", "licence": "unstated"}
    dialog.colour.currentIndex, dialog.licence.text = 1, "public domain"
    assert dialog.arguments() == {"name": "Starry-Night", "colour": "luminance", "licence": "public domain"}
    assert type(dialog_for(str(tmp_path / "net_G.pth"))) is ImportDialog


def test_a_style_picture_becomes_a_style(open_panel, until, tmp_path):
    from PIL import Image

    Image.effect_noise((64, 48), 80).convert("RGB").save(tmp_path / "noise.png")
    widget = open_panel(folder=tmp_path / "mine")
    widget.panel.import_style(str(tmp_path / "noise.png"), {"name": "noise", "colour": "rgb", "licence": "CC0"})
    until(lambda: "was imported" in widget.ui.statusLabel.text, "the import")
    card = widget.panel.card()
    assert widget._parameterNode.model == "noise" and not card.problem and card.licence == "CC0"
    assert card.starts_in("forward").channels == 1 and card.ends_in("forward").channels == 3
    assert card.thumbnail is not None and not widget.ui.thumbnailLabel.isHidden()


def test_advanced_lists_devices_and_the_log(open_panel, until):
    widget = open_panel()
    widget.ui.advancedCollapsibleButton.collapsed = False
    until(lambda: bool(widget.panel._devices), "the devices")
    combo = widget.ui.deviceComboBox
    texts = {combo.itemData(index): combo.itemText(index) for index in range(combo.count)}
    assert list(texts)[0] == "auto" and "cpu" in texts
    assert "GB free" in texts["cpu"] or not Path("/proc/meminfo").exists()
    assert widget.ui.workerStateLabel.text == "ready"
    widget.ui.logButton.click()
    assert "Worker 0.1.0 started" in widget.ui.logTextEdit.plainText and not widget.ui.logTextEdit.isHidden()
    widget.ui.stopWorkerButton.click()
    assert widget.ui.workerStateLabel.text == "not running" and not widget.ui.stopWorkerButton.enabled


def test_the_command_line_and_the_panel_look_into_the_same_folders(slicer_app, module, monkeypatch, tmp_path):
    from surgical_style_engine.models import names as model_names
    from SurgicalStyleTransferLib.setup import model_cards

    assert model_cards.default_user_folder() == model_names.user_models_folder()
    monkeypatch.setenv("SST_MODELS", str(tmp_path))
    assert model_cards.default_user_folder() == model_names.user_models_folder() == tmp_path
    clone = MODULE_FOLDER / "Resources" / "Models"
    assert model_cards.shipped_folder() == clone
    if clone.is_dir():
        assert model_names.shipped_models_folder() == clone


def test_the_default_style_is_selected_first_wherever_it_stands_in_the_list(open_panel, tiny_folder, tmp_path):
    from surgical_style_engine.models.names import DEFAULT_MODEL
    from SurgicalStyleTransferLib.setup import model_cards

    assert model_cards.FIRST == DEFAULT_MODEL
    for name in ("aaa", "zzz"):
        shutil.copytree(tiny_folder / "tiny", tmp_path / name)
    widget = open_panel(folder=tmp_path)
    assert widget._parameterNode.model == "aaa"
    shutil.copytree(tiny_folder / "tiny", tmp_path / DEFAULT_MODEL)
    widget.panel.refresh_styles()
    assert widget._parameterNode.model == "aaa"  # what is selected stays
    widget._parameterNode.model = ""
    widget.panel.refresh_styles()
    assert widget._parameterNode.model == DEFAULT_MODEL


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


def test_the_import_dialogs_have_their_buttons(slicer_app, tmp_path):
    import qt

    from SurgicalStyleTransferLib.panel.import_dialog import dialog_for

    for name in ("net_G.pth", "starry.png"):
        buttons = dialog_for(str(tmp_path / name)).buttons
        assert buttons.button(qt.QDialogButtonBox.Ok) is not None
        assert buttons.button(qt.QDialogButtonBox.Cancel) is not None
    with pytest.raises(TypeError):
        qt.QDialogButtonBox(qt.QDialogButtonBox.Ok)


def test_the_stand_ins_are_strict(slicer_app, tmp_path):
    import qt

    label = qt.QLabel("text")
    assert label.text == "text"
    with pytest.raises(AttributeError):
        label.txt = "typo"
    with pytest.raises(AttributeError):
        _ = label.nothing
    with pytest.raises(TypeError):
        label.text = 5
    with pytest.raises(TypeError):
        label.text()
    with pytest.raises(ValueError, match="no signal"):
        qt.QPushButton().connect("clickd()", print)
    with pytest.raises(AttributeError):
        _ = qt.QNothing
    with pytest.raises(AttributeError):
        _ = slicer_app.app.nothing
    frame = (
        '<ui version="4.0"><widget class="{}" name="a"><property name="{}"><string>x</string></property></widget></ui>'
    )
    for class_name, name in (("qMRMLNothing", "toolTip"), ("QLabel", "tooltip")):
        (tmp_path / "x.ui").write_text(frame.format(class_name, name))
        with pytest.raises(ValueError):
            slicer_app.util.loadUI(str(tmp_path / "x.ui"))
