"""Resampling in plane and between grids: the field of view stays, nothing moves, nothing aliases."""

import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.resampling import labels_like, model_size, resample_like, resize_in_plane
from surgical_style_engine.volumes.volume import Volume

millimetres = st.floats(0.2, 6.0)


def rotation(x: float, y: float, z: float) -> np.ndarray:
    return np.asarray(sitk.Euler3DTransform((0, 0, 0), x, y, z).GetMatrix()).reshape(3, 3)


def place(volume: Volume, index_zyx: tuple[int, ...]) -> np.ndarray:
    """Position of a voxel, mm LPS, by ITK."""
    return np.asarray(volume.to_sitk().TransformIndexToPhysicalPoint([int(i) for i in index_zyx[::-1]]))


def test_what_cannot_be_is_refused():
    volume = Volume(np.zeros((1, 2, 3, 4), np.float32))
    with pytest.raises(InputError, match="no interpolation 'cubic'"):
        resample_like(volume, volume, "cubic")
    with pytest.raises(InputError, match="above 0 mm"):
        model_size((10, 10), (1.0, 1.0), 0)
    with pytest.raises(InputError, match="cannot be resized"):
        resize_in_plane(volume.array, (0, 4))


def test_labels_of_a_picture_belong_to_it_pixel_by_pixel():
    """A painted mask has no spacing, its radiograph has one; volumes of another place are resampled."""
    labels = Volume(np.ones((1, 1, 3, 4), np.uint8), is_2d=True)
    radiograph = Volume(np.zeros((1, 1, 3, 4), np.float32), (0.2, 0.2, 1.0), is_2d=True)
    assert labels_like(labels, radiograph) is labels
    solid = Volume(np.ones((1, 4, 4, 4), np.uint8))
    elsewhere = Volume(np.zeros((1, 4, 4, 4), np.float32), origin=(2.0, 0.0, 0.0))
    assert labels_like(solid, elsewhere).array[0, 0, 0].tolist() == [1, 1, 0, 0]


@settings(max_examples=50, deadline=None)
@given(st.tuples(st.integers(1, 600), st.integers(1, 600)), st.tuples(millimetres, millimetres), millimetres)
def test_the_model_size_covers_the_field_of_view(size, spacing, wanted):
    result = model_size(size, spacing, wanted)
    assert min(result) >= 1
    for count, mm, new in zip(size, spacing, result, strict=True):
        assert abs(new * wanted - count * mm) <= max(wanted / 2 + 1e-6, wanted - count * mm)


def smooth(h: int, w: int, waves: float = 1.5) -> np.ndarray:
    """(1, 2, h, w): waves over the field of view, sampled at pixel centres."""
    y = ((np.arange(h) + 0.5) / h)[:, None]
    x = ((np.arange(w) + 0.5) / w)[None]
    picture = np.sin(2 * np.pi * waves * y) * np.cos(2 * np.pi * waves * x)
    return np.stack([picture, -picture])[None].astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(40, 90)] * 2), st.tuples(*[st.integers(40, 90)] * 2))
def test_resizing_keeps_the_field_of_view(size, other):
    """The same function sampled on the other grid, away from the border, where there is nothing to interpolate with."""
    resized = resize_in_plane(smooth(*size), other)
    assert resized.shape == (1, 2, *other) and resized.dtype == np.float32
    inner = (..., slice(3, -3), slice(3, -3))
    assert np.abs(resized - smooth(*other))[inner].max() < 0.03
    back = resize_in_plane(resized, size)
    assert np.abs(back - smooth(*size))[inner].max() < 0.06


def test_resizing_does_not_move_the_centre_of_mass():
    y, x = np.mgrid[:48, :64]
    blob = np.exp(-((y - 20.3) ** 2 + (x - 30.8) ** 2) / 30)[None, None].astype(np.float32)
    for size in ((33, 57), (96, 128), (24, 32), (71, 40)):
        out = resize_in_plane(blob, size)[0, 0].astype(float)
        row, column = np.mgrid[: size[0], : size[1]]
        # In units of the field of view, measured from its corner.
        assert (row * out).sum() / out.sum() / size[0] + 0.5 / size[0] == pytest.approx((20.3 + 0.5) / 48, abs=2e-3)
        assert (column * out).sum() / out.sum() / size[1] + 0.5 / size[1] == pytest.approx((30.8 + 0.5) / 64, abs=2e-3)


def test_shrinking_does_not_alias():
    stripes = np.tile(np.array([-1.0, 1.0], np.float32), 64)[None, None, None].repeat(16, axis=2)
    assert np.abs(resize_in_plane(stripes, (16, 42))[..., 3:-3]).max() < 0.2


def test_the_same_size_is_the_very_same_and_slices_do_not_mix():
    array = np.random.default_rng(0).normal(size=(3, 4, 8, 9)).astype(np.float32)
    assert np.array_equal(resize_in_plane(array, (8, 9)), array)
    together = resize_in_plane(array, (5, 12))
    assert np.array_equal(together[1:2, 2:3], resize_in_plane(array[1:2, 2:3], (5, 12)))


def test_read_only_arrays_resize_without_warnings():
    array = np.zeros((1, 2, 8, 8), np.float32)
    array.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resize_in_plane(array, (4, 4))


class TestResampleLike:
    def ramp(self) -> Volume:
        """Every voxel holds its own x + 10 y + 100 z in mm: linear interpolation gives it back exactly."""
        volume = Volume(np.zeros((1, 6, 8, 10), np.float32), (1.5, 1.0, 2.0), (-4.0, 3.0, 7.0), rotation(0.1, 0.2, 0.3))
        points = np.array([place(volume, index) for index in np.ndindex(6, 8, 10)])
        return volume.with_array((points @ (1.0, 10.0, 100.0)).reshape(1, 6, 8, 10).astype(np.float32))

    def test_values_come_from_the_same_place(self):
        moving = self.ramp()
        inner = place(moving, (2, 3, 4))
        reference = Volume(np.zeros((1, 2, 2, 2)), (0.7,) * 3, tuple(inner), np.eye(3), metadata={"Modality": "CT"})
        moved = resample_like(moving, reference)
        assert moved.same_grid(reference) and moved.array.dtype == np.float32 and moved.metadata == {}
        for index in np.ndindex(2, 2, 2):
            expected = place(reference, index) @ (1.0, 10.0, 100.0)
            assert moved.array[(0, *index)] == pytest.approx(expected, abs=1e-2)

    def test_the_same_grid_changes_nothing(self):
        volume = self.ramp()
        assert np.allclose(resample_like(volume, volume).array, volume.array, atol=1e-3)

    def test_a_transform_maps_reference_points_to_moving_points(self):
        volume = self.ramp()
        shift = sitk.TranslationTransform(3, tuple(volume.direction @ (1.5, 0, 0)))  # one voxel along x
        moved = resample_like(volume, volume, transform=shift, default=-1)
        assert np.allclose(moved.array[..., :-1], volume.array[..., 1:], atol=1e-2)
        assert (moved.array[..., -1] == -1).all()

    def test_outside_is_the_minimum_unless_told(self):
        volume = Volume(np.full((1, 3, 3, 3), 5, np.int16) + np.arange(3, dtype=np.int16))
        away = Volume(np.zeros((1, 2, 2, 2)), origin=(100.0, 0.0, 0.0))
        assert (resample_like(volume, away).array == 5).all()
        assert (resample_like(volume, away, default=-7).array == -7).all()

    def test_labels_keep_type_and_values(self):
        labels = np.random.default_rng(0).choice([0, 3, 200], (1, 6, 6, 6)).astype(np.uint8)
        reference = Volume(np.zeros((1, 9, 9, 9)), (0.5,) * 3, (0.6, 0.6, 0.6), rotation(0.1, 0, 0.2))
        moved = resample_like(Volume(labels), reference, "nearest", default=0)
        assert moved.array.dtype == np.uint8 and set(np.unique(moved.array)) <= {0, 3, 200}
        assert len(np.unique(moved.array)) == 3
        flags = resample_like(Volume(labels > 0), Volume(labels), "nearest", default=0)
        assert np.array_equal(flags.array > 0, labels > 0)

    def test_colour(self):
        colour = np.random.default_rng(0).integers(0, 255, (3, 2, 5, 6)).astype(np.uint8)
        assert np.array_equal(resample_like(Volume(colour), Volume(colour[:1])).array, colour.astype(np.float32))
