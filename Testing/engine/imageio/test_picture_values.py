"""Pictures: which values they keep, and what is scaled."""

import numpy as np
import pytest
from image_files import bad, names, picture
from PIL import Image

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume


class TestPictures:
    @pytest.mark.parametrize("ending", [".png", ".tif", ".tiff"])
    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_lossless_ones_keep_every_value(self, tmp_path, ending, channels, dtype):
        volume = picture(dtype, channels)
        write_volume(volume, tmp_path / f"p{ending}")
        back = read_volume(tmp_path / f"p{ending}")
        assert back.is_2d and back.array.dtype == dtype and np.array_equal(back.array, volume.array)

    def test_jpeg_is_close(self, tmp_path):
        y, x = np.mgrid[:64, :64]
        volume = Volume((x + y).astype(np.uint8)[None, None], is_2d=True)
        for name in ("p.jpg", "p.JPEG"):
            write_volume(volume, tmp_path / name)
            back = read_volume(tmp_path / name)
            assert back.is_2d and np.abs(back.array.astype(int) - volume.array).max() < 6

    @pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 3), ("P", 3)])
    def test_files_of_other_programs(self, tmp_path, mode, channels):
        colours = np.random.default_rng(0).integers(0, 255, (9, 11, 4)).astype(np.uint8)
        image = Image.fromarray(colours, "RGBA").convert("RGB" if mode == "P" else mode)
        image = image.quantize(7) if mode == "P" else image
        image.save(tmp_path / "p.png")
        expected = np.atleast_3d(np.asarray(image.convert("RGB") if mode == "P" else image))[..., :channels]
        back = read_volume(tmp_path / "p.png")
        assert back.is_2d and np.array_equal(np.moveaxis(back.array[:, 0], 0, -1), expected)

    def test_grey_with_alpha(self, tmp_path):
        Image.new("LA", (8, 8)).save(tmp_path / "p.png")
        bad(tmp_path / "p.png", "grey with alpha")

    def test_translated_pictures_keep_their_grey_levels(self, tmp_path):
        """What a model gives back is floating point in 0..255; stretching it would change brightness and colour."""
        values = np.linspace(20.4, 199.6, 30).reshape(1, 1, 5, 6).astype(np.float32)
        for ending in (".png", ".tif"):
            write_volume(Volume(values, is_2d=True), tmp_path / f"p{ending}")
            back = read_volume(tmp_path / f"p{ending}").array
            assert back.dtype == np.uint8 and np.array_equal(back, np.round(values))

    @pytest.mark.parametrize(("ending", "top"), [(".png", 65535), (".tif", 65535), (".jpg", 255)])
    @pytest.mark.parametrize(("low", "high"), [(-1000.0, 400.0), (0.0, 1.0), (0.0, 3000.0)])
    def test_other_floats_fill_the_range(self, tmp_path, ending, top, low, high):
        values = np.linspace(low, high, 64 * 64).reshape(1, 1, 64, 64).astype(np.float32)
        write_volume(Volume(values, is_2d=True), tmp_path / f"p{ending}")
        back = read_volume(tmp_path / f"p{ending}").array.astype(float)
        expected = (values - low) / (high - low) * top
        assert np.abs(back - expected).max() <= (0.51 if top == 65535 else 6)

    def test_whole_numbers_that_fit_are_kept(self, tmp_path):
        labels = np.arange(300, dtype=np.int32).reshape(1, 1, 15, 20)
        write_volume(Volume(labels), tmp_path / "labels.png")
        write_volume(Volume(labels > 5), tmp_path / "mask.png")
        assert np.array_equal(read_volume(tmp_path / "labels.png").array, labels)
        assert np.array_equal(read_volume(tmp_path / "mask.png").array, labels > 5)

    def test_constant_floats_divide_by_nothing(self, tmp_path):
        write_volume(Volume(np.full((1, 1, 4, 4), -3.0)), tmp_path / "p.png")
        assert (read_volume(tmp_path / "p.png").array == 0).all()

    @pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
    @pytest.mark.parametrize(
        ("array", "sentence"),
        [
            (np.zeros((1, 2, 4, 4)), "2 slices"),
            (np.zeros((2, 1, 4, 4)), "2 channels"),
            (np.ones((1, 1, 4, 4)) * 1j, "complex"),
            (np.zeros((1, 0, 4, 4)), "empty"),
        ],
    )
    def test_what_no_picture_can_hold(self, tmp_path, ending, array, sentence):
        with pytest.raises(InputError, match=sentence):
            write_volume(Volume(array), tmp_path / f"p{ending}")
        assert names(tmp_path) == []
