"""Displacements of edges are found to parts of a voxel, whatever the contrast."""

import numpy as np
import pytest
from lesion_phantom import moved, phantom, smooth

from surgical_style_engine.metrics.court.edges import REACH_MM, edge_offset

PHANTOM = phantom()
IMAGE = smooth(PHANTOM.source, 0.7)
ONE = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("mm", [0.0, 0.5, 1.0, 2.5])
def test_a_shift_with_inverted_contrast(mm):
    offset = edge_offset(IMAGE, -0.6 * moved(IMAGE, mm), PHANTOM.region, ONE)
    assert offset.median_mm == pytest.approx(mm, abs=0.2)
    assert offset.matched == offset.blocks >= 4 and offset.p95_mm >= offset.median_mm


def test_the_spacing_counts():
    offset = edge_offset(IMAGE, moved(IMAGE, 1.0), PHANTOM.region, (2.0, 2.0, 2.0))
    assert offset.median_mm == pytest.approx(2, abs=0.3)


def test_across_thick_slices_nothing_is_looked_for():
    thick = edge_offset(IMAGE, np.roll(IMAGE, 1, 0), PHANTOM.region, (4.0, 1.0, 1.0))
    assert thick.median_mm is None or thick.median_mm <= REACH_MM
    in_plane = edge_offset(IMAGE, np.roll(IMAGE, 2, 2), PHANTOM.region, (4.0, 1.0, 1.0))
    assert in_plane.median_mm == pytest.approx(2, abs=0.2)


def test_a_flat_image_has_no_edges():
    offset = edge_offset(IMAGE, np.zeros_like(IMAGE), PHANTOM.region, ONE)
    assert offset.median_mm is None and offset.matched == 0 and offset.blocks > 0
