"""A model is brought into a folder of models, whatever it comes as."""

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_models import make_tiny_model

from surgical_style_engine.app.import_model import DetailsMissingError, ImportDetails, import_model
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import load_model


@pytest.fixture
def picture(tmp_path):
    painted = np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(painted, isVector=True), tmp_path / "waves.png")
    return tmp_path / "waves.png"


def test_a_folder_a_picture_and_weights(tmp_path, picture):
    import torch

    from surgical_style_engine.networks import build_generator

    models = tmp_path / "mine"
    folder = make_tiny_model(tmp_path)
    assert import_model(folder, models) == models / "tiny"
    assert import_model(folder, models, ImportDetails(name="again")).name == "again"
    style = import_model(picture, models, ImportDetails(name="waves", steps=7))
    assert load_model(style).card.architecture.name == "style-image"
    torch.save(build_generator("resnet_reference", ngf=2, n_blocks=6).state_dict(), tmp_path / "net_G.pth")
    details = ImportDetails(name="mr2ct", source_name="T1w", target_name="CT", spacing_mm=1.5)
    assert load_model(import_model(tmp_path / "net_G.pth", models, details)).card.spacing_mm == 1.5
    assert sorted(path.name for path in models.iterdir()) == ["again", "mr2ct", "tiny", "waves"]


def test_what_is_missing_is_named(tmp_path, picture):
    (tmp_path / "net_G.pth").write_bytes(b"weights")
    with pytest.raises(DetailsMissingError, match="give a name and both domains") as missing:
        import_model(tmp_path / "net_G.pth", tmp_path / "mine", ImportDetails(source_name="T1w"))
    assert missing.value.fields == ["name", "target_name"]
    with pytest.raises(DetailsMissingError, match="no name of its own; give a name") as missing:
        import_model(picture, tmp_path / "mine")
    assert missing.value.fields == ["name"]
    with pytest.raises(InputError, match="no file"):
        import_model(tmp_path / "absent", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
