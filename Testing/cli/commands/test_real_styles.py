"""Styles of pictures and adjustments on real images, kept small: what comes out lies on exactly the input's grid."""

from __future__ import annotations

import json

import numpy as np
import pytest

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture
def head(shared_data, tmp_path):
    """Six slices of patient04's T1w and T2w: (T1w file, T2w file)."""
    files = []
    for name in ("T1W", "T2W"):
        whole = read_volume(shared_data / "open-ms" / "longitudinal" / f"patient04_study1_{name}.nii.gz")
        part = Volume(whole.array[:, 20:26], whole.spacing, whole.origin, whole.direction)
        files.append(tmp_path / f"{name}.nrrd")
        write_volume(part, files[-1])
    return files


@pytest.mark.parametrize("colour", ["rgb", "luminance"])
def test_a_radiograph_in_the_style_of_a_painting(shared_data, tmp_path, sst, colour):
    source, output = shared_data / "xray" / "nih_00000001_000.png", tmp_path / "out.png"
    style = shared_data / "art" / "the_scream.jpg"
    options = ["--colour", colour, "--features", "random", "--size", "64", "--steps", "4"]
    done = sst("stylize", source, output, "--style", style, *options, "--report", tmp_path / "r.json")
    assert done.code == 0, done.err
    content, made = read_volume(source), read_volume(output)
    assert made.size == content.size and made.channels == (3 if colour == "rgb" else 1)
    figures = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["quality"]
    assert 0 < figures["semantic_consistency"] <= 1 and figures["seconds_per_slice"] > 0


@pytest.mark.parametrize("method", ["cyclegan", "perceptual"])
def test_a_network_that_paints_heads(shared_data, tmp_path, sst, head, method):
    (tmp_path / "heads").mkdir()
    (tmp_path / "art").mkdir()
    head[0].rename(tmp_path / "heads" / "head.nrrd")
    (tmp_path / "art" / "night.jpg").write_bytes((shared_data / "art" / "starry_night.jpg").read_bytes())
    settings = {
        "max_steps": 3,
        "spacing": 4.0,
        "patch_size": 32,
        "ngf": 4,
        "n_blocks": 1,
        "ndf": 4,
        "n_layers": 2,
        "sample_every": 0,
        "device": "cpu",
        "precision": "fp32",
        "target_modality": "ART",
        "features": "random",
    }
    options = [text for key, value in settings.items() for text in (f"--{key.replace('_', '-')}", str(value))]
    folders = ["--source", tmp_path / "heads", "--target", tmp_path / "art", "--output", tmp_path / "run"]
    done = sst("train", "--method", method, *folders, *options)
    assert done.code == 0, done.err
    model, painted = tmp_path / "run" / "model" / "model", tmp_path / "painted.nrrd"
    done = sst("translate", tmp_path / "heads" / "head.nrrd", painted, "--model", model, "--no-quality")
    assert done.code == 0, done.err
    source, made = read_volume(tmp_path / "heads" / "head.nrrd"), read_volume(painted)
    assert made.same_grid(source) and made.channels == 3 and np.ptp(made.array) > 10
    if method == "cyclegan":
        back = ["--model", model, "--direction", "backward", "--no-quality"]
        done = sst("translate", painted, tmp_path / "back.nrrd", *back)
        assert done.code == 0, done.err
        assert read_volume(tmp_path / "back.nrrd").channels == 1


def test_guard_and_matching_of_a_real_translation(tmp_path, sst, head):
    output = tmp_path / "out.nrrd"
    options = ["--structure-guard", "2", "--match", head[1], "--precision", "fp32", "--backend", "torch"]
    done = sst("translate", head[0], output, "--model", "brain-mr-t1w-t2w", "--no-quality", *options)
    assert done.code == 0, done.err
    source, real, made = read_volume(head[0]), read_volume(head[1]), read_volume(output)
    plain = translate_volume(source, load_model("brain-mr-t1w-t2w"), precision="fp32", backend="torch").volume
    assert made.same_grid(source)

    wanted = np.percentile(real.array[0][body_mask(real)], range(5, 100, 5))

    def distance(volume):
        return np.abs(np.percentile(volume.array[0][body_mask(source)], range(5, 100, 5)) - wanted).mean()

    assert distance(made) < 0.5 * distance(plain), "it has the intensities of the real T2w"
