"""What the recogniser looks at: deep inside, whatever the grid."""

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.recognise.patches import (
    FINE_MM,
    FINE_SIDE,
    OUTSIDE,
    SIDE,
    deep_patches,
    standardised,
    working_grid,
)
from surgical_style_engine.volumes.volume import Volume


def ball(size=90, spacing=(2.0, 2.0, 2.0), radius=75.0):
    """A ball of 1000 with a core of 2000 and noise, in air."""
    shape = [round(size * 2 / step) for step in spacing[::-1]]
    axes = [(np.arange(count) - (count - 1) / 2) * step for count, step in zip(shape, spacing[::-1], strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    distance = np.sqrt(x**2 + y**2 + z**2)
    array = np.where(distance < radius, 1000.0, 0.0) + np.where(distance < radius / 2, 1000.0, 0.0)
    array += np.random.default_rng(0).normal(0, 20, array.shape)
    return Volume(array[None].astype(np.float32), spacing)


def test_the_middle_is_looked_at_and_the_shell_is_not():
    images, insides = deep_patches(working_grid(ball()))
    assert images.shape == insides.shape == (15, SIDE, SIDE)
    # A quarter of the radius is left out: 56 of 75 mm remain, 28 pixels about the middle of a patch.
    middle = insides[2]
    assert middle[32, 32] and middle[32, 32 - 26] and not middle[32, 32 - 30]
    assert images[insides].min() > 800  # no air


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.9, 0.9, 3.0), (2.0, 2.0, 6.0)])
def test_the_grid_does_not_matter(spacing):
    grid = working_grid(ball(spacing=spacing))
    assert grid.planes == ((0, 1, 2) if spacing[2] < 2.5 else (0,))
    images, insides = deep_patches(grid)
    assert len(images) >= 9
    core = np.mean(images[insides] > 1500)
    assert 0.15 < core < 0.6


def test_thick_slices_along_any_axis():
    volume = ball(spacing=(0.9, 0.9, 4.0))
    turned = Volume(np.ascontiguousarray(volume.array.transpose(0, 3, 1, 2)), (0.9, 4.0, 0.9))
    assert working_grid(turned).planes == (1,)


def test_a_single_slice_is_looked_at_in_its_plane():
    volume = ball()
    one = Volume(np.ascontiguousarray(volume.array[:, 45:46]), volume.spacing)
    grid = working_grid(one)
    images, insides = deep_patches(grid)
    assert grid.planes == (0,) and len(images) == 5, "about the middle and beside it"
    assert insides[0][32, 32] and not np.array_equal(images[0], images[1])


def test_a_single_slice_is_looked_at_finely():
    volume = ball()
    array = volume.array[:, 45:46].repeat(4, axis=2).repeat(4, axis=3)
    array[array < 500] = 0
    one = Volume(array, (0.5, 0.5, 3.0))
    grid = working_grid(one, FINE_MM)
    assert grid.volume.spacing[:2] == (1, 1) and grid.volume.array.shape == (1, 1, 180, 180)
    images, insides = deep_patches(grid, FINE_SIDE)
    assert images.shape == insides.shape and images.shape[1:] == (FINE_SIDE, FINE_SIDE)
    assert insides[0][FINE_SIDE // 2, FINE_SIDE // 2] and not insides[0][0, 0], "in the middle of what is deep"
    assert images[insides].min() > 800  # no air


def test_a_side_that_cuts_through_the_body_is_no_surface():
    volume = ball()
    half = Volume(np.ascontiguousarray(volume.array[..., 45:]), volume.spacing)
    whole, cut = working_grid(volume).depth, working_grid(half).depth
    assert cut[45, 45, 0] == pytest.approx(whole[45, 45, 45], abs=4), "the middle is as deep as before"
    stack = Volume(np.ascontiguousarray(volume.array[:, 45::2]), (2.0, 2.0, 4.0))
    assert working_grid(stack).depth[0].max() < 10, "thick slices end there: below a head there is a neck"
    inner = Volume(np.ascontiguousarray(volume.array[:, 30:60, 30:60, 30:60]), volume.spacing)
    depth = working_grid(inner).depth
    assert np.isfinite(depth).all() and depth.argmax() == pytest.approx(depth.size / 2, rel=0.1), "nothing but body"


def test_tones_do_not_matter_beyond_their_order():
    images, insides = deep_patches(working_grid(ball()))
    plain, scaled, bent = (standardised(part, insides) for part in (images, 5 * images - 300, np.sqrt(np.abs(images))))
    assert plain.shape == (15, 2, SIDE, SIDE)
    assert np.allclose(plain, scaled, atol=1e-3) and np.allclose(plain[:, 1], bent[:, 1], atol=1e-3)
    assert (plain[:, 0][~insides] == OUTSIDE).all() and np.abs(plain[:, 1]).max() <= 1


def test_what_cannot_be_looked_at():
    with pytest.raises(InputError, match="constant"):
        working_grid(Volume(np.zeros((1, 20, 20, 20))))
    flat = np.full((3, SIDE, SIDE), 7.0)
    assert standardised(flat, np.ones(flat.shape, bool)).shape == (0, 2, SIDE, SIDE)
    assert standardised(flat, np.zeros(flat.shape, bool)).shape == (0, 2, SIDE, SIDE)
