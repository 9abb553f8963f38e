"""`sst models join`: one model for many contrasts out of models for pairs."""

import json

import pytest
from tiny_calibrations import calibrate
from tiny_models import head, make_tiny_pairs

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.models.card import read_card
from surgical_style_engine.volumes.volume import Volume
from training_cli.joining.join import EQUAL, JoinRequest, join

BOTH, THERE = ("forward", "backward"), ("forward",)


@pytest.fixture
def models(tmp_path):
    return make_tiny_pairs(tmp_path / "models", (("T1w", "T2w", BOTH), ("FLAIR", "T2w", THERE)))


def write(folder, name, seed):
    folder.mkdir(exist_ok=True)
    write_volume(Volume(head(seed)[None], (2.0, 2.0, 4.0)), folder / name)
    return folder / name


def test_from_pairs_to_a_translation_of_two_inputs(sst, models, tmp_path):
    calibrate(models[0], bound=0.2)
    ended = sst("models", "join", "any", *models, "--title", "Any of three", "--into", tmp_path)
    assert ended.code == 0 and "Joined 2 models into any: 3 routes" in ended.out + ended.err
    card = read_card(tmp_path / "any")
    assert card.title == "Any of three" and card.training["notes"] == EQUAL
    assert card.training["shares"] == {"FLAIR+T1w>T2w": {"T1w": 0.5, "FLAIR": 0.5}, "FLAIR+T2w>T1w": {"T2w": 1.0}}
    readme = (tmp_path / "any" / "README.md").read_text(encoding="utf-8")
    assert "## How far it errs" in readme and "FLAIR to T2w is not calibrated." in readme
    first, second = (write(tmp_path / "in", f"p1_{name}.nii.gz", seed) for seed, name in ((1, "T1w"), (2, "FLAIR")))
    output = tmp_path / "made.nii.gz"
    arguments = ("--to", "T2w", "--as", f"T1w={first}", "--as", f"FLAIR={second}", "--device", "cpu")
    ended = sst("translate", first, second, output, "--model", tmp_path / "any", *arguments)
    assert ended.code == 0, ended
    assert read_volume(output).same_grid(read_volume(first))


def test_shares_are_measured_on_patients(models, tmp_path):
    for name, seed in (("T1w", 1), ("T2w", 2), ("FLAIR", 3)):
        write(tmp_path / name, f"p1_{name}.nii.gz", seed)
    folders = {name: tmp_path / name for name in ("T1w", "T2w", "FLAIR")}
    request = JoinRequest("any", [str(path) for path in models], folders, into=tmp_path, device="cpu")
    card = join(request)
    assert card.training["notes"].endswith("measured on up to 1 patients.")
    assert sum(card.training["shares"]["FLAIR+T1w>T2w"].values()) == pytest.approx(1, abs=1e-3)
    before = (tmp_path / "any" / "model.json").read_bytes()
    with pytest.raises(InputError, match="exists already; give another name, or --overwrite"):
        join(request)
    assert (tmp_path / "any" / "model.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["any", "none-such"], "none-such"),
        (["any", "{0}"], "Two models for pairs are the least"),
        (["brain-mr-t1w-t2w", "{0}", "{1}"], "comes with the program"),
        (["a/b", "{0}", "{1}"], "A joined model cannot have this name"),
        (["any", "{0}", "{1}", "--domain", "T1w"], "--domain takes NAME=DIR"),
        (["any", "{0}", "{1}", "--domain", "CT={2}"], "No model takes or makes CT"),
    ],
)
def test_what_cannot_be_joined_is_said_and_nothing_written(sst, models, tmp_path, arguments, sentence):
    places = (*map(str, models), str(tmp_path))
    ended = sst("models", "join", *(argument.format(*places) for argument in arguments), "--into", tmp_path / "out")
    assert ended.code != 0 and sentence in " ".join(ended.err.split())
    assert not (tmp_path / "out").exists()


def test_the_card_is_json_that_reads_back(models, tmp_path):
    join(JoinRequest("any", [str(path) for path in models], {}, into=tmp_path))
    values = json.loads((tmp_path / "any" / "model.json").read_text(encoding="utf-8"))
    assert values["architecture"]["name"] == "pair_mixture" and values["schema_version"] == 2
    assert [entry["name"] for entry in values["training"]["models"]] == ["t1w-t2w", "flair-t2w"]


def test_a_disk_that_is_full_at_the_end_leaves_what_was_there(sst, models, tmp_path, monkeypatch):
    calibrate(models[0], bound=0.2)
    join(JoinRequest("old", [str(path) for path in models], {}, into=tmp_path))
    before = (tmp_path / "old" / "model.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training_cli.joining.join.put_section", full)
    names = sorted(path.name for path in tmp_path.iterdir())
    for name in ("any", "old"):
        ended = sst("models", "join", name, *models, "--into", tmp_path, "--overwrite")
        assert ended.code == 1 and "No space left on device" in ended.err and "Traceback" not in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "old" / "model.json").read_bytes() == before
