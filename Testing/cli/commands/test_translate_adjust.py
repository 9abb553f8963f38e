"""`sst translate` with adjustments: what they do to the output, what the report and the header say, what is refused."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.app.report import read_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.body_mask import body_mask


@pytest.fixture
def head(tmp_path, head_volume):
    path = tmp_path / "p1_T1.nrrd"
    write_volume(head_volume(), path)
    return path


@pytest.fixture
def translated(sst, head, tiny_model, tmp_path):
    """``translated(*options)`` -> (array of the output, report, header's notes)."""

    def run(*options, quality=False):
        out, report = tmp_path / "out.nrrd", tmp_path / "r.json"
        ended = sst(
            "translate",
            head,
            out,
            "--model",
            tiny_model,
            "--device",
            "cpu",
            "--precision",
            "fp32",
            "--report",
            report,
            "--quality=full" if quality else "--no-quality",
            *options,
        )
        assert ended.code == 0, ended
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(out))
        reader.ReadImageInformation()
        notes = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
        assert read_volume(out).same_grid(read_volume(head))
        return read_volume(out).array, read_report(report), notes

    return run


def test_nothing_asked_for_says_nothing(translated):
    _, report, notes = translated()
    assert report["adjustments"] == "" and report["strength"] == 1 and report["consistency"] is None
    assert "SyntheticAdjustments" not in notes


def test_the_output_follows_the_reference(translated, head_volume, head, tmp_path):
    reference = head_volume(5)
    reference = reference.with_array((reference.array.astype(np.float32) * 3 + 200).astype(np.float32))
    write_volume(reference, tmp_path / "look.nrrd")
    inside, region = body_mask(reference), body_mask(read_volume(head))
    plain, *_ = translated()
    steps = np.linspace(0.05, 0.95, 19)
    wanted = np.quantile(reference.array[0][inside], steps)
    array, report, notes = translated("--match", tmp_path / "look.nrrd")
    apart = np.abs(np.quantile(array[0][region], steps) - wanted)
    assert np.median(apart) < 0.02 * np.ptp(wanted)
    assert np.median(np.abs(np.quantile(plain[0][region], steps) - wanted)) > 0.2 * np.ptp(wanted)
    assert notes["SyntheticAdjustments"] == report["adjustments"] == "matched to a reference by histogram"
    assert report["match"] == str(tmp_path / "look.nrrd")
    array, *_ = translated("--match", tmp_path / "look.nrrd", "--match-by", "moments")
    assert array[0][region].mean() == pytest.approx(reference.array[0][inside].mean(), rel=0.05)
    # Not quite the reference's: values beyond its range are clipped to it.
    assert array[0][region].std() == pytest.approx(reference.array[0][inside].std(), rel=0.2)
    assert reference.array.min() <= array.min() and array.max() <= reference.array.max()


def test_a_structure_guard_brings_the_structure_closer_to_the_inputs(translated):
    _, before, _ = translated(quality=True)
    _, after, notes = translated("--structure-guard", "4", quality=True)
    assert after["quality"]["semantic_consistency"] > before["quality"]["semantic_consistency"]
    assert notes["SyntheticAdjustments"] == "structure guard 4 mm"


def test_an_automatic_strength_keeps_what_was_asked_for(translated, head_volume):
    array, report, notes = translated("--strength", "auto", "--least-consistency", "0.9")
    assert 0 < report["strength"] < 1 and report["consistency"] >= 0.9
    assert float(notes["SyntheticStrength"]) == pytest.approx(report["strength"], rel=1e-3)
    same, *_ = translated("--strength", str(report["strength"]))
    np.testing.assert_allclose(array, same, rtol=1e-6)
    array, report, _ = translated("--strength", "auto", "--least-consistency", "1")
    assert report["strength"] == 0 and report["consistency"] == 1
    assert any("Only a strength of 0.00" in text for text in report["warnings"])
    np.testing.assert_array_equal(array, head_volume().array)


def test_a_flattened_bias_leaves_what_is_outside_the_mask_exactly(translated, head, tmp_path):
    volume = read_volume(head)
    field = np.exp(np.linspace(-0.4, 0.4, volume.array.shape[3]))
    volume = volume.with_array((volume.array * field).astype(np.float32))
    write_volume(volume, head)
    inside = np.zeros(volume.array.shape, np.uint8)
    inside[:, 2:8, 8:32, 8:36] = 1
    write_volume(volume.with_array(inside), tmp_path / "mask.nrrd")
    array, report, _ = translated("--flatten-bias", "--mask", tmp_path / "mask.nrrd")
    assert report["adjustments"] == "bias of the input flattened (N4)"
    np.testing.assert_array_equal(array[inside == 0], volume.array[inside == 0])
    flat, *_ = translated("--flatten-bias", "--strength", "0")
    middle = np.s_[0, 4:6, 12:28]
    halves = (np.s_[8:14], np.s_[30:36])
    sides = [np.median(each[middle][..., half]) for each in (volume.array, flat) for half in halves]
    assert sides[1] / sides[0] > 1.3 and sides[3] / sides[2] < 1.15


def test_an_ensemble_and_its_map(translated, tmp_path):
    plain, before, _ = translated()
    array, report, _ = translated("--ensemble", "--maps", tmp_path / "maps", quality=True)
    assert report["slices"] == 4 * before["slices"] and not np.array_equal(array, plain)
    spread = read_volume(report["maps"]["disagreement"])
    assert spread.array.shape == array.shape and spread.array.min() >= 0
    inside = body_mask(read_volume(report["inputs"][0]))
    assert report["quality"]["disagreement"] == pytest.approx(float(spread.array[0][inside].mean()), rel=1e-4)
    assert 0 < report["quality"]["disagreement"] < 1
    worst = report["quality"]["worst"]
    assert {each["figure"] for each in worst} == {"semantic_consistency", "look_ahead"}
    assert all(each["plane"] == "axial" and len(each["position_lps"]) == 3 for each in worst)


def test_a_cohort_has_a_strength_for_each(sst, head_volume, tiny_model, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(2):
        write_volume(head_volume(number), tmp_path / "in" / f"p{number}.nrrd")
    report = tmp_path / "r.json"
    ended = sst(
        "translate",
        tmp_path / "in",
        tmp_path / "out",
        "--model",
        tiny_model,
        "--report",
        report,
        "--no-quality",
        "--strength",
        "auto",
        "--least-consistency",
        "0.9",
    )
    assert ended.code == 0, ended
    found = json.loads(report.read_text())
    assert found["strength"] == "auto" and all(0 < each["strength"] < 1 for each in found["volumes"])


def test_refused(refused, head, head_volume, tiny_model, tmp_path):
    ct = head_volume()
    write_volume(ct.with_array((ct.array - 1000).astype(np.int16)), tmp_path / "ct.nrrd")
    for options, sentence in (
        (("--strength", "auto"), "belong together"),
        (("--least-consistency", "0.5"), "belong together"),
        (("--strength", "auto", "--least-consistency", "2"), "between 0 and 1"),
        (("--strength", "strong"), "between 0 and 1, or auto"),
        (("--match", tmp_path / "none.nrrd"), "does not exist"),
        (("--match", tmp_path / "ct.nrrd"), "is in HU, but the translation is not"),
        (("--match", head, "--match-by", "eye"), "histogram or moments"),
        (("--match-by", "moments"), "needs --match"),
        (("--structure-guard", "0"), "above 0 mm"),
        (("--structure-guard", "0.1"), "smaller than the voxels"),
    ):
        out = tmp_path / "o.nrrd"
        assert sentence in refused("translate", head, out, "--model", tiny_model, *options), options
        assert not out.exists()
