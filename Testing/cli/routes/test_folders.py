"""Folders of several contrasts into one: `sst translate T1_FOLDER FLAIR_FOLDER OUT --to T2w --as ...`."""

import csv

import numpy as np
import pytest
from tiny_models import make_tiny_many

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume


@pytest.fixture
def cohort(tmp_path, head_volume, monkeypatch):
    """Folders t1 and flair of two patients each, and the only model for many domains."""
    monkeypatch.setenv("SST_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("surgical_style_engine.models.names.shipped_models_folder", lambda: tmp_path / "none")
    monkeypatch.setenv("SST_PROBE", "off")
    make_tiny_many(tmp_path / "models")
    folders = tmp_path / "t1", tmp_path / "flair"
    for folder in folders:
        folder.mkdir()
    for number in (1, 2):
        volume = head_volume(seed=number)
        write_volume(volume, folders[0] / f"p{number}_T1.nrrd")
        write_volume(volume.with_array(900 - volume.array), folders[1] / f"p{number}_FLAIR.nrrd")
    return folders


def command(cohort, out, *more):
    first, second = cohort
    stated = ("--as", f"T1w={first}", "--as", f"FLAIR={second}", "--to", "T2w", "--device", "cpu")
    return ("translate", first, second, out, *stated, "--precision", "fp32", *more)


def test_every_patient_is_what_the_command_for_one_makes(sst, cohort, tmp_path):
    ended = sst(*command(cohort, tmp_path / "out"))
    assert ended.code == 0, ended
    files = [cohort[0] / "p2_T1.nrrd", cohort[1] / "p2_FLAIR.nrrd"]
    stated = ("--as", f"T1w={files[0]}", "--as", f"FLAIR={files[1]}")
    one = tmp_path / "one.nrrd"
    assert sst("translate", *files, one, "--to", "T2w", *stated, "--device", "cpu", "--precision", "fp32").code == 0
    own, alone = read_volume(tmp_path / "out" / "p2_T1_synthetic.nrrd"), read_volume(one)
    assert np.array_equal(own.array, alone.array) and own.same_grid(read_volume(files[0]))
    other = read_volume(tmp_path / "out" / "p1_T1_synthetic.nrrd")
    assert not np.array_equal(own.array, other.array)


def test_what_is_done_stays_and_what_changed_beside_it_is_done_again(sst, cohort, tmp_path):
    out = tmp_path / "out"
    assert sst(*command(cohort, out)).code == 0
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.nrrd")}
    changed = cohort[1] / "p2_FLAIR.nrrd"
    volume = read_volume(changed)
    write_volume(volume.with_array(volume.array // 2 + 7), changed)
    assert sst(*command(cohort, out)).code == 0
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("*.nrrd")}
    assert after["p1_T1_synthetic.nrrd"] == before["p1_T1_synthetic.nrrd"]
    assert after["p2_T1_synthetic.nrrd"] > before["p2_T1_synthetic.nrrd"]
    with (out / "manifest.csv").open(encoding="utf-8") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["done", "done"]


def test_who_lacks_a_contrast_is_named_and_the_others_are_done(sst, cohort, tmp_path):
    (cohort[1] / "p1_FLAIR.nrrd").unlink()
    ended = sst(*command(cohort, tmp_path / "out"))
    assert ended.code == 1 and "goes with p1_T1.nrrd" in ended.err + ended.out
    assert [path.name for path in (tmp_path / "out").glob("*.nrrd")] == ["p2_T1_synthetic.nrrd"]


def test_another_modality_beside_the_first_is_a_misfit(sst, cohort, tmp_path):
    path = cohort[1] / "p2_FLAIR.nrrd"
    volume = read_volume(path)
    hounsfield = np.where(volume.array < 900, volume.array - 300, -1000).astype(np.int16)
    write_volume(volume.with_array(hounsfield), path)
    ended = sst(*command(cohort, tmp_path / "out"))
    assert ended.code == 1 and "p2_FLAIR.nrrd is CT by its voxels" in ended.err + ended.out
    assert [path.name for path in (tmp_path / "out").glob("*.nrrd")] == ["p1_T1_synthetic.nrrd"]


def test_what_does_not_go_together_is_one_sentence(sst, cohort, tmp_path):
    first, second = cohort
    out = tmp_path / "out"

    def said(*arguments):
        ended = sst(*arguments)
        assert ended.code == 2 and not out.exists() and "Traceback" not in ended.err
        return ended.err.strip().splitlines()[-1]

    assert "say which contrast it holds" in said("translate", first, second, out, "--to", "T2w")
    mixed = ("translate", first, second / "p1_FLAIR.nrrd", out, "--to", "T2w", "--as", f"T1w={first}")
    assert "give one folder a contrast" in said(*mixed)
    for path in second.iterdir():
        path.rename(path.with_name(f"other{path.name}"))
    assert f"No FLAIR in {second} goes with a volume in {first}" in said(*command(cohort, out))
