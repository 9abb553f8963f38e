"""Any inputs of one patient into one contrast: `sst translate IN... OUT --to CONTRAST`."""

import json

import pytest
import SimpleITK as sitk
from tiny_models import make_tiny_many

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume


@pytest.fixture
def scans(tmp_path, head_volume):
    """p1_T1.nrrd and p1_FLAIR.nrrd on one grid, and scan.nrrd, of which nobody says what it is."""
    folder = tmp_path / "in"
    folder.mkdir()
    volume = head_volume()
    write_volume(volume, folder / "p1_T1.nrrd")
    write_volume(volume.with_array(900 - volume.array), folder / "p1_FLAIR.nrrd")
    write_volume(volume.with_array(volume.array // 2), folder / "scan.nrrd")
    return folder


@pytest.fixture
def many(tmp_path, monkeypatch):
    """The only model for many domains that is found by itself."""
    monkeypatch.setenv("SST_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("surgical_style_engine.models.names.shipped_models_folder", lambda: tmp_path / "none")
    monkeypatch.setenv("SST_PROBE", "off")
    return make_tiny_many(tmp_path / "models")


def header(path):
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}


def test_several_inputs_into_one_contrast(sst, scans, many, tmp_path):
    out, report = tmp_path / "t2.nrrd", tmp_path / "r.json"
    first, second = scans / "p1_T1.nrrd", scans / "p1_FLAIR.nrrd"
    ended = sst("translate", first, second, out, "--to", "T2w", "--report", report, "--device", "cpu")
    assert ended.code == 0, ended
    assert "p1_T1.nrrd is taken for T1w" in ended.err and "p1_FLAIR.nrrd is taken for FLAIR" in ended.err
    said = header(out)
    assert (said["Synthetic"], said["SyntheticFrom"], said["SyntheticTo"]) == ("yes", "T1w + FLAIR", "T2w")
    assert read_volume(out).same_grid(read_volume(first))
    told = json.loads(report.read_text())
    assert told["inputs"] == [str(first), str(second)] and told["model"]["direction"] == "T1w+FLAIR>T2w"
    assert "is not calibrated from T1w + FLAIR to T2w" in json.dumps(told["quality"]["verdict"])


def test_what_an_input_is_can_be_said(sst, scans, many, tmp_path):
    out = tmp_path / "out.nrrd"
    ended = sst("translate", scans / "p1_T1.nrrd", out, "--to", "FLAIR", "--as", f"T2w={scans / 'scan.nrrd'}")
    assert ended.code == 0 and header(out)["SyntheticFrom"] == "T1w + T2w"
    ended = sst(
        "translate", scans / "scan.nrrd", tmp_path / "b.nrrd", "--to", "T1w", "--as", f"FLAIR={scans / 'scan.nrrd'}"
    )
    assert ended.code == 0 and header(tmp_path / "b.nrrd")["SyntheticFrom"] == "FLAIR"


def test_a_pair_model_goes_where_it_can(sst, refused, scans, many, tiny_model, tmp_path):
    out = tmp_path / "out.nrrd"
    assert sst("translate", scans / "scan.nrrd", out, "--to", "T1w", "--model", tiny_model).code == 0
    assert header(out)["SyntheticFrom"] == "T2w"
    out.unlink()
    assert refused("translate", scans / "scan.nrrd", out, "--to", "PD", "--model", tiny_model).endswith("not PD.")
    several = refused("translate", scans / "scan.nrrd", scans / "p1_T1.nrrd", out, "--to", "T1w", "--model", tiny_model)
    assert "takes one volume, not 2" in several and not out.exists()


@pytest.mark.parametrize(
    ("inputs", "options", "part"),
    [
        (["p1_T1", "p1_FLAIR"], [], "Several inputs, and --as, need --to"),
        (["p1_T1", "p1_FLAIR"], ["--to", "FLAIR"], "p1_FLAIR.nrrd is FLAIR already; --to names another contrast"),
        (["p1_T1"], ["--to", "CT"], "makes CT; there are models for FLAIR, T1w, T2w"),
        (["p1_T1"], ["--to", "T2w", "--direction", "backward"], "give one of them"),
        (["scan"], ["--to", "T2w"], "say what it is, as --as T1w=scan.nrrd"),
        (["p1_T1"], ["--to", "T2w", "--as", "T1w"], "--as takes CONTRAST=FILE"),
        (["p1_T1"], ["--to", "T2w", "--as", "PD=IN/scan.nrrd"], "knows no domain 'PD'"),
        (["p1_T1"], ["--to", "T2w", "--as", "T1w=IN/scan.nrrd"], "p1_T1.nrrd and scan.nrrd are both T1w"),
        (["p1_T1", "nowhere"], ["--to", "T2w"], "does not exist"),
        ([""], ["--to", "T2w"], "is a folder of volumes; say which contrast it holds, as --as T1w="),
    ],
)
def test_what_does_not_go_together_is_one_sentence(sst, scans, many, tmp_path, inputs, options, part):
    files = [scans / f"{name}.nrrd" if name else scans for name in inputs]
    out = tmp_path / "out.nrrd"
    ended = sst("translate", *files, out, *(option.replace("IN", str(scans)) for option in options))
    assert ended.code == 2 and part in ended.err.strip().splitlines()[-1] and not out.exists(), ended.err
    assert "Traceback" not in ended.err


def test_no_input_is_written_over(sst, scans, many):
    ended = sst("translate", scans / "p1_T1.nrrd", scans / "p1_FLAIR.nrrd", scans / "p1_FLAIR.nrrd", "--to", "T2w")
    assert ended.code == 2 and "FLAIR" in ended.err


def test_a_route_is_a_direction_for_a_folder_too(sst, scans, many, tmp_path):
    ended = sst("translate", scans, tmp_path / "out", "--model", many, "--direction", "T1w>T2w", "--pattern", "p1_T1*")
    assert ended.code == 0 and (tmp_path / "out" / "p1_T1_synthetic.nrrd").exists(), ended
