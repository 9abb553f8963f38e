"""A folder of plain pictures as the target: grey volumes become colour ones, and go back."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tiny_training import as_options

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model, verify_model


def painting(seed: int, size: tuple[int, int]) -> Image.Image:
    """Coloured waves, blue for the most part."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]] / 12
    waves = np.stack([np.sin(x * random.uniform(0.5, 2) + y * random.uniform(0.5, 2)) for _ in range(3)], axis=-1)
    return Image.fromarray(np.uint8(np.clip([60, 90, 190] + 60 * waves, 0, 255)))


@pytest.fixture
def paintings(tmp_path):
    folder = tmp_path / "paintings"
    folder.mkdir()
    painting(0, (60, 90)).save(folder / "a.png")
    painting(1, (120, 80)).save(folder / "b.jpg")
    return folder


def test_volumes_become_paintings_and_go_back(tiny, discs, paintings, tmp_path, sst):
    settings = tiny | {
        "target": paintings,
        "stack": 1,
        "max_steps": 40,
        "learning_rate": 2e-3,
        "source_name": "MR",
        "target_name": "Painting",
        "target_modality": "ART",
        "checkpoint_every": 100,
        "sample_every": 20,
    }
    ended = sst("train", *as_options(settings))
    assert ended.code == 0, ended
    folder = tmp_path / "run" / "model" / "model"
    card = verify_model(folder)
    assert (card.domains.source.channels, card.domains.target.channels) == (1, 3)
    assert card.domains.target.normalization.kind == "rgb"

    volume, model = read_volume(discs / "source" / "c.nii.gz"), load_model(folder)
    there = translate_volume(volume, model, device="cpu", precision="fp32").volume
    assert there.array.shape == (3, *volume.array.shape[1:]) and there.same_grid(volume)
    assert 0 <= there.array.min() and there.array.max() <= 255
    red, _, blue = there.array[:, 1, 10:30, 10:30].mean(axis=(1, 2))
    assert blue > red + 20  # the paintings' own colour, after a few steps
    back = translate_volume(there, model, direction="backward", device="cpu", precision="fp32").volume
    assert back.array.shape == volume.array.shape and back.same_grid(volume) and np.isfinite(back.array).all()

    picture = read_volume(paintings / "a.png")
    grey = translate_volume(picture, model, direction="backward", device="cpu", precision="fp32").volume
    assert grey.array.shape == (1, 1, 60, 90) and grey.is_2d

    sample = np.asarray(Image.open(tmp_path / "run" / "samples" / "step-00000040.png"))
    assert sample.shape == (4 * 32, 6 * 32, 3)
    grey_column, painted_column = sample[:, :32].astype(int), sample[:, 96:128].astype(int)
    assert (np.ptp(grey_column, axis=-1) == 0).all() and np.ptp(painted_column, axis=-1).max() > 50


def test_a_stack_of_slices_works_with_colours_too(tiny, discs, paintings, tmp_path, sst):
    assert sst("train", *as_options(tiny | {"target": paintings, "stack": 3, "max_steps": 2})).code == 0
    model = load_model(tmp_path / "run" / "model" / "model")
    there = translate_volume(read_volume(discs / "source" / "c.nii.gz"), model, device="cpu", precision="fp32").volume
    back = translate_volume(there, model, direction="backward", device="cpu", precision="fp32").volume
    assert (there.channels, back.channels) == (3, 1)


def test_grey_and_colour_do_not_mix_within_a_domain(tiny, paintings, tmp_path, refused):
    painting(2, (64, 64)).convert("L").save(paintings / "c.png")
    sentence = refused("train", *as_options(tiny | {"target": paintings}))
    assert "c.png is grey" in sentence and "colour" in sentence and not (tmp_path / "run").exists()
