"""One volume and mask are judged in one region and by one rule, whoever asks: the commands or the panel."""

import numpy as np
import pytest

from surgical_style_engine.app.report import read_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.worker import messages
from surgical_style_engine.worker.tasks import Tasks

SAME = ("look_ahead_score", "look_ahead_score_raw", "jigsaw_puzzle_error", "cycle_slices", "mask_fraction")
RUN = ("--device", "cpu", "--precision", "fp32", "--progress", "none")


@pytest.fixture
def files(head_volume, tmp_path):
    """Volume, a generous mask of several labels, and a reference of the same head."""
    volume = head_volume()
    labels = np.zeros(volume.array.shape, np.int16)
    labels[:, 2:8, :, :30] = 4
    labels[:, 2:8, :, :6] = -1
    write_volume(volume, tmp_path / "p1_T1.nrrd")
    write_volume(volume.with_array(labels), tmp_path / "p1_mask.nrrd")
    write_volume(volume.with_array((900 - volume.array) * (volume.array > 0)), tmp_path / "p1_T2.nrrd")
    return tmp_path


def worker(files, model, strength=1.0, with_mask=True):
    """The metrics as the panel gets them."""
    tasks = Tasks()

    def described(name):
        volume = read_volume(files / name)
        messages.write_array(files / f"{name}.npy", volume.array)
        return messages.describe(files / f"{name}.npy", volume.spacing, volume.origin, volume.direction)

    def ask(**message):
        return tasks.run({"id": 1, **message}, lambda *_: None, lambda: False)

    mask = {"mask": described("p1_mask.nrrd")} if with_mask else {}
    run = {"volume": described("p1_T1.nrrd"), "model": str(model), "device": "cpu", "precision": "fp32"}
    ask(task="translate", output=str(files / "o.npy"), keep="a", strength=strength, **mask, **run)
    return ask(task="figures", keep="a", reference=described("p1_T2.nrrd"))["figures"]


def test_a_mask(sst, files, tiny_model):
    model, mask = ("--model", tiny_model), files / "p1_mask.nrrd"
    report = files / "r.json"
    arguments = (files / "p1_T1.nrrd", files / "o.nrrd", *model, "--mask", mask, "--report", report)
    assert sst("translate", *arguments, "--quality", "full", *RUN).code == 0
    translated = read_report(report)["quality"]
    pairs = ("--source", files / "p1_T1.nrrd", "--reference", files / "p1_T2.nrrd", "--masks", mask)
    assert sst("evaluate", *model, *pairs, "--report", report, *RUN).code == 0
    evaluated = read_report(report)["volumes"][0]["quality"]
    asked = worker(files, tiny_model)

    volume, labels = read_volume(files / "p1_T1.nrrd"), read_volume(mask)
    region = body_mask(volume) & (labels.array[0] != 0)
    assert 0.3 < region.sum() / (labels.array != 0).sum() < 0.7, "half of the mask is air"
    for quality in (translated, evaluated, asked):
        assert quality["mask"] == "given"
        assert quality["mask_fraction"] == pytest.approx(region.mean(), abs=1e-9)
        assert [quality[key] for key in SAME] == pytest.approx([translated[key] for key in SAME], rel=1e-6)
    # The mask is where the translation was laid in; to evaluate, it is where the whole translation is judged.
    assert asked["semantic_consistency"] == pytest.approx(translated["semantic_consistency"], rel=1e-6)
    assert evaluated["semantic_consistency"] == pytest.approx(translated["network"]["semantic_consistency"], rel=1e-6)
    assert evaluated["network"] is None
    assert evaluated["reference"]["psnr"] == pytest.approx(asked["network"]["reference"]["psnr"], rel=1e-6)
    for name, floor in evaluated["reference"]["floors"].items():
        assert floor["psnr"] == pytest.approx(asked["reference"]["floors"][name]["psnr"], rel=1e-6)


def test_the_panels_figures_at_strength_0_are_the_inputs(files, tiny_model):
    quality = worker(files, tiny_model, strength=0.0, with_mask=False)
    floor = quality["reference"]["floors"]["input"]
    assert {key: quality["reference"][key] for key in floor} == floor
    assert quality["network"]["reference"]["psnr"] != pytest.approx(floor["psnr"], abs=0.1)
    assert quality["semantic_consistency"] == pytest.approx(1)
