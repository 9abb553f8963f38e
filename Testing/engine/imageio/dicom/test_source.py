"""The headers that a series is derived from: what they must have."""

import shutil
from dataclasses import replace

import pytest
from dicom_files import SPACING, refused, write_source

from surgical_style_engine.imageio.dicom.source import open_series

pydicom = pytest.importorskip("pydicom")


@pytest.mark.parametrize("there", [True, False], ids=["empty", "missing"])
@pytest.mark.parametrize(
    "keyword",
    ["FrameOfReferenceUID", "StudyInstanceUID", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"],
)
def test_what_a_series_needs_is_named_where_it_is_missing(tmp_path, keyword, there):
    volume = write_source(tmp_path / "s")
    data = pydicom.dcmread(tmp_path / "s" / "img48.dcm")
    if there:
        data[keyword].value = None
    else:
        del data[keyword]
    data.save_as(tmp_path / "s" / "img48.dcm")
    refused(lambda: open_series(tmp_path / "s", volume), keyword, "img48.dcm")


@pytest.mark.parametrize("text", [b"0.30000000000001\\wide ", b"0.30000000000001\\nan  ", b"0.30000000000001 0.25"])
def test_numbers_that_are_none_are_named(tmp_path, text):
    volume = write_source(tmp_path / "s")
    path = tmp_path / "s" / "img48.dcm"
    path.write_bytes(path.read_bytes().replace(SPACING.encode(), text.ljust(len(SPACING))[: len(SPACING)]))
    refused(lambda: open_series(tmp_path / "s", volume), "PixelSpacing", "img48.dcm")


def test_series_that_are_none_are_refused(tmp_path):
    volume = write_source(tmp_path / "s")
    refused(lambda: open_series(tmp_path / "s" / "img48.dcm", volume), "folder")
    (tmp_path / "empty").mkdir()
    refused(lambda: open_series(tmp_path / "empty", volume), "no DICOM images")
    frames = tmp_path / "frames"
    shutil.copytree(tmp_path / "s", frames)
    for path in frames.iterdir():
        data = pydicom.dcmread(path)
        data.NumberOfFrames = 2
        data.save_as(path)
    refused(lambda: open_series(frames, volume), "multi-frame")
    refused(lambda: open_series(tmp_path / "s", replace(volume, is_2d=True)), "picture")
    # Another patient's headers for these pixels, or one file short.
    moved = replace(volume, origin=(volume.origin[0] + 1, *volume.origin[1:]))
    refused(lambda: open_series(tmp_path / "s", moved), "one file for each")
    (tmp_path / "s" / "img48.dcm").unlink()
    refused(lambda: open_series(tmp_path / "s", volume), "one file for each")
    write_source(tmp_path / "two")
    path = tmp_path / "two" / "img48.dcm"
    data = pydicom.dcmread(path)
    data.FrameOfReferenceUID = "1.2.10"
    data.save_as(path)
    refused(lambda: open_series(tmp_path / "two", volume), "different FrameOfReferenceUID")


def test_a_number_of_frames_that_is_none_is_said(tmp_path):
    volume = write_source(tmp_path / "s")
    path = tmp_path / "s" / "img48.dcm"
    data = pydicom.dcmread(path)
    data.NumberOfFrames = 1
    data.save_as(path)
    stored = path.read_bytes()
    place = stored.index(b"\x28\0\x08\0") + 8  # of the value: two bytes of text
    assert stored[place : place + 2] == b"1 "
    path.write_bytes(stored[:place] + b"x " + stored[place + 2 :])
    refused(lambda: open_series(tmp_path / "s", volume), "no usable NumberOfFrames")
