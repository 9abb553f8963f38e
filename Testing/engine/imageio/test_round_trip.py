"""What is written is read again: exact geometry, types and values."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import EXACT, NIFTI, bad, make, names, oblique, picture, same_geometry, turns

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume


class TestGeometry:
    @settings(max_examples=25, deadline=None)
    @given(
        st.sampled_from(EXACT),
        st.tuples(*[turns] * 3),
        st.tuples(*[st.floats(0.05, 9)] * 3),
        st.tuples(*[st.floats(-500, 500, allow_subnormal=False)] * 3),
        st.tuples(*[st.integers(1, 6)] * 3),
        st.booleans(),
    )
    def test_is_bit_exact(self, tmp_path_factory, ending, turn, spacing, origin, shape, mirrored):
        """NRRD stores the product of spacing and direction: taken apart again, the last binary digit may differ."""
        direction = oblique(*turn) * (-1.0 if mirrored else 1.0)
        volume = make(np.float32, shape=shape, spacing=spacing, origin=origin, direction=direction)
        path = tmp_path_factory.mktemp("exact") / f"volume{ending}"
        write_volume(volume, path)
        back = read_volume(path)
        write_volume(back, path)
        for read in (back, read_volume(path)):
            assert read.array.tobytes() == volume.array.tobytes()
            same_geometry(read, volume, ending)

    @settings(max_examples=25, deadline=None)
    @given(
        st.sampled_from(NIFTI),
        st.tuples(*[turns] * 3),
        st.tuples(*[st.floats(0.05, 9)] * 3),
        st.tuples(*[st.floats(-500, 500, allow_subnormal=False)] * 3),
        st.booleans(),
    )
    def test_is_single_precision_in_nifti(self, tmp_path_factory, ending, turn, spacing, origin, mirrored):
        direction = oblique(*turn) * (-1.0 if mirrored else 1.0)
        volume = make(np.float32, spacing=spacing, origin=origin, direction=direction)
        path = tmp_path_factory.mktemp("nifti") / f"volume{ending}"
        write_volume(volume, path)
        back = read_volume(path)
        assert back.array.tobytes() == volume.array.tobytes()
        assert np.allclose(back.spacing, volume.spacing, rtol=1e-6)
        assert np.allclose(back.origin, volume.origin, rtol=1e-6, atol=1e-5)
        assert np.allclose(back.direction, volume.direction, atol=2e-6)
        assert back.same_grid(volume)

    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    @pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
    def test_every_type_is_kept(self, tmp_path, ending, dtype):
        write_volume(make(dtype), tmp_path / f"v{ending}")
        back = read_volume(tmp_path / f"v{ending}").array
        assert back.dtype == np.dtype(dtype) and np.array_equal(back, make(dtype).array)

    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_colour_volumes(self, tmp_path, ending, dtype):
        write_volume(make(dtype, 3), tmp_path / f"v{ending}")
        assert np.array_equal(read_volume(tmp_path / f"v{ending}").array, make(dtype, 3).array)

    @pytest.mark.parametrize("ending", [*EXACT, *NIFTI, ".png"])
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_values_that_are_not_finite_are_not_written(self, tmp_path, ending, value):
        volume = make(np.float32)
        volume.array[0, 0, 0, 0] = value
        with pytest.raises(InputError, match="would hold NaN or infinite"):
            write_volume(volume, tmp_path / f"v{ending}")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    def test_plane_pictures_stay_plane_in_medical_formats(self, tmp_path, ending):
        volume = Volume(picture().array, (0.3, 0.4, 1.0), (5.0, 6.0, 0.0), is_2d=True)
        write_volume(volume, tmp_path / f"v{ending}")
        back = read_volume(tmp_path / f"v{ending}")
        assert back.is_2d and back.same_grid(volume) and np.array_equal(back.array, volume.array)

    def test_a_plane_picture_with_a_place_in_space_keeps_it(self, tmp_path):
        volume = make(shape=(1, 5, 6), is_2d=True)
        write_volume(volume, tmp_path / "v.nrrd")
        assert read_volume(tmp_path / "v.nrrd").same_grid(volume)

    def test_slabs_of_one_slice_are_volumes(self, tmp_path):
        write_volume(make(shape=(1, 5, 6)), tmp_path / "v.nii.gz")
        assert not read_volume(tmp_path / "v.nii.gz").is_2d

    @pytest.mark.parametrize("ending", [".nii", ".nrrd"])
    def test_trailing_axes_of_length_one_are_dropped(self, tmp_path, ending):
        image = sitk.JoinSeries(make().to_sitk())
        assert image.GetDimension() == 4
        sitk.WriteImage(image, str(tmp_path / f"v{ending}"))
        assert read_volume(tmp_path / f"v{ending}").same_grid(make())

    @pytest.mark.parametrize("ending", EXACT)
    def test_axis_aligned_geometry_is_bit_exact_in_nrrd_too(self, tmp_path, ending):
        rng = np.random.default_rng(0)
        for _ in range(20):
            spacing, origin = tuple(rng.uniform(0.05, 9, 3)), tuple(rng.uniform(-500, 500, 3))
            direction = np.eye(3)[rng.permutation(3)] * rng.choice([-1.0, 1.0], 3)
            write_volume(make(spacing=spacing, origin=origin, direction=direction), tmp_path / f"v{ending}")
            back = read_volume(tmp_path / f"v{ending}")
            assert (back.spacing, back.origin) == (spacing, origin) and np.array_equal(back.direction, direction)

    def test_detached_headers(self, tmp_path):
        sitk.WriteImage(make().to_sitk(), str(tmp_path / "v.nhdr"))
        assert np.array_equal(read_volume(tmp_path / "v.nhdr").array, make().array)

    def test_big_endian_and_nifti_2(self, tmp_path):
        nibabel = pytest.importorskip("nibabel")
        array = make().array[0].T
        affine = np.diag([-2.0, -2.0, 3.0, 1.0])
        nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / "one.nii.gz")
        assert np.array_equal(read_volume(tmp_path / "one.nii.gz").array[0], array.T)
        # ITK 5.4 knows version 1 only; at least the reason is said.
        nibabel.save(nibabel.Nifti2Image(array, affine), tmp_path / "two.nii.gz")
        bad(tmp_path / "two.nii.gz", "a NIfTI-2 file")
        swapped = nibabel.Nifti1Image(array.astype(">i2"), np.eye(4), nibabel.Nifti1Header(endianness=">"))
        nibabel.save(swapped, tmp_path / "big.nii")
        assert np.array_equal(read_volume(tmp_path / "big.nii").array[0], array.T)
