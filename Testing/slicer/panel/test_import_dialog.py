"""What is asked about weights and pictures before they are imported."""

from pathlib import Path

import pytest

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


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


def test_of_a_style_picture_only_name_colour_features_and_licence_are_asked(slicer_app, tmp_path):
    from SurgicalStyleTransferLib.panel.import_dialog import ImportDialog, PictureDialog, dialog_for

    dialog = dialog_for(str(tmp_path / "Starry Night.JPG"))
    assert isinstance(dialog, PictureDialog)
    assert dialog.arguments() == {"name": "Starry-Night", "colour": "rgb", "features": "auto", "licence": "unstated"}
    dialog.colour.currentIndex, dialog.features.currentIndex, dialog.licence.text = 1, 2, "public domain"
    assert dialog.arguments() == {
        "name": "Starry-Night",
        "colour": "luminance",
        "features": "vgg16",
        "licence": "public domain",
    }
    assert type(dialog_for(str(tmp_path / "net_G.pth"))) is ImportDialog


def test_the_import_dialogs_have_their_buttons(slicer_app, tmp_path):
    import qt

    from SurgicalStyleTransferLib.panel.import_dialog import dialog_for

    for name in ("net_G.pth", "starry.png"):
        buttons = dialog_for(str(tmp_path / name)).buttons
        assert buttons.button(qt.QDialogButtonBox.Ok) is not None
        assert buttons.button(qt.QDialogButtonBox.Cancel) is not None
    with pytest.raises(TypeError):
        qt.QDialogButtonBox(qt.QDialogButtonBox.Ok)


def test_a_dialog_that_was_answered_is_deleted(slicer_app, module, monkeypatch):
    import gc

    import qt
    from PySide6 import QtCore

    from SurgicalStyleTransferLib.panel.import_dialog import ImportDialog

    gone = []
    monkeypatch.setattr(qt.QDialog, "exec_", lambda dialog: 0, raising=False)
    dialog = ImportDialog("weights.pth")
    dialog.dialog._target.destroyed.connect(lambda: gone.append(True))
    assert dialog.ask() is None
    del dialog
    gc.collect()
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
    slicer_app.app.processEvents()
    assert gone


def test_a_files_name_is_shown_as_it_is(slicer_app, tmp_path):
    """Never as markup, which could fetch pictures or pretend to say something else."""
    from PySide6 import QtWidgets
    from PySide6.QtCore import Qt

    from SurgicalStyleTransferLib.panel.import_dialog import dialog_for

    for name in ("<b>x.pth", "<img src=x>.png"):
        form = dialog_for(str(tmp_path / name))
        labels = form.dialog._target.findChildren(QtWidgets.QLabel)
        shown = [label for label in labels if name in label.text()]
        assert shown and all(label.textFormat() == Qt.TextFormat.PlainText for label in shown)
