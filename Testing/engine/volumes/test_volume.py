"""Volumes: geometry helpers, the way to SimpleITK and back, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.volumes.volume import Volume, check_volume


def oblique() -> np.ndarray:
    return np.asarray(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()).reshape(3, 3)


def make(array=None, **changes) -> Volume:
    if array is None:
        array = np.arange(2 * 3 * 4, dtype=np.int16).reshape(1, 2, 3, 4)
    grid = {"spacing": (0.7, 0.9, 3.0), "origin": (-12.5, 8.0, 99.0), "direction": oblique()}
    return Volume(array, **{**grid, **changes})


def test_size_is_x_y_z_and_channels_come_first():
    volume = make(np.zeros((3, 2, 5, 7)))
    assert volume.size == (7, 5, 2)
    assert volume.channels == 3


def test_four_axes_are_required():
    with pytest.raises(InputError, match="four axes"):
        Volume(np.zeros((2, 3, 4)))


@pytest.mark.parametrize("channels", [1, 3])
def test_to_sitk_and_back_is_exact(channels):
    volume = make(np.random.default_rng(0).normal(size=(channels, 3, 4, 5)).astype(np.float32))
    image = volume.to_sitk()
    assert image.GetSize() == (5, 4, 3)
    # One voxel's place by ITK's own arithmetic, which shares no code with ours.
    assert np.allclose(image.TransformIndexToPhysicalPoint((4, 3, 2)), volume.corners()[-1])
    back = Volume.from_sitk(image, {"Modality": "MR"})
    assert np.array_equal(back.array, volume.array)
    assert back.spacing == volume.spacing and back.origin == volume.origin
    assert np.array_equal(back.direction, volume.direction)
    assert back.metadata == {"Modality": "MR"} and not back.is_2d


@pytest.mark.parametrize(("dtype", "expected"), [(bool, np.uint8), (np.float16, np.float32), (">i2", np.int16)])
def test_types_that_itk_lacks_keep_their_values(dtype, expected):
    array = np.array([0, 1, 1, 0], dtype).reshape(1, 1, 2, 2)
    values = sitk.GetArrayFromImage(make(array).to_sitk())
    assert values.dtype == expected
    assert values.ravel().tolist() == [0, 1, 1, 0]


def test_plane_images_become_one_slice():
    image = sitk.GetImageFromArray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    image.SetSpacing((0.5, 0.25))
    volume = Volume.from_sitk(image)
    assert volume.is_2d and volume.array.shape == (1, 1, 2, 3)
    assert volume.spacing == (0.5, 0.25, 1.0) and np.array_equal(volume.direction, np.eye(3))


def test_four_dimensions_are_no_volume():
    with pytest.raises(InputError, match="4 dimensions"):
        Volume.from_sitk(sitk.Image([2, 2, 2, 2], sitk.sitkUInt8))


def test_with_array_keeps_the_grid():
    volume = make(name="scan.nii")
    other = volume.with_array(np.ones((1, 2, 3, 4), np.float32))
    assert other.same_grid(volume) and other.name == "" and other.array.dtype == np.float32


class TestSameGrid:
    def test_single_precision_is_the_same(self):
        volume = make()
        rounded = make(direction=oblique().astype(np.float32).astype(float), origin=(-12.500004, 8.0, 99.00001))
        assert volume.same_grid(rounded)

    @pytest.mark.parametrize(
        "changes",
        [
            {"origin": (-12.4, 8.0, 99.0)},
            {"spacing": (0.7, 0.9, 3.1)},
            {"direction": np.eye(3)},
            {"direction": -oblique()},
            {"array": np.zeros((1, 2, 3, 5))},
        ],
    )
    def test_other_geometry_is_not(self, changes):
        assert not make().same_grid(make(**changes))

    def test_a_small_turn_matters_only_where_it_moves_voxels(self):
        turned = np.asarray(sitk.Euler3DTransform((0, 0, 0), 0, 0, 1e-3).GetMatrix()).reshape(3, 3)
        small, large = np.zeros((1, 2, 3, 4)), np.zeros((1, 2, 300, 400))
        assert make(small, direction=np.eye(3)).same_grid(make(small, direction=turned))
        assert not make(large, direction=np.eye(3)).same_grid(make(large, direction=turned))


class TestCheckVolume:
    def test_good_ones_pass(self):
        check_volume(make())
        check_volume(make(np.random.default_rng(0).normal(size=(3, 2, 3, 4))))
        check_volume(make(np.array([True, False]).reshape(1, 1, 1, 2)))

    @pytest.mark.parametrize(
        ("array", "sentence"),
        [
            (np.zeros((1, 0, 3, 4)), "is empty"),
            (np.full((1, 2, 3, 4), 7), "constant: every voxel is 7"),
            (np.ones((1, 2, 3, 4), bool), "constant"),
            (np.where(np.arange(24) == 5, np.nan, 1.0).reshape(1, 2, 3, 4), "NaN or infinite"),
            (np.where(np.arange(24) == 5, -np.inf, 1.0).reshape(1, 2, 3, 4), "NaN or infinite"),
            (np.arange(48).reshape(2, 2, 3, 4), "2 channels"),
            (np.arange(120).reshape(5, 2, 3, 4), "5 channels"),
            (np.arange(24).reshape(1, 2, 3, 4) * 1j, "complex"),
            (np.full((1, 2, 3, 4), "a"), "not numbers"),
        ],
    )
    def test_unusable_voxels(self, array, sentence):
        with pytest.raises(InputError, match=sentence) as caught:
            check_volume(make(array, name="scan.nii"))
        message = str(caught.value)
        assert message.startswith("The volume scan.nii ") and message.endswith(".") and "\n" not in message

    @pytest.mark.parametrize(
        "changes",
        [
            {"spacing": (1.0, 0.0, 1.0)},
            {"spacing": (1.0, float("nan"), 1.0)},
            {"origin": (0, float("inf"), 0)},
            {"direction": np.zeros((3, 3))},
            {"direction": np.array([[1, 0.3, 0], [0, 1, 0], [0, 0, 1.0]])},
        ],
    )
    def test_unusable_geometry(self, changes):
        with pytest.raises(InputError, match="geometry"):
            check_volume(make(**changes))

    def test_the_caller_may_name_it(self):
        with pytest.raises(InputError, match="^The mask is constant"):
            check_volume(make(np.ones((1, 2, 3, 4)), name="scan.nii"), "The mask")


def test_reading_needs_neither_torch_nor_a_slow_import():
    code = (
        "import sys, surgical_style_engine, surgical_style_engine.imageio.read, "
        "surgical_style_engine.volumes.geometry, surgical_style_engine.volumes.normalization, "
        "surgical_style_engine.volumes.slices\n"
        "loaded = [name for name in ('torch', 'SimpleITK', 'monai', 'slicer') if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_errors_tell_programs_and_shells_apart():
    assert issubclass(InputError, StyleTransferError)
    assert (StyleTransferError.exit_code, InputError.exit_code) == (1, 2)
    assert (StyleTransferError.code, InputError.code) == ("failed", "bad_input")
