"""`sst register` from the command line: files in, files out, nothing half-written."""

import os
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import typer
from tiny_models import make_tiny_model
from typer.testing import CliRunner

from surgical_style_engine.app.report import read_report
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume
from training_cli.commands.register import register


def sst(*arguments):
    """Run the command; an error comes back as `exception` (the program turns it into one sentence and exit code)."""
    app = typer.Typer()
    app.command()(register)
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two contrasts of a phantom, the second in another pose by 6 mm and on a grid of its own."""
    folder = tmp_path_factory.mktemp("study")
    z, y, x = np.meshgrid(*(np.arange(40) - 20,) * 3, indexing="ij")
    inside = (z / 17) ** 2 + (y / 16) ** 2 + (x / 13) ** 2 <= 1
    noise = sitk.GetImageFromArray(np.random.default_rng(3).normal(size=inside.shape).astype(np.float32))
    tissue = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, 3)) > 0
    first = np.where(inside, np.where(tissue, 100, 50), 0).astype(np.float32)
    second = np.where(inside, np.where(tissue, 30, 90), 0).astype(np.float32)
    write_volume(Volume(first[None], (2.0,) * 3), folder / "p1_T1.nii.gz")
    write_volume(Volume(second[None], (2.0,) * 3, (4.0, -4.0, 2.0)), folder / "p1_T2.nii.gz")
    write_volume(Volume(inside[None].astype(np.uint8), (2.0,) * 3), folder / "p1_mask.nii.gz")
    return folder, second


def test_all_outputs(study, tmp_path):
    folder, second = study
    moved, transform, overlay, report = (tmp_path / n for n in ("moved.nii.gz", "t.tfm", "o.png", "r.json"))
    result = sst(
        folder / "p1_T1.nii.gz",
        folder / "p1_T2.nii.gz",
        moved,
        "--transform",
        transform,
        "--overlay",
        overlay,
        "--mask",
        folder / "p1_mask.nii.gz",
        "--report",
        report,
    )
    assert result.exit_code == 0, result.output
    assert "6.0 mm" in result.output
    volume = read_volume(moved)
    assert volume.same_grid(read_volume(folder / "p1_T1.nii.gz"))
    assert np.abs(volume.array[0] - second).mean() < 2
    found = np.subtract(sitk.ReadTransform(str(transform)).TransformPoint((40.0, 40.0, 40.0)), 40.0)
    np.testing.assert_allclose(found, (4, -4, 2), atol=0.3)
    written = read_report(report)
    assert written["registration"]["metric"] > written["registration"]["metric_before"]
    assert written["registration"]["translation_mm"] == pytest.approx(6, abs=0.4)
    assert written["output"] == str(moved) and len(written["inputs"]) == 2
    from PIL import Image

    with Image.open(overlay) as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    coloured = (pixels[..., 0] > 200) & (pixels[..., 2] < 80)  # the edges
    grey = (pixels.max(-1) - pixels.min(-1) < 10) & (pixels[..., 0] > 60)
    assert coloured.sum() > 300 and grey.sum() > 10_000
    assert {p.name for p in tmp_path.iterdir()} == {"moved.nii.gz", "t.tfm", "o.png", "r.json"}


def test_bad_input_leaves_nothing(study, tmp_path):
    folder, _ = study
    fixed, moving = folder / "p1_T1.nii.gz", folder / "p1_T2.nii.gz"
    flat = tmp_path / "flat.nii.gz"
    write_volume(Volume(np.ones((1, 8, 8, 8), np.float32)), flat)
    out = tmp_path / "out"
    out.mkdir()
    for arguments, sentence in (
        ((folder / "absent.nii.gz", moving, out / "m.nii.gz"), "does not exist"),
        ((fixed, flat, out / "m.nii.gz"), "constant"),
        ((fixed, moving, out / "m.xyz"), "format"),
        ((fixed, moving, out / "m.nii.gz", "--transform", out / "t.nii"), "endings"),
        ((fixed, moving, out / "absent" / "m.nii.gz"), "does not exist"),
        ((fixed, moving, out / "m.nii.gz", "--report", out / "absent" / "r.json"), "does not exist"),
    ):
        result = sst(*arguments)
        assert isinstance(result.exception, InputError) and result.exception.exit_code == 2, arguments
        assert sentence in str(result.exception) and "\n" not in str(result.exception)
        assert list(out.iterdir()) == []


def test_a_failing_disk_is_one_sentence(study, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    folder, _ = study
    monkeypatch.setattr(os, "replace", full)
    result = sst(folder / "p1_T1.nii.gz", folder / "p1_T2.nii.gz", tmp_path / "m.nii.gz")
    assert isinstance(result.exception, StyleTransferError) and "No space" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_what_has_nothing_in_common_is_refused(study, tmp_path):
    for number in (1, 2):
        noise = np.random.default_rng(number).random((1, 40, 40, 40), np.float32)
        write_volume(Volume(noise, (2.0,) * 3), tmp_path / f"noise{number}.nii.gz")
    out = tmp_path / "out"
    out.mkdir()
    result = sst(tmp_path / "noise1.nii.gz", tmp_path / "noise2.nii.gz", out / "m.nii.gz", "--report", out / "r.json")
    assert isinstance(result.exception, InputError) and list(out.iterdir()) == []
    assert str(result.exception) == (
        "noise2.nii.gz cannot be laid over noise1.nii.gz: the registration found nothing that they have in common."
    )


def test_what_was_odd_about_the_files_is_told(study, tmp_path, monkeypatch):
    from surgical_style_engine.imageio import read as reading

    read = reading.read_volume

    def odd(path, *more):
        volume = read(path, *more)
        return replace(volume, metadata={"Warning": "The slices are shifted (tilted gantry)."})

    folder, _ = study
    monkeypatch.setattr(reading, "read_volume", odd)
    result = sst(
        folder / "p1_T1.nii.gz", folder / "p1_T2.nii.gz", tmp_path / "m.nii.gz", "--report", tmp_path / "r.json"
    )
    assert result.exit_code == 0, result.output
    told = [f"p1_{name}.nii.gz: The slices are shifted (tilted gantry)." for name in ("T1", "T2")]
    assert read_report(tmp_path / "r.json")["warnings"] == told
    assert all(f"Warning: {sentence}" in result.output for sentence in told)


def test_an_uncalibrated_model_is_not_gone_through(study, tmp_path):
    folder, _ = study
    fixed, moving, out = folder / "p1_T1.nii.gz", folder / "p1_T2.nii.gz", tmp_path / "out"
    out.mkdir()
    model = make_tiny_model(tmp_path)
    plain = sst(fixed, moving, out / "plain.nii.gz", "--report", out / "plain.json")
    result = sst(fixed, moving, out / "m.nii.gz", "--through", model, "--report", out / "r.json")
    assert plain.exit_code == result.exit_code == 0, result.output
    assert "by mutual information, not through a translation" in result.output and "not calibrated" in result.output
    written, usual = (read_report(out / name) for name in ("r.json", "plain.json"))
    assert written["registration"]["by"] == "mutual information" and "not calibrated" in written["warnings"][-1]
    assert written["registration"]["metric"] == usual["registration"]["metric"]
    np.testing.assert_array_equal(read_volume(out / "m.nii.gz").array, read_volume(out / "plain.nii.gz").array)
    before = sorted(out.iterdir())
    for wrong in (("--through", tmp_path / "absent"), ("--kind", "elastic"), ("--kind", "deformable")):
        refused = sst(fixed, moving, out / "n.nii.gz", *wrong)
        assert isinstance(refused.exception, InputError) and refused.exception.exit_code == 2
        assert sorted(out.iterdir()) == before
