"""The small picture of a volume: axial whatever the array's order, with the pixels' true sides."""

import io

import numpy as np
from PIL import Image

from surgical_style_engine.volumes.volume import Volume
from training_cli.cohort.summary.thumbnail import HEIGHT, thumbnail


def opened(volume, arrays):
    return np.asarray(Image.open(io.BytesIO(thumbnail(volume, arrays))))


def test_images_stand_side_by_side():
    array = np.zeros((1, 8, 20, 40), np.float32)
    array[..., 20:] = 1
    volume = Volume(array, (1.0, 1.0, 5.0))
    picture = opened(volume, [array, np.empty((0, 0, 0, 0), np.float32), 1 - array])
    assert picture.shape == (HEIGHT, 2 * 2 * HEIGHT, 3)
    assert picture[:, :HEIGHT, 0].mean() < 10 and picture[:, HEIGHT : 2 * HEIGHT, 0].mean() > 245
    assert picture[:, 2 * HEIGHT : 3 * HEIGHT, 0].mean() > 245


def test_a_sagittal_acquisition_is_shown_axially_and_constant_values_are_no_trouble():
    direction = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    volume = Volume(np.ones((1, 6, 30, 10), np.float32), (1.0, 1.0, 1.0), direction=direction)
    assert opened(volume, [volume.array]).shape == (HEIGHT, round(HEIGHT * 6 / 10), 3)
