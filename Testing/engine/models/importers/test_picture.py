"""A style picture as a model folder: what it holds, and that pipeline, preview and worker run it like any style."""

import json

import numpy as np
import pytest
from tiny_models import head

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.inference.preview import SlicePreview
from surgical_style_engine.inference.readjust import adjust_translation
from surgical_style_engine.inference.runners import runner_for
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.importers.picture import import_picture
from surgical_style_engine.models.names import list_models
from surgical_style_engine.models.picture_style import load_picture, settings_of
from surgical_style_engine.volumes.volume import Volume
from surgical_style_engine.worker import messages as protocol
from surgical_style_engine.worker.tasks import Tasks

SIZE = (5, 40, 36)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    y, x = np.mgrid[:48, :64]
    wave = np.uint8(127 + 120 * np.sin(0.7 * x + 2 * np.sin(0.15 * y)))
    path = tmp_path_factory.mktemp("picture") / "waves.png"
    write_volume(Volume(np.stack([wave, wave, 255 - wave])[:, None], is_2d=True), path)
    return path


@pytest.fixture(scope="module")
def styles(tmp_path_factory, picture):
    """A folder with the picture as a style in colour and as one in luminance."""
    folder = tmp_path_factory.mktemp("styles")
    for colour in ("rgb", "luminance"):
        import_picture(picture, folder / colour, name=colour, colour=colour, features="random", steps=8, licence="CC0")
    return folder


def test_the_folder_holds_the_picture_and_its_settings(styles, picture):
    model = load_model(styles / "rgb")
    assert model.card.architecture.name == "style-image" and model.card.licence == "CC0"
    assert model.card.directions == ["forward"] and model.card.training["files"].keys() == {"waves.png"}
    assert (settings_of(model.card).steps, settings_of(model.card).features) == (8, "random")
    assert load_picture(model).shape == (3, 48, 64)
    from safetensors import safe_open

    with safe_open(styles / "rgb" / "weights.safetensors", framework="np") as stored:
        assert list(stored.keys()) == ["forward.picture"]
    assert "CC0" in (styles / "rgb" / "README.md").read_text()
    assert [(folder.name, problem) for folder, _, problem in list_models([styles])] == [("luminance", ""), ("rgb", "")]
    assert load_model(styles / "luminance").card.domains.target.channels == 1
    with pytest.raises(InputError, match="is a picture; it has no generator"):
        model.generator()


def test_a_copied_or_packed_style_is_imported_elsewhere(styles, tmp_path):
    import shutil

    from surgical_style_engine.models.archive import import_archive, import_folder

    copy = import_folder(styles / "rgb", tmp_path / "models", "copy")
    assert load_picture(load_model(copy)).shape == (3, 48, 64)
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", styles, "luminance")
    assert load_model(import_archive(packed, tmp_path / "models")).card.name == "luminance"


def test_translate_and_adjust(styles):
    volume = Volume(head(shape=SIZE)[None], (2.0, 2.0, 4.0))
    coloured = translate_volume(volume, load_model(styles / "rgb"), device="cpu")
    assert coloured.volume.array.shape == (3, *SIZE) and coloured.normalized_output.shape == (3, *SIZE)
    assert coloured.normalized_input.shape == (1, *SIZE) and abs(coloured.normalized_output).max() <= 1
    assert any("random filters" in text for text in coloured.warnings)
    model = load_model(styles / "luminance")
    whole = translate_volume(volume, model, device="cpu")
    assert whole.volume.array.shape == (1, *SIZE) and whole.volume.array.max() <= volume.array.max() + 1
    half = translate_volume(volume, model, device="cpu", strength=0.5)
    again = adjust_translation(volume, model, whole, strength=0.5)
    np.testing.assert_allclose(again, half.volume.array, atol=1e-3)
    np.testing.assert_array_equal(adjust_translation(volume, model, whole, strength=0), volume.array)


def test_preview_shows_one_slice(styles):
    volume = Volume(head(shape=SIZE)[None], (2.0, 2.0, 4.0))
    for name, channels in (("rgb", 3), ("luminance", 1)):
        model = load_model(styles / name)
        preview = SlicePreview(volume, model, "forward")
        made, plane, index = preview.render(runner_for(model, device="cpu"), "axial", (36.0, 40.0, 8.0))
        assert (plane, index) == ("axial", 2) and made.array.shape == (channels, 1, *SIZE[1:])
        assert preview.range[1] > (200 if channels == 3 else 400)
        assert made.array.std() > 10


def test_the_worker_imports_and_runs_it(picture, tmp_path):
    tasks, said = Tasks(), []

    def ask(**request):
        return tasks.run(request, lambda *told: said.append(told), lambda: False)

    made = ask(task="import", source=str(picture), folder=str(tmp_path), name="mine", colour="rgb", steps=6)
    folder = made["folder"]
    protocol.write_array(tmp_path / "in.npy", head(shape=SIZE)[None])
    volume = protocol.describe(tmp_path / "in.npy", (2.0, 2.0, 4.0), (0.0, 0.0, 0.0), np.eye(3))
    common = {"volume": volume, "model": folder, "direction": "forward"}
    assert ask(task="check", **common)["problem"] == ""
    result = ask(task="translate", output=str(tmp_path / "o.npy"), keep="k", device="cpu", **common)
    array = protocol.read_array(tmp_path / "o.npy")
    assert array.shape == (3, *SIZE) and array.dtype == np.uint8 and result["slices"] == 3
    assert result["notes"]["Synthetic"] == "yes" and result["backend"] == "torch"
    shares = [done / total for stage, done, total in said if stage == "translate"]
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 6
    ask(task="adjust", keep="k", output=str(tmp_path / "a.npy"), strength=0.5)
    assert protocol.read_array(tmp_path / "a.npy").shape == (3, *SIZE)
    figures = ask(task="figures", keep="k")["figures"]
    assert 0 < figures["semantic_consistency"] <= 1 and "no way back" in figures["cycle_note"]
    with pytest.raises(InputError, match="cannot be called|name"):
        ask(task="import", source=str(picture), folder=str(tmp_path), name="../x")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"steps": -1}, "setting steps"), ({"nonsense": 1}, "setting nonsense"), ({"colour": "luminance"}, "contradicts")],
)
def test_cards_that_contradict_themselves_are_refused(styles, tmp_path, change, sentence):
    import shutil

    folder = tmp_path / "style"
    shutil.copytree(styles / "rgb", folder)
    card = json.loads((folder / "model.json").read_text())
    card["architecture"]["arguments"] |= change
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match=sentence):
        runner_for(load_model(folder), device="cpu")


def test_weights_that_are_no_picture_are_refused(tmp_path, styles):
    import torch

    from surgical_style_engine.models.folder import save_model

    card = load_model(styles / "rgb").card
    for number, tensors in enumerate(
        (
            {"other": torch.zeros(3, 40, 40, dtype=torch.uint8)},
            {"picture": torch.zeros(1, 40, 40, dtype=torch.uint8)},
            {"picture": torch.rand(3, 40, 40)},
        )
    ):
        save_model(tmp_path / str(number), card, tensors)
        with pytest.raises(InputError, match="no style picture"):
            load_picture(load_model(tmp_path / str(number)))
    save_model(tmp_path / "flat", card, {"picture": torch.zeros(3, 40, 40, dtype=torch.uint8)})
    with pytest.raises(InputError, match="one colour"):
        load_picture(load_model(tmp_path / "flat"))


def test_nothing_is_left_of_a_refused_import(tmp_path, picture):
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(InputError):
        import_picture(tmp_path / "bad.png", tmp_path / "m", name="m")
    with pytest.raises(InputError, match="setting colour"):
        import_picture(picture, tmp_path / "m", name="m", colour="cmyk")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.png"]
