"""The comparison picture: right slices, right proportions, whole or absent."""

import numpy as np
import pytest
from PIL import Image

from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.metrics.tissues import tissue_contrast
from surgical_style_engine.volumes.volume import Volume
from training_cli.pictures.comparison import save_comparison


@pytest.fixture
def volume():
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (12, 40, 60)), indexing="ij")
    inside = z**2 + y**2 + x**2 < 0.9
    return Volume(np.where(inside, 500 + 300 * x, 0).astype(np.float32)[None], (1.0, 1.5, 3.0))


def picture(path):
    return np.asarray(Image.open(path).convert("RGB"), float)


def test_columns_and_the_patients_left(volume, tmp_path):
    normalized = volume.array / 400 - 1
    save_comparison(tmp_path / "c.png", volume, {"one": normalized, "two": -normalized}, title="t", footer="f")
    image = picture(tmp_path / "c.png")
    h, w = image.shape[:2]
    middle = slice(int(h * 0.45), int(h * 0.55))
    first = image[middle, : w // 2].mean(axis=(0, 2))
    # x grows to the patient's left, which is drawn on the right: there the first column is brighter.
    assert first[3 * len(first) // 4] > first[len(first) // 4] + 20


def test_only_judged_slices_are_drawn(volume, tmp_path):
    error = np.full(volume.array.shape, np.nan, np.float32)
    error[:, 5:8] = 0.5
    save_comparison(tmp_path / "c.png", volume, {"one": volume.array / 400 - 1}, error=error)
    right = picture(tmp_path / "c.png")[:, -200:]
    assert right.max(axis=2).mean() > 60, "the error of the judged slices is drawn bright"


def test_figures_and_tissues_add_a_panel(volume, tmp_path):
    normalized = volume.array / 400 - 1
    tissues = {"white": volume.array[0] > 600, "grey": (volume.array[0] > 0) & (volume.array[0] <= 600)}
    contrast = tissue_contrast(volume.array, -volume.array + 900, tissues)
    save_comparison(tmp_path / "a.png", volume, {"one": normalized})
    save_comparison(tmp_path / "b.png", volume, {"one": normalized}, figures=[("PSNR", "17 dB")], contrast=contrast)
    assert picture(tmp_path / "b.png").shape[0] > picture(tmp_path / "a.png").shape[0] + 150


def test_colour_and_a_plane_picture(tmp_path):
    grey = Volume(np.random.default_rng(0).random((1, 1, 50, 70)).astype(np.float32), is_2d=True)
    colour = np.random.default_rng(1).uniform(-1, 1, (3, 1, 50, 70)).astype(np.float32)
    save_comparison(tmp_path / "c.png", grey, {"input": grey.array * 2 - 1, "art": colour})
    image = picture(tmp_path / "c.png")
    assert np.ptp(image, axis=2).max() > 100


def test_an_unwritable_place_is_one_sentence(volume, tmp_path):
    with pytest.raises(StyleTransferError, match="Cannot write the picture"):
        save_comparison(tmp_path / "absent" / "c.png", volume, {"one": volume.array / 400 - 1})
