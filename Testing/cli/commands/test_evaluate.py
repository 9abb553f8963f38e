"""`sst evaluate` on small volumes with a small real model folder."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
import typer
from typer.testing import CliRunner

from surgical_style_engine.app.report import KEYS, read_report
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard
from surgical_style_engine.models.folder import save_model
from surgical_style_engine.volumes.normalization import PercentileLandmarks, RobustPercentile
from surgical_style_engine.volumes.volume import Volume
from training_cli.commands.evaluate import evaluate


def sst(*arguments):
    """Run the command; an error comes back as `exception` (the program turns it into one sentence and exit code)."""
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "120"})


def head(seed, origin=(0.0, 0.0, 0.0)):
    """T1-like and T2-like volume of one random head."""
    z, y, x = np.meshgrid(np.arange(12) - 6, np.arange(40) - 20, np.arange(40) - 20, indexing="ij")
    inside = (z / 5.5) ** 2 + (y / 17) ** 2 + (x / 14) ** 2 <= 1
    noise = sitk.GetImageFromArray(np.random.default_rng(seed).normal(size=inside.shape).astype(np.float32))
    classes = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, 2.0))
    classes = np.digitize(classes, np.quantile(classes[inside], (0.3, 0.7)))
    volumes = []
    for values in ((200.0, 500.0, 800.0), (900.0, 500.0, 300.0)):
        array = np.where(inside, np.array(values)[classes], 0).astype(np.float32)
        volumes.append(Volume(array[None], (2.0, 2.0, 4.0), origin))
    return volumes, inside


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Two patients: T1 in source/, T2 in target/ (the second moved and elsewhere), masks, and a model folder."""
    import torch

    from surgical_style_engine.networks import build_generator

    folder = tmp_path_factory.mktemp("cohort")
    for name in ("source", "target", "masks"):
        (folder / name).mkdir()
    for number in (1, 2):
        (first, second), inside = head(number)
        if number == 2:
            second = Volume(second.array, second.spacing, (6.0, -4.0, 0.0))
        write_volume(first, folder / "source" / f"p{number}_s1_T1.nii.gz")
        write_volume(second, folder / "target" / f"p{number}_s1_T2.nii.gz")
        write_volume(first.with_array(inside[None].astype(np.uint8)), folder / "masks" / f"p{number}_mask.nii.gz")
    torch.manual_seed(0)
    arguments = {"in_channels": 1, "out_channels": 1, "ngf": 4, "n_blocks": 1}
    states = [build_generator("resnet", **arguments).state_dict() for _ in range(2)]
    domains = [
        Domain(
            name=name,
            modality="MR",
            normalization=RobustPercentile(),
            inverse=PercentileLandmarks(low=0, high=900, maximum=1000),
        )
        for name in ("T1w", "T2w")
    ]
    card = ModelCard(
        name="tiny",
        title="tiny",
        architecture=Architecture(name="resnet", arguments=arguments),
        domains=Domains(source=domains[0], target=domains[1]),
        spacing_mm=2.0,
        directions=["forward", "backward"],
    )
    save_model(folder / "tiny", card, *states)
    return folder


def test_a_cohort_with_references_and_masks(cohort, tmp_path):
    path = tmp_path / "r.json"
    result = sst(
        "--model",
        cohort / "tiny",
        "--source",
        cohort / "source",
        "--reference",
        cohort / "target",
        "--masks",
        cohort / "masks",
        "--report",
        path,
        "--device",
        "cpu",
    )
    assert result.exit_code == 0, (result.output, result.exception)
    report = read_report(path)
    assert list(report)[: len(KEYS)] == list(KEYS) and report["warnings"] == []
    assert report["slices"] == 22 and report["device"] == "cpu" and report["model"]["name"] == "tiny"
    first, second = report["volumes"]
    assert first["reference"].endswith("p1_s1_T2.nii.gz") and second["mask"].endswith("p2_mask.nii.gz")
    assert first["registration"]["method"] == "same grid"
    assert second["registration"]["translation_mm"] == pytest.approx(np.hypot(6, 4), abs=0.5)
    quality = report["quality"]
    both = [entry["quality"] for entry in (first, second)]
    for key in ("look_ahead_score", "look_ahead_score_raw", "jigsaw_puzzle_error", "semantic_consistency"):
        assert quality[key] == pytest.approx(np.mean([entry[key] for entry in both]))
    paired = quality["reference"]
    assert {"psnr", "ssim", "ms_ssim", "mae", "mae_normalised"} <= set(paired)
    assert set(paired["floors"]) == {"input", "histogram_matched"}
    assert paired["psnr"] == pytest.approx(np.mean([entry["reference"]["psnr"] for entry in both]))
    assert all(len(entry["reference"]["slices"]["ssim"]) == 12 for entry in both)
    assert all(entry["mask"] == "given" for entry in both)
    assert quality["kid"]["reference_volumes"] == 2 and quality["kid"]["value"] > 0
    assert set(quality["kid"]["floors"]) == {"input", "histogram_matched"}
    assert "PSNR" in result.output and "Look-Ahead" in result.output


def test_unpaired_references_give_a_kid_and_never_a_psnr(cohort, tmp_path):
    unpaired = tmp_path / "unpaired"
    unpaired.mkdir()
    for number in (7, 8):
        write_volume(head(number)[0][1], unpaired / f"q{number}_T2.nii.gz")
    path = tmp_path / "r.json"
    result = sst(
        "--model",
        cohort / "tiny",
        "--source",
        cohort / "source" / "p1_s1_T1.nii.gz",
        "--reference",
        unpaired,
        "--report",
        path,
        "--no-cycle",
        "--progress",
        "json",
    )
    assert result.exit_code == 0, (result.output, result.exception)
    report = read_report(path)
    assert report["quality"]["kid"]["value"] is not None
    assert report["quality"]["reference"] is None and report["volumes"][0]["quality"]["reference"] is None
    assert any("no reference has a matching name" in warning for warning in report["warnings"])
    assert report["quality"]["look_ahead_score"] is None, "not asked for"
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[-1]["progress"] == 1 and lines[-1]["volume"] == "p1_s1_T1.nii.gz"


def test_one_volume_and_one_reference_belong_together_whatever_their_names(cohort, tmp_path):
    (_, second), _ = head(1)
    write_volume(second, tmp_path / "anything.nrrd")
    path = tmp_path / "r.json"
    result = sst(
        "--model",
        cohort / "tiny",
        "--source",
        cohort / "source" / "p1_s1_T1.nii.gz",
        "--report",
        path,
        "--reference",
        tmp_path / "anything.nrrd",
        "--no-cycle",
        "--progress",
        "none",
        "--direction",
        "forward",
    )
    assert result.exit_code == 0, (result.output, result.exception)
    quality = read_report(path)["quality"]
    assert quality["reference"]["psnr"] > 0 and "kid" not in quality


def test_the_way_back_is_judged_from_the_other_side(cohort, tmp_path):
    path = tmp_path / "r.json"
    result = sst(
        "--model",
        cohort / "tiny",
        "--source",
        cohort / "target",
        "--pattern-source",
        "p1*",
        "--report",
        path,
        "--reference",
        cohort / "source",
        "--pattern-reference",
        "p1*",
        "--direction",
        "backward",
    )
    assert result.exit_code == 0, (result.output, result.exception)
    report = read_report(path)
    assert report["model"]["direction"] == "backward" and len(report["volumes"]) == 1
    assert report["quality"]["reference"]["psnr"] > 0


def test_bad_input_leaves_no_report(cohort, tmp_path):
    good = {"--model": cohort / "tiny", "--source": cohort / "source", "--report": tmp_path / "r.json"}
    for change, sentence in (
        ({"--model": tmp_path / "absent"}, "no model"),
        ({"--source": tmp_path / "absent"}, "does not exist"),
        ({"--reference": tmp_path / "absent"}, "does not exist"),
        ({"--report": tmp_path / "absent" / "r.json"}, "does not exist"),
        ({"--direction": "sideways"}, "forward or backward"),
        ({"--pattern-source": "*_CT*"}, "No source volume"),
        ({"--progress": "loud"}, "--progress"),
    ):
        result = sst(*(part for pair in {**good, **change}.items() for part in pair))
        assert isinstance(result.exception, InputError) and result.exception.exit_code == 2, change
        assert sentence in str(result.exception) and "\n" not in str(result.exception)
        assert list(tmp_path.iterdir()) == []


def test_a_reference_with_nothing_in_common_is_left_out(cohort, tmp_path):
    array = np.random.default_rng(0).random((1, 12, 40, 40), np.float32)
    write_volume(Volume(array, (2.0, 2.0, 4.0), (6.0, -4.0, 0.0)), tmp_path / "noise.nii.gz")
    path = tmp_path / "r.json"
    result = sst(
        "--model",
        cohort / "tiny",
        "--source",
        cohort / "source" / "p1_s1_T1.nii.gz",
        "--report",
        path,
        "--reference",
        tmp_path / "noise.nii.gz",
        "--no-cycle",
        "--progress",
        "json",
        "--maps",
        tmp_path / "maps",
    )
    assert result.exit_code == 0, (result.output, result.exception)
    report = read_report(path)
    (told,) = report["warnings"]
    assert told.endswith("the registration found nothing that they have in common; it was left out.")
    assert f"Warning: {told}" in result.stderr
    assert report["quality"]["reference"] is None and report["volumes"][0]["registration"]["found_common"] is False
    assert not list((tmp_path / "maps").glob("*_reference*"))


def test_a_reference_of_another_patient_is_none(cohort, tmp_path):
    (first, second), _ = head(1)
    for folder, names in (("s", ["site1_001", "site1_002"]), ("t", ["site1_001"])):
        (tmp_path / folder).mkdir()
        for name in names:
            write_volume(first if folder == "s" else second, tmp_path / folder / f"{name}.nii.gz")
    result = sst(
        "--model",
        cohort / "tiny",
        "--source",
        tmp_path / "s",
        "--reference",
        tmp_path / "t",
        "--report",
        tmp_path / "r.json",
        "--no-cycle",
    )
    assert result.exit_code == 0, (result.output, result.exception)
    first, second = read_report(tmp_path / "r.json")["volumes"]
    assert first["reference"] and second["reference"] is None
    assert "site1_002.nii.gz: no reference has a matching name" in result.stderr


def test_pairs_by_other_than_equal_names_are_told(cohort, tmp_path):
    result = sst(
        "--model",
        cohort / "tiny",
        "--source",
        cohort / "source",
        "--reference",
        cohort / "target",
        "--report",
        tmp_path / "r.json",
        "--no-cycle",
        "--no-register",
        "--pattern-source",
        "p1*",
    )
    told = "By its name, the reference p1_s1_T2.nii.gz was taken to belong to p1_s1_T1.nii.gz."
    assert read_report(tmp_path / "r.json")["paired"] == [told] and told in result.stderr


def test_lpips_where_it_is_asked_for(cohort, tmp_path, monkeypatch):
    """With the original VGG-16 it is the unweighted form, under a name of its own, with the floors beside it."""
    from published_weights import vgg16_wheel

    from surgical_style_engine.stylize.fetch import fetch_features

    monkeypatch.setenv("SST_FEATURES", str(tmp_path / "features"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    one, real = cohort / "source" / "p1_s1_T1.nii.gz", cohort / "target" / "p1_s1_T2.nii.gz"
    arguments = ("--model", cohort / "tiny", "--source", one, "--reference", real, "--report", tmp_path / "r.json")
    refused = sst(*arguments, "--lpips", "--no-cycle")
    assert isinstance(refused.exception, InputError) and "sst models features" in str(refused.exception)
    assert not (tmp_path / "r.json").exists()
    fetch_features("vgg16", vgg16_wheel())
    judged = sst(*arguments, "--lpips", "--no-cycle")
    assert judged.exit_code == 0, judged.output
    assert "VGG distance" in judged.output and "unweighted form is computed" in judged.output
    reference = read_report(tmp_path / "r.json")["quality"]["reference"]
    assert reference["vgg_distance"] > 0 and "lpips" not in reference
    assert set(reference["floors"]) == {"input", "histogram_matched"}
    assert all(floor["vgg_distance"] > 0 for floor in reference["floors"].values())
    plain = sst(*arguments, "--no-cycle")
    assert plain.exit_code == 0 and "VGG distance" not in plain.output, "nobody waits for what was not asked for"
