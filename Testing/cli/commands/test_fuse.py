"""`sst fuse` from the command line: files in, files out, nothing half-written."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import typer
from typer.testing import CliRunner

from surgical_style_engine.app.report import KEYS, read_report
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.filters import gaussian
from surgical_style_engine.volumes.volume import Volume
from training_cli.commands.fuse import fuse


def sst(*arguments):
    """Run the command; an error comes back as `exception` (the program turns it into one sentence and exit code)."""
    app = typer.Typer()
    app.command()(fuse)
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three contrasts of a phantom; the second in another pose by 6 mm, the third on the first one's grid."""
    folder = tmp_path_factory.mktemp("study")
    z, y, x = np.meshgrid(*(np.arange(40) - 20,) * 3, indexing="ij")
    inside = (z / 17) ** 2 + (y / 16) ** 2 + (x / 13) ** 2 <= 1
    noise = np.random.default_rng(3).standard_normal(inside.shape, dtype=np.float32)
    tissue = np.digitize(gaussian(noise, 3.0, (1.0,) * 3), (-0.01, 0.015))

    def contrast(values, origin=(0.0, 0.0, 0.0)):
        return Volume(np.where(inside, np.array(values)[tissue], 0)[None].astype(np.float32), (2.0,) * 3, origin)

    write_volume(contrast((100, 60, 40)), folder / "p1_T1.nii.gz")
    write_volume(contrast((30, 60, 90), (4.0, -4.0, 2.0)), folder / "p1_T2.nii.gz")
    write_volume(contrast((50, 90, 50)), folder / "p1_FLAIR.nii.gz")
    write_volume(Volume(inside[None].astype(np.uint8), (2.0,) * 3), folder / "p1_mask.nii.gz")
    return folder


def test_all_outputs(study, tmp_path):
    output, report, picture, transforms = (tmp_path / n for n in ("fused.nrrd", "r.json", "p.png", "places"))
    result = sst(
        study / "p1_T1.nii.gz",
        study / "p1_T2.nii.gz",
        study / "p1_FLAIR.nii.gz",
        output,
        "--report",
        report,
        "--picture",
        picture,
        "--transforms",
        transforms,
        "--weights",
        "1,1,0.5",
        "--mask",
        study / "p1_mask.nii.gz",
    )
    assert result.exit_code == 0, (result.output, result.exception)
    assert "moved by 6" in result.output and "3 volumes fused (pyramid)" in result.output
    assert read_volume(output).same_grid(read_volume(study / "p1_T1.nii.gz"))
    header = sitk.ReadImage(str(output))
    fields = {key: header.GetMetaData(key) for key in header.GetMetaDataKeys()}
    assert fields["Synthetic"] == "yes" and "p1" not in str(fields), "no file name in the header"
    written = read_report(report)
    assert list(written)[: len(KEYS)] == list(KEYS) and written["synthetic"] is True
    assert len(written["inputs"]) == 3 and written["output"] == str(output)
    assert written["fusion"]["method"] == "pyramid" and written["fusion"]["weights"] == [0.4, 0.4, 0.2]
    first, second = written["fusion"]["registrations"]
    np.testing.assert_allclose(np.array(first["matrix"])[:, 3], (4, -4, 2), atol=0.6)
    assert second["method"] == "scanner coordinates" and second["covered"] == 1
    assert set(written["quality"]["floors"]) == {"reference", "average"} and 0 < written["quality"]["q_abf"] < 1
    assert any("measure nothing" in sentence for sentence in written["warnings"])
    found = sitk.ReadTransform(first["transform"]).TransformPoint((40.0, 40.0, 40.0))
    np.testing.assert_allclose(np.subtract(found, 40.0), (4, -4, 2), atol=0.4)
    from PIL import Image

    for path in (picture, first["overlay"]):
        with Image.open(path) as image:
            assert np.asarray(image.convert("L")).std() > 10
    assert {p.name for p in tmp_path.iterdir()} == {"fused.nrrd", "r.json", "p.png", "places"}
    assert {p.name for p in transforms.iterdir()} == {
        "2_p1_T2.tfm",
        "2_p1_T2.png",
        "3_p1_FLAIR.tfm",
        "3_p1_FLAIR.png",
    }


def test_options_reach_the_engine(study, tmp_path):
    first, third = study / "p1_T1.nii.gz", study / "p1_FLAIR.nii.gz"
    plain = read_volume(first).array
    outputs = {}
    for name, options in {
        "reference": ("--weights", "1,0"),
        "window": ("--weights", "0,1", "--window", "2:60:80"),
        "even": (),
    }.items():
        path = tmp_path / f"{name}.nii.gz"
        result = sst(first, third, path, "--method", "weighted", "--units", "none", "--register", "none", *options)
        assert result.exit_code == 0, (name, result.exception)
        outputs[name] = read_volume(path).array
    assert np.corrcoef(outputs["reference"].ravel(), plain.ravel())[0, 1] > 0.999
    assert set(np.unique(outputs["window"])) == {0, 1}
    assert outputs["even"].max() <= 1 and np.corrcoef(outputs["even"].ravel(), plain.ravel())[0, 1] < 0.99


def test_progress_for_programs(study, tmp_path):
    result = sst(study / "p1_T1.nii.gz", study / "p1_FLAIR.nii.gz", tmp_path / "f.mha", "--progress", "json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[-1]["progress"] == 1 and {line["stage"] for line in lines} == {"reading", "fusing 2 volumes"}


def test_an_output_is_replaced_only_when_asked_to(study, tmp_path):
    first, third = study / "p1_T1.nii.gz", study / "p1_FLAIR.nii.gz"
    output = tmp_path / "f.nii.gz"
    output.write_bytes(b"precious")
    result = sst(first, third, output)
    assert isinstance(result.exception, InputError) and "exists already" in str(result.exception)
    assert output.read_bytes() == b"precious"
    assert sst(first, third, output, "--overwrite", "--register", "none").exit_code == 0
    assert read_volume(output).array.shape == (1, 40, 40, 40)


def test_bad_input_leaves_nothing(study, tmp_path):
    first, second, third = (study / f"p1_{name}.nii.gz" for name in ("T1", "T2", "FLAIR"))
    flat, colour, far, noise = (tmp_path / f"{name}.nii.gz" for name in ("flat", "colour", "far", "noise"))
    write_volume(Volume(np.ones((1, 8, 8, 8), np.float32)), flat)
    write_volume(Volume(np.random.default_rng(0).integers(0, 255, (3, 8, 8, 8), dtype=np.uint8)), colour)
    write_volume(Volume(read_volume(third).array, (2.0,) * 3, (900.0, 0.0, 0.0)), far)
    write_volume(Volume(np.random.default_rng(0).random((1, 40, 40, 40), np.float32), (2.0,) * 3), noise)
    out = tmp_path / "out"
    out.mkdir()
    good = (first, third, out / "f.nii.gz")
    for arguments, sentence in (
        ((first, out / "f.nii.gz"), "at least two modalities"),
        ((first, first, out / "f.nii.gz"), "given twice"),
        ((first, study / "absent.nii.gz", out / "f.nii.gz"), "does not exist"),
        ((first, flat, out / "f.nii.gz"), "constant"),
        ((first, colour, out / "f.nii.gz"), "colour"),
        ((first, far, out / "f.nii.gz", "--register", "none"), "do not overlap"),
        ((first, noise, out / "f.nii.gz", "--register", "rigid"), "nothing that they have in common"),
        ((first, third, out / "f.xyz"), "format"),
        ((first, third, out / "absent" / "f.nii.gz"), "does not exist"),
        ((*good, "--report", out / "absent" / "r.json"), "does not exist"),
        ((*good, "--picture", out / "p.jpg"), "ending .png"),
        ((*good, "--picture", out / "f.png", "--report", out / "f.png"), "would overwrite"),
        ((*good, "--weights", "1,2,3"), "2 volumes need 2 weights"),
        ((*good, "--weights", "1;2"), "numbers with commas"),
        ((*good, "--method", "magic"), "no fusion method"),
        ((*good, "--register", "elastic"), "no registration"),
        ((*good, "--units", "HU"), "no units"),
        ((*good, "--window", "3:0:100"), "none of the inputs"),
        ((*good, "--window", "2:0"), "NUMBER:LOW:HIGH"),
        ((*good, "--window", "2:100:0"), "cannot be used"),
        ((*good, "--progress", "loud"), "--progress is"),
        ((*good, "--mask", study / "absent.nii.gz"), "does not exist"),
        ((*good, "--transforms", flat), "is a file"),
    ):
        result = sst(*arguments)
        assert isinstance(result.exception, InputError) and result.exception.exit_code == 2, (arguments, result.output)
        assert sentence in str(result.exception) and "\n" not in str(result.exception), arguments
        assert list(out.iterdir()) == [], arguments
    forgotten = sst(first, second, third)  # without an output the last modality would be taken for it
    assert "exists already" in str(forgotten.exception) and read_volume(third).array.max() == 90


def test_a_failing_disk_removes_what_was_written_before(study, tmp_path, monkeypatch):
    rename = os.replace

    def full(source, target):
        if str(target).endswith("f.nii.gz"):  # the transform and both pictures are there by then
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "replace", full)
    result = sst(
        study / "p1_T1.nii.gz",
        study / "p1_FLAIR.nii.gz",
        tmp_path / "f.nii.gz",
        "--register",
        "none",
        "--transforms",
        tmp_path / "places",
        "--picture",
        tmp_path / "p.png",
    )
    assert isinstance(result.exception, StyleTransferError) and "No space" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_it_is_a_command_of_sst(study, tmp_path, capsys):
    from training_cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(["fuse", str(study / "p1_T1.nii.gz"), str(tmp_path / "f.nii.gz")])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "sst: Fusion needs at least two modalities and an output: sst fuse REFERENCE OTHER... OUTPUT.\n"
    )


def test_what_was_odd_about_the_files_is_told(study, tmp_path, monkeypatch):
    from surgical_style_engine.imageio import read as reading

    read = reading.read_volume

    def odd(path, *more):
        volume = read(path, *more)
        return replace(volume, metadata={"Warning": "The slices are shifted (tilted gantry)."})

    monkeypatch.setattr(reading, "read_volume", odd)
    report = tmp_path / "r.json"
    result = sst(
        study / "p1_T1.nii.gz",
        study / "p1_FLAIR.nii.gz",
        tmp_path / "f.nii.gz",
        "--report",
        report,
        "--no-quality",
        "--progress",
        "json",
    )
    assert result.exit_code == 0, result.output
    for name in ("T1", "FLAIR"):
        told = f"p1_{name}.nii.gz: The slices are shifted (tilted gantry)."
        assert told in read_report(report)["warnings"] and f"Warning: {told}" in result.stderr
