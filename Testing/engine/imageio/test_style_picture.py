"""Style pictures of any kind are read, and what has no style is refused."""

import numpy as np
import pytest
from style_pictures import brain, waves

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.style_picture import luminance_like, read_picture, reduced
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume


def save(path, array):
    write_volume(Volume(array[:, None], is_2d=True), path)
    return path


def test_pictures_of_any_depth(tmp_path):
    colours = (waves() * 255).astype(np.uint8)
    plain = read_picture(save(tmp_path / "a.png", colours))
    assert plain.shape == (3, 48, 64) and plain.dtype == np.float32 and abs(plain - colours / 255).max() < 1e-6
    deep = read_picture(save(tmp_path / "b.png", colours.astype(np.uint16) * 257))
    np.testing.assert_allclose(deep, plain, atol=1e-5)
    grey = read_picture(save(tmp_path / "c.tif", colours[:1]))
    assert grey.shape == (3, 48, 64) and np.array_equal(grey[0], grey[2])
    from PIL import Image

    Image.fromarray(np.dstack([*colours, np.full((48, 64), 9, np.uint8)])).save(tmp_path / "d.png")
    np.testing.assert_allclose(read_picture(tmp_path / "d.png"), plain, atol=1e-6)
    assert max(reduced(np.zeros((3, 100, 4000), np.float32)).shape) == 1024


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 1, 1), np.uint8), "too small"),
        (np.zeros((3, 20, 90), np.uint8), "too small"),
        (np.full((3, 50, 50), 77, np.uint8), "one colour"),
    ],
)
def test_pictures_without_a_style(tmp_path, array, reason):
    with pytest.raises(InputError, match=reason):
        read_picture(save(tmp_path / "p.png", array))


def test_files_that_are_no_pictures(tmp_path):
    with pytest.raises(InputError, match="no style picture"):
        read_picture(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(InputError):
        read_picture(tmp_path / "text.png")
    write_volume(brain(), tmp_path / "v.nii.gz")
    with pytest.raises(InputError, match="is no picture"):
        read_picture(tmp_path / "v.nii.gz")


def test_luminance_is_matched():
    made = luminance_like(waves(), 0.4, 0.1)
    assert made.shape == (3, 48, 64) and np.array_equal(made[0], made[1])
    assert made.mean() == pytest.approx(0.4, abs=0.01) and made.std() == pytest.approx(0.1, abs=0.01)
