"""A set of volumes is judged by features of their slices."""

import numpy as np

from surgical_style_engine.app.judge_set import set_features


def test_features_of_a_set_do_not_depend_on_the_axes_order(volume):
    from surgical_style_engine.volumes.geometry import to_canonical

    canonical, _ = to_canonical(volume)
    mask = volume.array[0] > 0
    turned = canonical.array[0] > 0
    stored = set_features(volume, volume.array, mask)
    np.testing.assert_allclose(set_features(canonical, canonical.array, turned), stored)
    assert len(stored) > 10
