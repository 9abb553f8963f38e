"""Slices that lie on one grid, slices that nearly do, and slices that make no volume."""

import numpy as np
import pytest
from dicom_files import bad, write_series, write_slice

from surgical_style_engine.imageio.read import read_volume

pydicom = pytest.importorskip("pydicom")


def test_missing_slices_are_refused(tmp_path):
    write_series(tmp_path / "s", [0, 2, 4, 8, 10])
    assert "2.00 mm apart, but 4.00 mm once" in bad(tmp_path / "s", "lacks about 1")
    write_series(tmp_path / "t", [0, 2, 4, 6, 12, 14, 16])
    bad(tmp_path / "t", "lacks about 2")


def test_slightly_uneven_slices_are_read_with_a_warning(tmp_path):
    array = write_series(tmp_path / "s", [0, 2.0, 4.1, 6.4, 8.4])
    volume = read_volume(tmp_path / "s")
    assert np.array_equal(volume.array[0], array)
    assert volume.metadata["Warning"] == "The slices are 2.00 to 2.30 mm apart; 2.10 mm is used."
    # The last slice is where its file says.
    assert np.allclose(volume.corners()[:, 2].max(), 7 + 8.4, atol=1e-4)


def test_a_tilted_gantry_is_read_with_a_warning(tmp_path):
    write_series(tmp_path / "s", np.arange(5) * 3.0, shift=(0, 0.6, 0))
    assert "tilted gantry" in read_volume(tmp_path / "s").metadata["Warning"]


def test_rounding_in_positions_is_no_reason_to_warn(tmp_path):
    write_series(tmp_path / "s", np.round(np.arange(9) * 1.3333, 2))
    assert "Warning" not in read_volume(tmp_path / "s").metadata


def test_what_makes_no_single_volume(tmp_path):
    write_series(tmp_path / "times", [0, 2, 4, 0, 2, 4])
    bad(tmp_path / "times", "several images at one place")
    write_series(tmp_path / "scout", [0, 2])
    pixels = np.ones((6, 9), np.uint16)
    write_slice(tmp_path / "scout" / "other.dcm", pixels, axes=(0, 1, 0, 0, 0, -1))
    bad(tmp_path / "scout", "different orientation")
    write_series(tmp_path / "sizes", [0, 2])
    write_slice(tmp_path / "sizes" / "other.dcm", pixels[:5], (-20, 15, 11))
    bad(tmp_path / "sizes", "different size")


def test_slices_of_another_pixel_size_or_frame_of_reference_are_refused(tmp_path):
    for name, tags, sentence in [
        ("spacing", {"PixelSpacing": [1.0, 0.5]}, "different PixelSpacing"),
        ("space", {"FrameOfReferenceUID": "1.2.10"}, "different frames of reference"),
        ("turned", {"ImageOrientationPatient": ["1", "0", "0", "0", "0.998", "0.06"]}, "different orientation"),
        ("flipped", {"ImageOrientationPatient": ["-1", "0", "0", "0", "1", "0"]}, "different orientation"),
    ]:
        write_series(tmp_path / name, [0, 2, 4])
        write_slice(tmp_path / name / "other.dcm", np.ones((6, 9), np.uint16), (-20, 15, 13), **tags)
        bad(tmp_path / name, sentence)


@pytest.mark.parametrize(
    ("turn", "stretch", "sentence"),
    [
        (1e-4, 0, ""),
        (0, 1e-4, ""),
        (1e-3, 0, "in orientation, which moves their corners by up to 0.30"),
        (0, 5e-4, "in PixelSpacing, which moves their corners by up to 0.25"),
        (2e-3, 0, "different orientation"),
        (0, 2e-3, "different PixelSpacing"),
        (1e-3, 1e-3, "different"),
    ],
)
def test_differing_axes_are_judged_by_how_far_they_move_a_corner(tmp_path, turn, stretch, sentence):
    pixels = np.ones((300, 400), np.uint16)
    for number in range(4):
        tags = {"PixelSpacing": [0.5, 0.5]}
        if number % 2:
            tags["PixelSpacing"] = [f"{0.5 * (1 + stretch):.8f}"] * 2
            tags["ImageOrientationPatient"] = ["1", "0", "0", "0", "1", f"{turn:.8f}"]
        write_slice(tmp_path / f"{number}.dcm", pixels, (0, 0, 2.0 * number), **tags)
    if sentence.startswith("different"):
        bad(tmp_path, sentence)
        return
    warning = read_volume(tmp_path).metadata.get("Warning", "")
    assert sentence in warning and bool(sentence) == bool(warning)


def test_a_frame_of_reference_for_every_slice_gives_a_warning(tmp_path):
    pixels = np.ones((6, 9), np.uint16)
    for number in range(6):
        tags = {"FrameOfReferenceUID": f"1.2.9.{number}"}
        write_slice(tmp_path / f"{number}.dcm", pixels, (0, 0, 2.0 * number), **tags)
    assert "frame of reference of its own" in read_volume(tmp_path).metadata["Warning"]
    for number in range(6):
        tags = {"FrameOfReferenceUID": f"1.2.9.{number // 3}"}
        write_slice(tmp_path / f"{number}.dcm", pixels, (0, 0, 2.0 * number), **tags)
    bad(tmp_path, "different frames of reference")
