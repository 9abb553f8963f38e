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
