"""`sst models` from the command line: what it lists, shows, refuses and deletes."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
import torch
from typer.testing import CliRunner

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.models import names as model_names
from surgical_style_engine.models.folder import verify_model
from surgical_style_engine.networks import build_generator
from training_cli.commands.models import app

DOMAINS = ("--source-name", "T1w", "--target-name", "CT", "--source-modality", "MR", "--target-modality", "CT")


def sst(*arguments, answer=None):
    """Run the command; an error comes back as `exception` (the program turns it into one sentence and exit code)."""
    return CliRunner().invoke(app, [str(a) for a in arguments], input=answer, env={"COLUMNS": "300"})


def refused(*arguments, kind=InputError):
    result = sst(*arguments)
    assert isinstance(result.exception, kind), (arguments, result.exception)
    assert "\n" not in str(result.exception) and result.exception.exit_code == (2 if kind is InputError else 1)
    return str(result.exception)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for name in ("A", "B"):
        torch.save(build_generator("resnet_reference", ngf=2, n_blocks=6).state_dict(), folder / f"net_G_{name}.pth")
    return folder


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The user's models folder; the shipped one is empty and elsewhere."""
    monkeypatch.setenv("SST_MODELS", str(tmp_path / "mine"))
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    monkeypatch.setattr(model_names, "shipped_models_folder", lambda: shipped)
    return tmp_path / "mine"


@pytest.fixture
def imported(models, weights):
    result = sst(
        "import",
        weights / "net_G_A.pth",
        "--name",
        "mr2ct",
        *DOMAINS,
        "--other-direction",
        weights / "net_G_B.pth",
        "--target-window",
        -200,
        300,
        "--spacing",
        1.5,
        "--licence",
        "CC0 [red]",
        "--title",
        "MR to CT",
    )
    assert result.exit_code == 0, result.output
    assert str(models / "mr2ct") in result.output.replace("\n", "")
    return models / "mr2ct"


def test_import_keeps_what_was_said(imported):
    card = verify_model(imported)
    assert card.directions == ["forward", "backward"] and card.spacing_mm == 1.5 and card.title == "MR to CT"
    assert card.domains.target.normalization.lower == -200 and card.domains.target.normalization.upper == 300
    assert (card.domains.source.channels, card.domains.source.modality) == (1, "MR")


def test_list(models, imported):
    table = sst("list")
    assert table.exit_code == 0
    for text in ("mr2ct", "T1w (MR)", "CT (CT, HU)", "both", "axial", "CC0 [red]", "yours"):
        assert text in table.output, text
    broken = models / "broken"
    broken.mkdir()
    (broken / "model.json").write_text("{")
    assert "not valid JSON" in sst("list").output
    rows = {row["name"]: row for row in json.loads(sst("list", "--json").output)}
    assert set(rows) == {"mr2ct", "broken"}
    assert rows["broken"]["card"] is None and "not valid JSON" in rows["broken"]["problem"]
    assert rows["mr2ct"]["card"]["weights"]["file"] == "weights.safetensors" and not rows["mr2ct"]["shipped"]


def test_empty_list(models):
    assert sst("list").output == f"There are no models; imported ones go to {models}.\n"
    assert json.loads(sst("list", "--json").output) == []


def test_show(imported):
    card = json.loads((imported / "model.json").read_text())
    for argument in ("mr2ct", imported):
        output = sst("show", argument).output
        for text in ("MR to CT", "1.5 mm", "resnet_reference", card["weights"]["sha256"], "hu_window", "imported"):
            assert text in output, text
    assert json.loads(sst("show", "mr2ct", "--json").output) == card
    assert "no model 'absent'; there are: mr2ct" in refused("show", "absent")


def test_verify(imported):
    result = sst("verify", "mr2ct")
    assert result.exit_code == 0 and "is whole" in result.output
    path = imported / "weights.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "damaged" in refused("verify", "mr2ct")
    path.unlink()
    assert "lacks its weights" in refused("verify", "mr2ct")


def test_verify_notices_weights_of_another_network(imported):
    """The digest is right, and still the card names a network that they do not fit."""
    card = json.loads((imported / "model.json").read_text())
    card["architecture"]["arguments"]["n_blocks"] = 9
    (imported / "model.json").write_text(json.dumps(card))
    assert "do not fit its architecture" in refused("verify", "mr2ct")


def test_import_of_packed_models(imported, tmp_path):
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in imported.iterdir():
            file.write(path, f"mr2ct/{path.name}")
    other = tmp_path / "other"
    assert sst("import", archive, "--into", other).exit_code == 0
    assert sst("import", imported, "--into", other, "--name", "again").exit_code == 0
    assert sorted(path.name for path in other.iterdir()) == ["again", "mr2ct"]
    assert "already" in refused("import", archive)
    assert sst("import", archive, "--overwrite").exit_code == 0


def test_import_of_bad_input(models, weights, tmp_path):
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"PK")
    source = weights / "net_G_A.pth"
    assert "no file" in refused("import", tmp_path / "absent.pth")
    assert "give --name, --source-name, --target-name" in refused("import", source)
    assert "cannot be a model's name" in refused("import", source, "--name", "a/b", *DOMAINS)
    assert "cannot be unpacked" in refused("import", bad)
    assert "no model" in refused("import", tmp_path)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert "cannot be written" in refused(
        "import", source, "--name", "x", *DOMAINS, "--into", blocked, kind=StyleTransferError
    )
    assert not models.exists() or not list(models.iterdir())


def test_remove(imported, models):
    kept = sst("remove", "mr2ct", answer="n\n")
    assert kept.exit_code == 1 and imported.is_dir() and str(imported) in kept.output.replace("\n", "")
    assert sst("remove", "mr2ct", answer="y\n").exit_code == 0 and not imported.exists()
    assert "no model 'mr2ct'" in refused("remove", "mr2ct", "--yes")
    assert models.is_dir()


def test_shipped_models_stay(imported, tmp_path):
    shipped = tmp_path / "shipped" / "brain"
    shutil.copytree(imported, shipped)
    assert "shipped" in sst("list").output
    assert "cannot be removed" in refused("remove", "brain")
    assert (shipped / "model.json").is_file()
    assert sst("remove", "mr2ct", "--yes").exit_code == 0


def test_help_loads_no_heavy_package():
    code = "import sys, training_cli.commands.models; sys.exit(bool({'torch', 'numpy', 'rich'} & set(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
