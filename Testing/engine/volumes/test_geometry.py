"""Re-orientation is exact for every orientation; resampling keeps the field of view."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.geometry import (
    PLANES,
    coarsest_axis,
    plane_first,
    plane_first_undo,
    plane_spacing,
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


def test_an_unknown_plane_is_refused():
    with pytest.raises(InputError, match="no plane 'oblique'"):
        plane_first(np.zeros((1, 2, 3, 4)), "oblique")


@pytest.mark.parametrize(("spacing", "axis"), [((1, 1, 3), 0), ((1, 3, 1), 1), ((3, 1, 1), 2), ((1, 1, 1.0), 0)])
def test_the_coarsest_axis_has_the_thickest_slices(spacing, axis):
    volume = Volume(np.zeros((1, 2, 3, 4), np.float32), spacing)
    assert coarsest_axis(volume) == axis
    assert coarsest_axis(Volume(volume.array[:, :1], spacing, is_2d=True)) == 0
