"""What names and cards hold never reaches the terminal, a page or a header as a command to it."""

import json
import shutil

import pytest
from image_files import make

from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.names import shipped_models_folder
from training_cli.main import main
from training_cli.report_page.page import environment

ESCAPE = "\x1b]0;owned\x07"


@pytest.fixture
def hostile_model(tmp_path, monkeypatch):
    monkeypatch.setenv("SST_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "models" / "hostile"
    shutil.copytree(shipped_models_folder() / "brain-mr-t1w-t2w", folder)
    values = json.loads((folder / "model.json").read_text("utf-8"))
    values |= {"name": "hostile", "title": f"Title{ESCAPE}", "licence": f"MIT{ESCAPE}", "citation": "x\u202ey"}
    values["domains"]["target"]["name"] = f"T2w{ESCAPE}"
    (folder / "model.json").write_text(json.dumps(values), "utf-8")
    return folder


@pytest.mark.parametrize(
    "command", [["models", "list"], ["models", "show", "hostile"], ["models", "verify", "hostile"]]
)
def test_cards(hostile_model, capsys, command):
    try:
        main(command)
    except SystemExit as ended:
        assert not ended.code
    said = "".join(capsys.readouterr())
    assert "hostile" in said and not set(said) & set("\x1b\x07\u202e")
    assert "\x1b" not in read_card(hostile_model).domains.target.name


def test_file_names(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["translate", str(tmp_path / f"a{ESCAPE}.nii"), str(tmp_path / "b.nii"), "--model", "brain-mr-t1w-t2w"])
    said = "".join(capsys.readouterr())
    assert ended.value.code == 2 and "does not exist" in said and not set(said) & set("\x1b\x07")


def test_pages():
    page = environment().from_string("<p>{{ text }}</p>").render(text=f"<b>{ESCAPE}")
    assert page == "<p>&lt;b&gt;\ufffd]0;owned\ufffd</p>"


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_headers(tmp_path, ending):
    write_volume(make(), tmp_path / f"v{ending}", {"SyntheticTo": f"T2w{ESCAPE}\nStyleModel:=other", "StyleModel": "m"})
    head = (tmp_path / f"v{ending}").read_bytes()[:1000]
    assert b"owned" in head and b"\x1b]0" not in head and b"\nStyleModel:=other" not in head
