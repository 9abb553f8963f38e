"""The section Style: the card, importing, removing."""

import shutil
from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_the_card_of_a_style_is_shown_as_text_not_as_markup(open_panel, tmp_path):
    from tiny_models import make_tiny_model

    metrics = {
        "patient 1, T1w to T2w": {"psnr": 21.5, "floors": {"psnr": 99.0}},
        "patient 1, T2w to T1w": {"psnr": 18.5, "ssim": 0.5},
    }
    make_tiny_model(tmp_path, licence="<b>CC</b>", metrics=metrics)
    widget = open_panel(folder=tmp_path)
    assert "axial slices" in widget.ui.cardLabel.text and "PSNR" not in widget.ui.cardLabel.text, "in brief at first"
    widget.ui.cardButton.click()
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
    widget.panel.style.import_style(str(tiny_folder / "tiny"), {})
    until(lambda: "was imported" in widget.ui.statusLabel.text, "the import")
    assert widget._parameterNode.model == "tiny" and widget.ui.removeButton.enabled
    widget.panel.style.import_style(str(tiny_folder / "absent.zip"), {})
    until(lambda: "There is no file" in widget.ui.statusLabel.text, "the refusal")
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: False)
    widget.ui.removeButton.click()
    assert (tmp_path / "mine" / "tiny").is_dir()
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: True)
    widget.ui.removeButton.click()
    assert not (tmp_path / "mine" / "tiny").exists() and "No style yet" in widget.ui.styleComboBox.currentText
    widget.ui.folderButton.directory = str(tiny_folder)
    assert widget.ui.styleComboBox.count == 5, "four styles, and the look of a volume or folder"


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


def test_a_style_picture_becomes_a_style(open_panel, until, tmp_path):
    from PIL import Image

    Image.effect_noise((64, 48), 80).convert("RGB").save(tmp_path / "noise.png")
    widget = open_panel(folder=tmp_path / "mine")
    widget.panel.style.import_style(str(tmp_path / "noise.png"), {"name": "noise", "colour": "rgb", "licence": "CC0"})
    until(lambda: "was imported" in widget.ui.statusLabel.text, "the import")
    card = widget.panel.context.card()
    assert widget._parameterNode.model == "noise" and not card.problem and card.licence == "CC0"
    assert card.starts_in("forward").channels == 1 and card.ends_in("forward").channels == 3
    assert card.thumbnail is not None and not widget.ui.thumbnailLabel.isHidden()


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
