"""Which files make a DICOM series."""

import os

import numpy as np
import pytest
from dicom_files import bad, write_series, write_slice

from surgical_style_engine.imageio.formats import ending_of, is_dicom, is_volume_file, list_volumes
from surgical_style_engine.imageio.read import read_volume

pydicom = pytest.importorskip("pydicom")


def test_several_series_are_listed_and_can_be_chosen(tmp_path):
    one = write_series(tmp_path / "s", np.arange(3) * 2.0, series="1.2.3.1", SeriesDescription="t1")
    two = write_series(tmp_path / "s", np.arange(4) * 2.0, series="1.2.3.2", SeriesDescription="t2 flair")
    message = bad(tmp_path / "s", "holds 2 series")
    assert "MR, 3 files such as 1.2.3.1img9" in message and "MR, 4 files such as 1.2.3.2img9" in message
    assert "flair" not in message  # free text, where names may stand
    assert np.array_equal(read_volume(tmp_path / "s", series="1.2.3.1").array[0], one)
    assert np.array_equal(read_volume(tmp_path / "s", series="1.2.3.2").array[0], two)
    bad(tmp_path / "s", "no image series of that UID", series="9.9")


def test_documents_beside_the_images_do_not_count(tmp_path):
    array = write_series(tmp_path / "s", np.arange(3) * 2.0)
    write_slice(tmp_path / "s" / "report.dcm", None, series="7.7", Modality="SR")
    (tmp_path / "s" / "notes.txt").write_text("scanned on a rainy day")
    assert np.array_equal(read_volume(tmp_path / "s").array[0], array)
    (tmp_path / "documents").mkdir()
    write_slice(tmp_path / "documents" / "report.dcm", None, series="7.7", Modality="SR")
    bad(tmp_path / "documents", "no DICOM images")


@pytest.mark.skipif(os.name == "nt", reason="Windows permits links to few, and has no pipes in folders")
def test_what_is_neither_file_nor_folder_hides_no_file(tmp_path):
    """In whatever order the file system tells of them."""
    (tmp_path / "s").mkdir()
    for number in range(20):
        os.mkfifo(tmp_path / "s" / f"pipe{number}")
        (tmp_path / "s" / f".#lock{number}").symlink_to("nobody@nowhere")
    array = write_series(tmp_path / "s", np.arange(3) * 2.0)
    for number in range(20, 40):
        os.mkfifo(tmp_path / "s" / f"pipe{number}")
    assert np.array_equal(read_volume(tmp_path / "s").array[0], array)
    write_series(tmp_path / "s", np.arange(4) * 2.0, series="1.2.3.9")
    bad(tmp_path / "s", "holds 2 series")


def test_a_damaged_file_is_refused(tmp_path, capfd):
    write_series(tmp_path / "s", np.arange(3) * 2.0)
    path = tmp_path / "s" / "img98.dcm"
    path.write_bytes(path.read_bytes()[:-40])
    # The reader would leave the file out and give a volume of two slices.
    assert "img98.dcm" in bad(tmp_path / "s", "damaged or truncated")
    bad(path, "damaged")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("part", [0.3, 0.7, 0.999])
def test_a_truncated_real_file_is_refused(shared_data, tmp_path, part):
    for number in (50, 51, 52):
        data = (shared_data / "dicom" / "vs-seg-001" / f"1-{number:03d}.dcm").read_bytes()
        (tmp_path / f"{number}.dcm").write_bytes(data if number < 52 else data[: int(len(data) * part)])
    bad(tmp_path / "52.dcm", "damaged")
    assert "52.dcm" in bad(tmp_path, "damaged or truncated")


def test_empty_folders(tmp_path):
    (tmp_path / "s").mkdir()
    bad(tmp_path / "s", "no DICOM images")


def test_files_without_an_ending_are_known_by_their_mark(tmp_path):
    array = write_series(tmp_path / "s", np.arange(3) * 2.0, ending="")
    assert np.array_equal(read_volume(tmp_path / "s").array[0], array)
    path = tmp_path / "s" / "img99"
    assert is_dicom(path) and ending_of(path) == ".dcm" and is_volume_file(path)
    assert len(list_volumes(tmp_path / "s")) == 3
    assert np.array_equal(read_volume(path).array[0, 0], array[0])
    (tmp_path / "s" / "DICOMDIR").write_bytes(path.read_bytes())
    assert not is_volume_file(tmp_path / "s" / "DICOMDIR") and not is_dicom(tmp_path / "none")
