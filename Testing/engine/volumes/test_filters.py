"""The filters of fusion: scales in mm, whatever the voxels."""

import numpy as np
import pytest

from surgical_style_engine.volumes.filters import (
    block_means,
    box_mean,
    distance_inside,
    from_blocks,
    gaussian,
    laplacian,
)


@pytest.mark.parametrize(("sigma", "spacing"), [(1.0, (1.0, 1.0, 1.0)), (3.0, (3.0, 0.9, 0.9)), (5.0, (1.0, 2.0, 1.0))])
def test_a_gaussian_has_its_width_in_mm_along_every_axis(sigma, spacing):
    point = np.zeros((61, 61, 61), np.float32)
    point[30, 30, 30] = 1
    smooth = gaussian(point, sigma, spacing)
    assert smooth.sum() == pytest.approx(1, abs=1e-3)
    for axis in range(3):
        profile = smooth.sum(tuple(a for a in range(3) if a != axis))
        place = (np.arange(profile.size) - profile.size // 2) * spacing[axis]
        assert np.sqrt((profile * place**2).sum()) == pytest.approx(sigma, rel=0.06)


def test_flat_and_thin_volumes_stay_flat():
    flat = np.full((1, 3, 20), 7, np.float32)
    np.testing.assert_allclose(gaussian(flat, 4.0, (1.0,) * 3), 7, rtol=1e-5)
    np.testing.assert_allclose(box_mean(flat, 9.0, (1.0,) * 3), 7, rtol=1e-5)
    np.testing.assert_allclose(laplacian(flat, (1.0,) * 3), 0, atol=1e-5)


def test_a_box_mean_counts_only_what_is_inside():
    array = np.arange(10, dtype=np.float32)[None, None]
    found = box_mean(array, 2.0, (1.0,) * 3)
    assert found[0, 0, 0] == pytest.approx(1) and found[0, 0, 5] == pytest.approx(5)
    # 2 mm are one voxel of 1.9 mm
    assert box_mean(array, 2.0, (1.0, 1.0, 1.9))[0, 0, 0] == pytest.approx(0.5)


def test_the_laplacian_weighs_axes_by_their_spacing():
    z, y, x = np.meshgrid(*(np.arange(9.0),) * 3, indexing="ij")
    quadratic = (z * 3) ** 2 + y**2 + x**2  # second derivative 2 along each axis in mm
    found = laplacian(quadratic.astype(np.float32), (3.0, 1.0, 1.0))
    np.testing.assert_allclose(found[1:-1, 1:-1, 1:-1], 6, rtol=1e-4)


def test_distances_are_in_mm_and_ignore_the_border_of_the_grid():
    region = np.ones((10, 8, 8), bool)
    region[:4] = False
    found = distance_inside(region, (3.0, 1.0, 1.0))
    assert np.all(found[:4] == 0) and np.all(np.diff(found[4:, 4, 4]) == pytest.approx(3))
    assert 0 < found[4, 4, 4] <= 3.0


def test_block_means_and_back_keep_a_ramp():
    z, y, x = np.meshgrid(np.arange(12.0), np.arange(16.0), np.arange(17.0), indexing="ij")
    ramp = (z + 2 * y - x).astype(np.float32)
    small = block_means(ramp, (1, 4, 4))
    assert small.shape == (12, 4, 5) and small[0, 0, 0] == pytest.approx(2 * 1.5 - 1.5)
    back = from_blocks(small, (1, 4, 4), ramp.shape)
    np.testing.assert_allclose(back[:, 2:-2, 2:12], ramp[:, 2:-2, 2:12], atol=1e-4)
