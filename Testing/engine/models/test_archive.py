"""Zip archives of model folders: a good one arrives whole, a bad one leaves nothing."""

import json
import stat
import zipfile

import pytest
import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.models import archive as model_archive
from surgical_style_engine.models.archive import import_archive, import_folder, is_model_archive
from surgical_style_engine.models.folder import load_model, verify_model
from surgical_style_engine.models.importers.reference import import_reference
from surgical_style_engine.networks import build_generator


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small model folder named "small"."""
    folder = tmp_path_factory.mktemp("made")
    network = build_generator("resnet_reference", ngf=2, n_blocks=1, in_channels=1, out_channels=1)
    torch.save(network.state_dict(), folder / "g.pth")
    import_reference(folder / "g.pth", folder / "small", name="small", source_name="A", target_name="B")
    return folder / "small"


def pack(path, model, top="small/", extra=(), change=None):
    """Zip a model folder; ``extra``: (name or ZipInfo, content); ``change``: file name -> other content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(model.iterdir()):
            archive.writestr(top + file.name, (change or {}).get(file.name, file.read_bytes()))
        for name, content in extra:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("top", ["", "small/", "some/where/"])
def test_round_trip(tmp_path, model, top):
    noise = [("__MACOSX/small/._model.json", b"x"), (f"{top}.DS_Store", b"x"), (f"{top}LICENSE", b"CC0")]
    path = pack(tmp_path / "m.zip", model, top, noise)
    assert is_model_archive(path)
    folder = import_archive(path, tmp_path / "models")
    assert folder == tmp_path / "models" / "small"
    assert verify_model(folder) == verify_model(model)
    assert {file.name for file in folder.iterdir()} == {file.name for file in model.iterdir()} | {"LICENSE"}
    assert [file.name for file in (tmp_path / "models").iterdir()] == ["small"]
    load_model(folder).generator("forward")


def test_another_name_and_overwriting(tmp_path, model):
    path, models = pack(tmp_path / "m.zip", model), tmp_path / "models"
    assert verify_model(import_archive(path, models, "other")).name == "other"
    assert verify_model(import_folder(model, models)).name == "small"
    with pytest.raises(InputError, match="a model small in .* already"):
        import_archive(path, models)
    (models / "small" / "README.md").write_text("old")
    import_archive(path, models, overwrite=True)
    assert (models / "small" / "README.md").read_text() != "old"
    with pytest.raises(InputError, match="cannot be a model's name"):
        import_archive(path, models, "../outside")
    assert sorted(file.name for file in models.iterdir()) == ["other", "small"]


def link(name, kind):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("member", "sentence"),
    [
        ("/etc/evil.txt", "unsafe path"),
        ("../evil.txt", "unsafe path"),
        ("small/../../evil.txt", "unsafe path"),
        ("..\\evil.txt", "unsafe path"),
        ("C:evil.txt", "unsafe path"),
        (link("small/link.txt", stat.S_IFLNK), "link or special file"),
        (link("small/pipe.txt", stat.S_IFIFO), "link or special file"),
        ("small/run.py", "no part of a model folder"),
        ("small/weights.pth", "no part of a model folder"),
        ("small/script", "no part of a model folder"),
        ("elsewhere/read.txt", "outside of the model's folder"),
        ("small/sub/model.json", "2 model cards"),
    ],
)
def test_unsafe_members(tmp_path, model, member, sentence):
    path = pack(tmp_path / "m.zip", model, extra=[(member, b"../../target")])
    with pytest.raises(InputError, match=sentence):
        import_archive(path, tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())
    assert {file.name for file in tmp_path.iterdir()} == {"m.zip", "models"}


def test_too_much(tmp_path, model, monkeypatch):
    bomb = pack(tmp_path / "bomb.zip", model, extra=[("small/zeros.txt", bytes(4 << 20))])
    assert bomb.stat().st_size < 1 << 20
    monkeypatch.setattr(model_archive, "LARGEST_UNPACKED", 3 << 20)
    with pytest.raises(InputError, match="more than 1 GB"):
        import_archive(bomb, tmp_path / "models")
    monkeypatch.undo()
    assert model_archive.LARGEST_UNPACKED == 1 << 30
    many = pack(tmp_path / "many.zip", model, extra=[(f"small/{n}.txt", b"") for n in range(300)])
    with pytest.raises(InputError, match="holds 303 files"):
        import_archive(many, tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def test_a_lying_size_is_noticed(tmp_path, model):
    """A member that says it is small and is not: never more than the stated size is unpacked."""
    path = pack(tmp_path / "m.zip", model, extra=[("small/zeros.txt", bytes(4 << 20))])
    content = bytearray(path.read_bytes())
    content = content.replace((4 << 20).to_bytes(4, "little"), (16).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be unpacked"):
        import_archive(path, tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def test_models_that_are_not_what_they_say(tmp_path, model):
    card = json.loads((model / "model.json").read_text())
    weights = (model / "weights.safetensors").read_bytes()
    elsewhere = card | {"architecture": {"name": "os:system", "arguments": {}}}
    narrower = card | {"architecture": card["architecture"] | {"arguments": {"ngf": 4}}}
    for change, sentence in (
        ({"weights.safetensors": weights[:-1] + b"?"}, "damaged"),
        ({"model.json": json.dumps(card | {"schema_version": 2})}, "schema version 2"),
        ({"model.json": json.dumps(card | {"name": "../up"})}, "wrong at 'name'"),
        ({"model.json": "{"}, "not valid JSON"),
        ({"model.json": json.dumps(elsewhere)}, "no generator 'os:system'"),
        ({"model.json": json.dumps(narrower)}, "do not fit its architecture"),
    ):
        path = pack(tmp_path / "m.zip", model, change=change)
        with pytest.raises(InputError, match=sentence):
            import_archive(path, tmp_path / "models")
        assert not list((tmp_path / "models").iterdir())


def test_broken_archives(tmp_path, model):
    path = pack(tmp_path / "m.zip", model)
    content = path.read_bytes()
    assert not is_model_archive(tmp_path / "absent.zip")
    path.write_bytes(content[: len(content) // 2])
    assert not is_model_archive(path)
    with pytest.raises(InputError, match="cannot be unpacked"):
        import_archive(path, tmp_path / "models")
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])
    with pytest.raises(InputError, match="cannot be unpacked"):
        import_archive(path, tmp_path / "models")
    torch.save({"model.json": torch.zeros(1)}, path)  # torch's files are zip archives, but hold no card
    assert not is_model_archive(path)
