"""What a node's matrix makes of the spacing that a file has stated."""

import numpy as np


def test_a_stated_spacing_survives_the_matrices(slicer_app):
    from SurgicalStyleTransferLib.mrml.geometry import stated

    decimals, single = (0.9375, 1.1, 3.0), tuple(float(np.float32(value)) for value in (0.9101558, 2.9999986))
    for value in (*decimals, *single):
        for nearly in (value, np.nextafter(value, 0), np.nextafter(value, 9), value * (1 + 4e-15)):
            assert stated(float(nearly)) == value
    assert stated(0.123456789012345) == 0.123456789012345 and stated(0.0) == 0.0
