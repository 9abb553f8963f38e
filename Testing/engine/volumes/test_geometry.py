"""Re-orientation is exact for every orientation; resampling keeps the field of view."""

import itertools
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.geometry import (
    PLANES,
    model_size,
    plane_first,
    plane_first_undo,
    plane_spacing,
    resample_like,
    resize_in_plane,
    to_canonical,
)
from surgical_style_engine.volumes.volume import Volume

# The 48 ways to lay a box's axes along the patient's.
ORIENTATIONS = [
    np.eye(3)[:, list(order)] * signs
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]
angles = st.floats(-3.2, 3.2)  # radians: any rotation, doubly oblique ones too
millimetres = st.floats(0.2, 6.0)


def rotation(x: float, y: float, z: float) -> np.ndarray:
    return np.asarray(sitk.Euler3DTransform((0, 0, 0), x, y, z).GetMatrix()).reshape(3, 3)


@st.composite
def volumes(draw, channels=st.sampled_from([1, 3])):
    size = draw(st.tuples(*[st.integers(1, 7)] * 3))
    c = draw(channels)
    array = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(c, *size)).astype(np.float32)
    direction = rotation(*draw(st.tuples(angles, angles, angles))) @ draw(st.sampled_from(ORIENTATIONS))
    origin = draw(st.tuples(*[st.floats(-300, 300)] * 3))
    return Volume(array, draw(st.tuples(millimetres, millimetres, millimetres)), origin, direction)


def place(volume: Volume, index_zyx: tuple[int, ...]) -> np.ndarray:
    """Position of a voxel, mm LPS, by ITK."""
    return np.asarray(volume.to_sitk().TransformIndexToPhysicalPoint([int(i) for i in index_zyx[::-1]]))


@settings(max_examples=80, deadline=None)
@given(volumes(), st.sampled_from(PLANES))
def test_there_and_back_is_bit_identical(volume, plane):
    canonical, reorientation = to_canonical(volume)
    sliced = plane_first(canonical.array, plane)
    back = volume.with_array(reorientation.undo(plane_first_undo(sliced, plane)))
    assert back.array.tobytes() == volume.array.tobytes()
    assert back.array.shape == volume.array.shape and back.array.flags.c_contiguous
    assert (back.spacing, back.origin) == (volume.spacing, volume.origin)
    assert np.array_equal(back.direction, volume.direction)


@settings(max_examples=60, deadline=None)
@given(volumes(channels=st.just(1)), st.data())
def test_every_voxel_stays_where_it_is_in_the_patient(volume, data):
    # Each voxel gets a number of its own, so that the same number can be found again.
    volume = volume.with_array(np.arange(volume.array.size).reshape(volume.array.shape))
    canonical, _ = to_canonical(volume)
    number = data.draw(st.integers(0, volume.array.size - 1))
    before = np.argwhere(volume.array[0] == number)[0]
    after = np.argwhere(canonical.array[0] == number)[0]
    assert np.allclose(place(volume, before), place(canonical, after), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(volumes())
def test_canonical_axes_run_left_posterior_superior(volume):
    canonical, reorientation = to_canonical(volume)
    # Closest to the identity of all 48 directions that permuting and flipping axes can give.
    distances = [np.linalg.norm(volume.direction @ orientation - np.eye(3)) for orientation in ORIENTATIONS]
    assert np.linalg.norm(canonical.direction - np.eye(3)) == pytest.approx(min(distances), abs=1e-9)
    assert (np.diag(canonical.direction) >= 0).all()
    again, nothing = to_canonical(canonical)
    assert np.array_equal(again.array, canonical.array) and nothing.axes == (0, 1, 2) and not any(nothing.flips)
    assert np.array_equal(reorientation.apply(volume.array), canonical.array)


def test_doubly_oblique_volumes_get_the_closest_axes_too():
    """For about one rotation in 25, giving away the largest cosine first is not the closest choice."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        direction = rotation(*rng.uniform(-np.pi, np.pi, 3))
        canonical, _ = to_canonical(Volume(np.zeros((1, 2, 3, 4)), direction=direction))
        best = max(np.trace(direction @ orientation) for orientation in ORIENTATIONS)
        assert np.trace(canonical.direction) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=lambda o: "".join(f"{v:+.0f}" for v in o.ravel() if v))
def test_axis_aligned_volumes_become_the_identity(orientation):
    array = np.arange(2 * 3 * 4).reshape(1, 2, 3, 4)
    canonical, _ = to_canonical(Volume(array, (0.5, 1.0, 2.0), (1.0, 2.0, 3.0), orientation))
    assert np.array_equal(canonical.direction, np.eye(3))
    # Spacing follows its axis: the image axis that runs along each patient axis.
    assert canonical.spacing == tuple(np.abs(orientation) @ (0.5, 1.0, 2.0))
    assert canonical.size == tuple((np.abs(orientation) @ (4, 3, 2)).astype(int))


def test_canonical_agrees_with_simpleitks_own_filter():
    array = np.random.default_rng(1).integers(0, 99, (1, 4, 5, 6)).astype(np.int16)
    volume = Volume(array, (0.5, 1.1, 2.0), (10.0, -20.0, 30.0), rotation(0.2, 0.1, -0.3) @ ORIENTATIONS[13])
    expected = Volume.from_sitk(sitk.DICOMOrient(volume.to_sitk(), "LPS"))
    canonical, _ = to_canonical(volume)
    assert np.array_equal(canonical.array, expected.array)
    assert canonical.same_grid(expected, tolerance=1e-6)


@pytest.mark.parametrize(("plane", "shape"), [("axial", (2, 3, 4)), ("coronal", (3, 2, 4)), ("sagittal", (4, 2, 3))])
def test_planes(plane, shape):
    array = np.arange(24).reshape(1, 2, 3, 4)
    assert plane_first(array, plane).shape[1:] == shape
    assert plane_spacing((4.0, 3.0, 2.0), plane) == tuple(float(n) for n in shape)
    axis = {"axial": 1, "coronal": 2, "sagittal": 3}[plane]
    assert np.array_equal(plane_first(array, plane)[:, 1], np.take(array, 1, axis))


def test_unknown_words_are_refused():
    with pytest.raises(InputError, match="no plane 'oblique'"):
        plane_first(np.zeros((1, 2, 3, 4)), "oblique")
    volume = Volume(np.zeros((1, 2, 3, 4), np.float32))
    with pytest.raises(InputError, match="no interpolation 'cubic'"):
        resample_like(volume, volume, "cubic")
    with pytest.raises(InputError, match="above 0 mm"):
        model_size((10, 10), (1.0, 1.0), 0)
    with pytest.raises(InputError, match="cannot be resized"):
        resize_in_plane(volume.array, (0, 4))


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
