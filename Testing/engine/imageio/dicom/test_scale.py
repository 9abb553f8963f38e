"""Values as 16-bit whole numbers: within half a step."""

import numpy as np
import pytest
from dicom_files import CT, made_card, translated, write_source, written
from hypothesis import given
from hypothesis import strategies as st

from surgical_style_engine.imageio.dicom.scale import choose_scale, decimal_string
from surgical_style_engine.imageio.read import read_volume

pydicom = pytest.importorskip("pydicom")


def test_hu_are_stored_as_hu(tmp_path):
    volume = write_source(tmp_path / "s")
    made = translated(volume, -1024, 3071)
    files = written(tmp_path, volume, made, made_card("CT", "HU"))
    for data in files:
        assert (data.RescaleSlope, data.RescaleIntercept, data.RescaleType) == (1, 0, "HU")
        assert data.Modality == "CT" and data.SOPClassUID == CT and data.ImageType[2] == "AXIAL"
        assert "KVP" in data and "EchoTime" not in data and "ScanningSequence" not in data
    back = read_volume(tmp_path / "out")
    assert np.array_equal(back.array, np.rint(made.array)) and back.same_grid(made, 0)


@pytest.mark.parametrize("low, high", [(0, 1), (-3, 5), (-0.002, 0.001), (50_000, 200_000), (-40_000, 40_000)])
def test_values_of_any_range_read_back_within_half_a_step(tmp_path, low, high):
    volume = write_source(tmp_path / "s")
    made = translated(volume, low, high)
    data = written(tmp_path, volume, made)[0]
    slope = float(data.RescaleSlope)
    assert (high - low) / 65536 <= slope <= (high - low) / 25_000  # at most two digits of 1, 2, 5 too coarse
    error = np.abs(read_volume(tmp_path / "out").array.astype(np.float64) - made.array).max()
    assert slope / 10 < error <= slope / 2 * (1 + 1e-5) + np.finfo(np.float32).eps * max(abs(low), abs(high))


@given(st.floats(-1e6, 1e6, width=32), st.floats(2**-10, 1e6, width=32), st.booleans())
def test_every_scale_fits_16_bits_and_rounds_within_half_a_step(low, span, is_hu):
    high = low + span
    scale = choose_scale(low, high, is_hu)
    assert float(decimal_string(scale.slope)) == scale.slope  # the header holds the very numbers
    assert float(decimal_string(scale.intercept)) == scale.intercept
    values = np.linspace(low, high, 1001)
    stored = scale.stored(values)
    assert stored.dtype == ("<i2" if scale.signed else "<u2")
    error = np.abs(stored.astype(float) * scale.slope + scale.intercept - values).max()
    assert error <= scale.slope / 2 * (1 + 1e-9) + 1e-9
    if is_hu and low >= -32768 and high <= 32767:
        assert scale.slope == 1 and scale.intercept == 0
