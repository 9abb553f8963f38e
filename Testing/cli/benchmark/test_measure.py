"""The plain way computes the same, and the benchmark's figures are what was measured."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from tiny_models import make_tiny_model

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference import plane_job
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.networks import build_discriminator, build_generator
from training_cli.benchmark import measure, roofline
from training_cli.benchmark.plain import PlainCycleGAN, plain_network, plain_translate


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("models"), spacing_mm=1.0, stack=1)


def test_the_plain_network_is_the_same_network():
    network = build_generator("resnet", in_channels=3, out_channels=3, ngf=8, n_blocks=2)
    plain = plain_network(network)
    kinds = {type(module) for module in plain.modules()}
    assert torch.nn.InstanceNorm2d in kinds and not any(
        "surgical" in kind.__module__ and "norm" in kind.__module__ for kind in kinds
    )
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    assert torch.allclose(plain(image), network(image), atol=1e-4)


def test_the_plain_translation_is_the_engines_where_both_see_the_whole_slice(folder, tmp_path):
    model = load_model(folder)
    array = np.random.default_rng(0).integers(50, 1000, (3, 32, 32)).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetOrigin((3.0, -2.0, 5.0))
    sitk.WriteImage(image, str(tmp_path / "in.nrrd"))
    plain_translate(tmp_path / "in.nrrd", tmp_path / "out.nrrd", plain_network(model.generator()), model, "forward")
    wanted = translate_volume(read_volume(tmp_path / "in.nrrd"), model, precision="fp32", backend="torch").volume
    made = read_volume(tmp_path / "out.nrrd")
    assert made.same_grid(wanted)
    assert np.abs(made.array - wanted.array).max() < 0.01 * np.ptp(wanted.array)


def test_the_plain_step_learns():
    torch.manual_seed(0)
    networks = {name: build_generator("resnet", in_channels=1, out_channels=1, ngf=4, n_blocks=1) for name in "GF"}
    networks |= {name: build_discriminator("patchgan", in_channels=1, ndf=4, n_layers=1) for name in ("D_A", "D_B")}
    plain = PlainCycleGAN(networks, 2e-3)
    a, b = torch.rand(1, 1, 32, 32), -torch.rand(1, 1, 32, 32)
    cycles = [plain.step(a, b)["cycle"] for _ in range(30)]
    assert cycles[-1] < 0.7 * cycles[0]


def test_ratios_are_taken_pair_by_pair():
    found = measure.rows({"plain": [1.0, 4.0, 9.0], "fast": [0.5, 1.0, 3.0]}, {"fast": {"psnr": 50.0}})
    assert [row["times_plain"] for row in found] == [1.0, 3.0]
    assert found[1] == {
        "way": "fast",
        "seconds": 1.0,
        "least": 0.5,
        "most": 3.0,
        "times_plain": 3.0,
        "psnr": 50.0,
    }


def test_the_phantom_holds_a_head():
    image = measure.head_phantom(128, 4, 2.0)
    array = sitk.GetArrayFromImage(image)
    assert array.shape == (4, 128, 128) and image.GetSpacing() == (2.0, 2.0, 3.0)
    body = (array > 150).any(axis=0)
    assert np.ptp(np.flatnonzero(body.any(axis=1))) == pytest.approx(190 / 2, abs=3)
    assert np.ptp(np.flatnonzero(body.any(axis=0))) == pytest.approx(150 / 2, abs=3)


def test_the_command(folder, tmp_path, sst, monkeypatch):
    step = {"batch": 1, "way": "plain", "seconds": 2.0, "times_plain": 1.0, "images_per_second": 0.5}
    monkeypatch.setattr(measure, "training_steps", lambda *_: [step])
    output = tmp_path / "result.json"
    options = ["--size", "32", "--slices", "3", "--repeats", "1", "--device", "cpu", "--training"]
    done = sst("benchmark", "--model", str(folder), *options, "--json", "--output", str(output))
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found == json.loads(output.read_text())
    assert {"plain", "torch fp32"} <= {row["way"] for row in found["slice"]}
    assert {"plain", "auto"} <= {row["way"] for row in found["volume"]}
    assert all(row["seconds"] > 0 for row in found["volume"]) and found["machine"]["torch"] == torch.__version__
    assert all(row["of_peak"] > 0 for row in found["slice"] if "seconds" in row)
    # The table is of the same figures: nothing is measured a second time for it.
    monkeypatch.setattr(measure, "network_alone", lambda *_: found["slice"])
    monkeypatch.setattr(measure, "whole_volumes", lambda *_: found["volume"])
    table = sst("benchmark", "--model", str(folder), *options)
    assert "times the plain way" in table.out and "of peak" in table.out and "from file to file" in table.out


def test_the_arithmetic_of_a_network_is_counted():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, bias=False), torch.nn.Tanh())
    counted = roofline.arithmetic(network, torch.zeros(2, 3, 14, 24))
    assert counted == pytest.approx(2 * (2 * 8 * 10 * 20 * 3 * 25) / 1e9)
    assert roofline.peak("cpu", "fp32") > 0.1


def test_where_slices_run_in_batches_so_do_these(folder, monkeypatch):
    monkeypatch.setattr(plane_job, "DEFAULT_BATCH", {"cpu": 4})
    monkeypatch.setattr(measure, "in_turn", lambda ways, repeats: {name: [2.0] for name in ways})
    found = measure.network_alone(load_model(folder), "forward", 32, 1, "cpu")
    rows = {row["way"]: row for row in found}
    single, several = rows["torch fp32"], rows["torch fp32, 4 at once"]
    assert (single["seconds"], several["seconds"], several["times_plain"]) == (2.0, 0.5, 4.0)


def test_a_real_training_step_is_measured():
    found = measure.training_steps(32, 4, 1, 1, batches=(1, 2))
    assert {(row["batch"], row["way"]) for row in found} >= {(1, "plain"), (1, "fp32"), (2, "fp32")}
    for row in found:
        assert row["images_per_second"] == pytest.approx(row["batch"] / row["seconds"], rel=0.01)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--size", "16"], "--size is at least 32, not 16."),
        (["--size", "50"], "--size is a multiple of 4"),
        (["--repeats", "0"], "--repeats is at least 1, not 0."),
        (["--model", "nothing"], "nothing"),
        (["--output", "/no/such/folder/x.json"], "The folder /no/such/folder does not exist."),
    ],
)
def test_bad_input(refused, options, sentence):
    assert sentence in refused("benchmark", *options)
