"""Where the models of this machine are."""

from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_the_command_line_and_the_panel_look_into_the_same_folders(slicer_app, module, monkeypatch, tmp_path):
    from surgical_style_engine.models import names
    from SurgicalStyleTransferLib.setup import model_cards

    assert model_cards.default_user_folder() == names.user_models_folder()
    monkeypatch.setenv("SST_MODELS", str(tmp_path))
    assert model_cards.default_user_folder() == names.user_models_folder() == tmp_path
    clone = MODULE_FOLDER / "Resources" / "Models"
    assert model_cards.shipped_folder() == clone
    if clone.is_dir():
        assert names.shipped_models_folder() == clone


def test_a_model_in_use_is_kept_whole_and_can_be_removed_later(slicer_app, module, tiny_folder, tmp_path, monkeypatch):
    """As on Windows, where a file that is mapped into memory holds its folder."""
    import shutil

    import pytest

    from surgical_style_engine.common import atomic_write
    from SurgicalStyleTransferLib.setup.models import Models

    models = Models()
    before = models.folder
    models.folder = tmp_path
    try:
        shutil.copytree(tiny_folder / "tiny", tmp_path / "mine")
        files = sorted(path.name for path in (tmp_path / "mine").iterdir())
        (card,) = [card for card in models.cards() if card.name == "mine"]
        with monkeypatch.context() as windows:

            def refuse(source, target):
                raise PermissionError(13, "The process cannot access the file", str(source))

            windows.setattr(atomic_write.os, "replace", refuse)
            with pytest.raises(PermissionError):
                models.remove(card)
        assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == files
        models.remove(card)
        assert list(tmp_path.iterdir()) == []
    finally:
        models.folder = before
