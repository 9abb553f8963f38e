"""`sst translate` says how far its image can be trusted: verdict, error map, and what is refused."""

import json

import numpy as np
import pytest
from tiny_calibrations import calibrate
from tiny_models import make_tiny_model

from surgical_style_engine.app.report import read_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume

SLOPE = 900 / 1.9  # units for each normalised one of the tiny model's target


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    return calibrate(make_tiny_model(tmp_path_factory.mktemp("models")), bound=0.1, full=0.05)


@pytest.fixture
def translate(sst, head_volume, tmp_path):
    write_volume(head_volume(), tmp_path / "head.nrrd")

    def run(model, *options):
        common = ("--model", model, "--device", "cpu", "--precision", "fp32", "--backend", "torch")
        return sst("translate", tmp_path / "head.nrrd", tmp_path / "out.nrrd", *common, *options)

    return run


def test_verdict_and_error_map(translate, calibrated, tmp_path):
    ended = translate(calibrated, "--report", tmp_path / "r.json", "--error-map", tmp_path / "error.nrrd")
    assert ended.code == 0, ended
    said = read_report(tmp_path / "r.json")["quality"]["verdict"]
    assert said["calibrated"] and said["sentence"] in ended.out and said["bound"]["by"] == "quick"
    bound, head = read_volume(tmp_path / "error.nrrd"), read_volume(tmp_path / "head.nrrd")
    assert bound.same_grid(head)
    inside = bound.array > 0
    np.testing.assert_allclose(bound.array[inside], 0.1 * SLOPE, rtol=1e-3)
    assert 0.2 < inside.mean() < 0.9 and np.all(bound.array[~inside] == -1)
    assert said["bound"]["mean"] == pytest.approx(0.1 * SLOPE, rel=1e-3)


def test_the_error_map_needs_no_report_and_the_image_stays_the_same(translate, calibrated, tmp_path):
    assert translate(calibrated).code == 0
    before = read_volume(tmp_path / "out.nrrd").array
    ended = translate(calibrated, "--error-map", tmp_path / "error.nrrd", "--uncertainty", "full")
    assert ended.code == 0, ended
    np.testing.assert_array_equal(read_volume(tmp_path / "out.nrrd").array, before)
    assert read_volume(tmp_path / "error.nrrd").array.max() == pytest.approx(0.05 * SLOPE, rel=1e-3)


def test_without_a_calibration_there_is_no_number(translate, tiny_model, tmp_path):
    ended = translate(tiny_model, "--error-map", tmp_path / "error.nrrd")
    assert ended.code == 2 and "not calibrated" in ended.err and ended.err.count("\n") == 1
    assert not (tmp_path / "out.nrrd").exists() and not (tmp_path / "error.nrrd").exists()
    assert translate(tiny_model, "--report", tmp_path / "r.json").code == 0
    said = read_report(tmp_path / "r.json")["quality"]["verdict"]
    assert said["level"] == "none" and said["bound"] is None and said["compared"] == []


def test_a_blend_has_no_error_map_and_nothing_is_written(translate, calibrated, tmp_path):
    for more in ((), ("--report", tmp_path / "r.json")):
        ended = translate(calibrated, "--error-map", tmp_path / "error.nrrd", "--strength", "0.5", *more)
        assert ended.code == 2 and "strength below 1" in ended.err
        assert sorted(path.name for path in tmp_path.iterdir()) == ["head.nrrd"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--quality", "all"), "--quality is quick or full"),
        (("--uncertainty", "more"), "--uncertainty is quick or full"),
        (("--error-map", "out.nrrd"), "out.nrrd"),
        (("--error-map", "nowhere/error.nrrd"), "does not exist"),
    ],
)
def test_bad_options_are_one_sentence(translate, calibrated, tmp_path, monkeypatch, options, sentence):
    monkeypatch.chdir(tmp_path)
    ended = translate(calibrated, *options)
    assert ended.code == 2 and sentence in ended.err
    assert not (tmp_path / "out.nrrd").exists()


def test_a_cohort_keeps_its_error_maps_among_the_maps(sst, head_volume, calibrated, tmp_path):
    (tmp_path / "in").mkdir()
    write_volume(head_volume(), tmp_path / "in" / "p1.nrrd")
    common = ("translate", tmp_path / "in", tmp_path / "out", "--model", calibrated, "--device", "cpu")
    ended = sst(*common, "--error-map", tmp_path / "error.nrrd")
    assert ended.code == 2 and "--maps" in ended.err
    ended = sst(*common, "--report", tmp_path / "r.json", "--maps", tmp_path / "maps")
    assert ended.code == 0, ended
    (entry,) = json.loads((tmp_path / "r.json").read_text())["volumes"]
    assert entry["quality"]["verdict"]["calibrated"] and entry["maps"]["error_bound"].endswith("p1_error_bound.nii.gz")


def test_quick_judges_a_sample_and_full_all_slices(translate, calibrated, tmp_path):
    counts = {}
    for quality in ("quick", "full"):
        ended = translate(calibrated, "--report", tmp_path / "r.json", "--quality", quality)
        assert ended.code == 0, ended
        counts[quality] = read_report(tmp_path / "r.json")["quality"]["cycle_slices"]
    assert counts["quick"] == 4 < counts["full"]
