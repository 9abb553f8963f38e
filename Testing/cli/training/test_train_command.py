"""`sst train` as a shell runs it: settings from file and options, what it prints, and every kind of bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
import yaml
from tiny_training import as_options, disc_volume
from typer.main import get_command

from training_cli.main import build_app


@pytest.fixture
def bad(refused, tmp_path):
    """``bad(settings, *arguments, code=2)`` -> the sentence; checks that no run folder is left."""

    def run(settings: dict, *arguments, code: int = 2) -> str:
        sentence = refused("train", *as_options(settings), *arguments, code=code)
        assert not (tmp_path / "run").exists(), list((tmp_path / "run").rglob("*"))
        return sentence

    return run


def test_every_setting_is_an_option_that_wins_over_the_file(tiny, tmp_path, sst):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"source": "data/source", "target": "data/target", "ngf": 64, "augment": True}))
    given = {key: value for key, value in tiny.items() if key not in ("source", "target")}
    ended = sst("train", "--config", path, *as_options(given | {"max_steps": 1, "augment": False, "hu_lower": -5.5}))
    assert ended.code == 0, ended
    used = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (used["ngf"], used["augment"], used["hu_lower"], used["max_steps"]) == (4, False, -5.5, 1)
    assert used["source"] == str(tmp_path / "data" / "source")
    command = get_command(build_app(["train"])).commands["train"]
    offered = {option for parameter in command.params for option in parameter.opts}
    assert {f"--{name.replace('_', '-')}" for name in used} <= offered


def test_json_lines_tell_progress_and_the_last_line_the_model(tiny, sst):
    ended = sst("train", *as_options(tiny), "--progress", "json")
    lines = ended.out.strip().splitlines()
    told = [json.loads(line) for line in lines[:-1]]
    steps = [line for line in told if "step" in line]
    assert [line["step"] for line in steps] == [1, 2, 3, 4] and steps[-1]["progress"] == 1.0
    assert all(line["seconds_left"] >= 0 and line["losses"]["cycle"] > 0 for line in steps)
    assert lines[-1].startswith("Trained 4 steps") and ended.err == ""


def test_a_log_gets_a_line_a_per_cent_and_nothing_at_all_on_request(tiny, tmp_path, sst):
    ended = sst("train", *as_options(tiny))
    assert "target 2/2: b.nii.gz" in ended.out and "100.0% step 4" in ended.out and "cycle" in ended.out
    quiet = sst("train", *as_options(tiny | {"output": tmp_path / "other"}), "--progress", "none")
    assert len(quiet.out.strip().splitlines()) == 1 and quiet.err == ended.err == ""


def test_pairs_of_the_file_can_be_left_out(tiny, pairs, tmp_path, sst):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"pairs": str(pairs)}))
    given = {key: str(value) for key, value in tiny.items() if key in ("source", "target")}
    ended = sst("train", "--config", path, *as_options(tiny | given | {"max_steps": 1}), "--pairs", "none")
    assert ended.code == 0 and "pair 1" not in ended.out
    assert json.loads((tmp_path / "run" / "config.json").read_text())["pairs"] is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "absent"}, "source folder absent does not exist"),
        ({"pattern_target": "*.mha"}, "No target image matches '*.mha'"),
        ({"exclude": "nii"}, "No source image"),
        ({"ngf": "many"}, "'ngf' is wrong"),
        ({"ngf": 2}, "'ngf' is wrong"),
        ({"learning_rate": "nan"}, "'learning_rate' is wrong"),
        ({"max_minutes": "inf"}, "'max_minutes' is wrong"),
        ({"method": "gradient"}, "'method' is wrong"),
        ({"stack": 2}, "stack must be odd"),
        ({"patch_size": 33}, "multiple of 4"),
        ({"n_layers": 6}, "do not fit the discriminator"),
        ({"generator": "vgg"}, "no generator 'vgg'"),
        ({"trackers": ["wandb"]}, "unknown tracker wandb"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"progress": "loud"}, "--progress is auto, json or none"),
        ({"config": "absent.yaml"}, "absent.yaml does not exist"),
        ({"pairs": "absent.csv"}, "absent.csv do not exist"),
    ],
)
def test_wrong_settings_are_one_sentence(tiny, bad, change, words):
    assert words in bad(tiny | change)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour: 3", "no setting 'colour'"),
        ("ngf: [4]", "'ngf' is wrong"),
        ("a: [1,", "not valid YAML"),
        ("- 1", "not a table"),
        ("7: 1", "not a table"),
        ("", "is empty"),
        ("# nothing", "not a table"),
        (b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_a_wrong_file_is_one_sentence(tiny, bad, tmp_path, text, words):
    path = tmp_path / "c.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert words in bad({key: value for key, value in tiny.items() if key != "ngf"}, "--config", path)


def test_no_budget_and_no_folders_are_one_sentence(tiny, bad):
    assert "give a budget" in bad({key: value for key, value in tiny.items() if key != "max_steps"})
    assert "'source' is missing" in bad({"max_steps": 1})


def test_an_empty_folder_is_one_sentence(tiny, bad, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no image")
    assert "No target image" in bad(tiny | {"target": tmp_path / "empty"})


def save(array: np.ndarray, path, **keywords) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(array, **keywords), str(path))


@pytest.mark.parametrize("name", ["constant", "nan", "four axes", "vectors", "damaged"])
def test_unusable_volumes_name_themselves(tiny, bad, discs, name):
    path = discs / "source" / "b.nii.gz"
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    if name == "constant":
        save(array * 0 + 7, path)
    elif name == "nan":
        array[0, 0, 0] = np.nan
        save(array, path)
    elif name == "four axes":
        save(np.stack([array] * 3), path, isVector=False)
    elif name == "vectors":
        save(np.stack([array] * 2, axis=-1), path, isVector=True)
    else:
        path.write_bytes(path.read_bytes()[:400])
    assert "b.nii.gz" in bad(tiny)


def test_a_folder_of_constant_volumes_is_one_sentence(tiny, bad, discs):
    for path in (discs / "source").iterdir():
        save(np.full((4, 40, 40), 7.0, np.float32), path)
    assert "constant" in bad(tiny)


def test_a_folder_in_which_nothing_stands_out_is_one_sentence(tiny, bad, discs):
    """A speck in each volume: not constant, yet less body than training wants."""
    for path in (discs / "source").iterdir():
        array = np.zeros((4, 40, 40), np.float32)
        array[2, 20, 20:22] = 100
        save(array, path)
    assert "No slice with anything in it" in bad(tiny)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("source/a.nii.gz,target/absent.nii.gz\n", "absent.nii.gz does not exist"),
        ("source/a.nii.gz\n", "exactly two columns"),
        ("source,target\n", "name no pair"),
        ("source/a.nii.gz,far.nii.gz\n", "a.nii.gz and far.nii.gz hardly overlap"),
        ("source/a.nii.gz,nan.nii.gz\n", "nan.nii.gz"),
        ("source/a.nii.gz,colour.png\n", "colour.png is colour"),
    ],
)
def test_unusable_pairs_are_one_sentence(tiny, bad, discs, rows, words):
    far = disc_volume(0, inverted=True)
    far.SetOrigin((500.0, 0.0, 0.0))
    sitk.WriteImage(far, str(discs / "far.nii.gz"))
    save(np.full((4, 40, 40), np.nan, np.float32), discs / "nan.nii.gz")
    colours = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    save(colours, discs / "colour.png", isVector=True)
    (discs / "pairs.csv").write_text(rows)
    settings = tiny if "colour" not in rows else tiny | {"patch_size": 32}
    assert words in bad(settings | {"pairs": discs / "pairs.csv"})


def test_pairs_that_share_nothing_cannot_be_registered(tiny, bad, discs, sst):
    image = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(4, 40, 40)).astype(np.float32))
    image.SetSpacing((0.05, 0.05, 0.1))  # two millimetres of something, which covers nothing of the other
    sitk.WriteImage(image, str(discs / "noise.nii.gz"))
    (discs / "pairs.csv").write_text("source/a.nii.gz,noise.nii.gz\n")
    settings = tiny | {"pairs": discs / "pairs.csv", "register_pairs": True}
    assert "registration failed" in bad(settings)
    # Noise of the same size can be laid somewhere: that is warned about.
    image.SetSpacing((1.0, 1.0, 3.0))
    sitk.WriteImage(image, str(discs / "noise.nii.gz"))
    ended = sst("train", *as_options(settings))
    assert "noise.nii.gz on a.nii.gz: the registration found nothing that they have in common" in ended.out


def test_a_place_that_cannot_be_written_is_one_sentence_with_exit_code_1(tiny, refused, tmp_path):
    (tmp_path / "file").write_text("mine")
    for output in (tmp_path / "file", tmp_path / "file" / "run"):
        sentence = refused("train", *as_options(tiny | {"output": output}), code=1)
        assert "cannot be" in sentence and str(tmp_path / "file") in sentence
    assert (tmp_path / "file").read_text() == "mine"


def test_a_run_folder_that_was_there_keeps_what_it_had(tiny, refused, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    refused("train", *as_options(tiny | {"source": tmp_path / "absent"}))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_folders_made_on_the_way_to_the_run_folder_go_as_well(tiny, refused, discs, tmp_path):
    save(np.full((4, 40, 40), 7.0, np.float32), discs / "target" / "b.nii.gz")
    refused("train", *as_options(tiny | {"output": tmp_path / "new" / "deeper" / "run"}))
    assert not (tmp_path / "new").exists()


def test_an_existing_run_and_another_setting_are_one_sentence(tiny, sst, refused):
    assert sst("train", *as_options(tiny | {"max_steps": 1})).code == 0
    assert "already holds a training; go on with --resume" in refused("train", *as_options(tiny))
    assert "ndf was 4 and is 5" in refused("train", *as_options(tiny | {"ndf": 5}), "--resume")


def test_a_run_is_resumed_by_its_folder_alone(tiny, sst, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sst("train", *as_options(tiny | {"output": "run", "max_steps": 1})).code == 0
    ended = sst("train", "--resume", "--output", "run", "--max-steps", "2")
    assert ended.code == 0 and "Trained 2 steps" in ended.out and "Resumed from step 1" in ended.out
    assert "ndf was 4 and is 5" in refused("train", "--resume", "--output", "run", "--ndf", "5")
    assert "is no run of sst train" in refused("train", "--resume", "--output", tmp_path / "data")
    (tmp_path / "run" / "config.json").write_text("[1]")
    assert "config.json cannot be read" in refused("train", "--resume", "--output", "run")
