"""DICOM output: every slice in its place, whole series or nothing, and what the standard asks for."""

import errno
import shutil
import subprocess

import numpy as np
import pytest
from dicom_files import SHAPE, SPACING, made_card, raw, refused, rotation, translated, write_source, written

from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.imageio.dicom import source as dicom_source
from surgical_style_engine.imageio.dicom.source import open_series
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.dicom_output import check_target, write_dicom_series

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset  # noqa: E402

SYNTHETIC_DATA = "(0x0008,0x001c)"  # SyntheticData, which dciodvfy's dictionary of 2022 lacks


GEOMETRIES = {
    "axial": {},
    "sagittal": {"direction": np.array([[0, 0, -1.0], [1, 0, 0], [0, -1, 0]])},
    "oblique": {"direction": rotation(0.3, -0.2, 0.5)},
    "tilted": {"shift": (0, 0.4, 0)},
    "uneven": {"offsets": np.array([0, 2.5, 5.3, 7.5, 10.4])},
    "single": {"offsets": np.array([0.0])},
}


@pytest.mark.parametrize("options", GEOMETRIES.values(), ids=GEOMETRIES)
def test_each_slice_is_where_its_source_is_to_the_last_digit(tmp_path, options):
    volume = write_source(tmp_path / "s", **options)
    made = translated(volume)
    files = written(tmp_path, volume, made)
    sources = {raw(data, "ImagePositionPatient"): data for data in map(pydicom.dcmread, (tmp_path / "s").iterdir())}
    assert len(files) == len(sources) == volume.size[2]
    for data in files:
        source = sources.pop(raw(data, "ImagePositionPatient"))
        for keyword in ("ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
            assert raw(data, keyword) == raw(source, keyword), keyword
        assert data.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert data.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.3"
        assert data.InstanceNumber == source.InstanceNumber
        # The source's pixels say which slice of the volume was this file, and so which pixels belong into it.
        place = [np.array_equal(plane, source.pixel_array) for plane in volume.array[0]].index(True)
        assert np.abs(data.pixel_array - made.array[0, place]).max() <= 0.5
    assert raw(files[0], "PixelSpacing").decode().strip() == SPACING
    numbers = [data.InstanceNumber for data in files]
    assert numbers == sorted(numbers)  # the source's order, which here runs against the positions


@pytest.mark.parametrize("options", GEOMETRIES.values(), ids=GEOMETRIES)
def test_reading_back_gives_the_same_grid_and_values(tmp_path, options):
    volume = write_source(tmp_path / "s", **options)
    made = translated(volume)
    written(tmp_path, volume, made)
    back = read_volume(tmp_path / "out")
    assert back.size == made.size and back.spacing == made.spacing and back.origin == made.origin
    assert np.array_equal(back.direction, made.direction) and back.metadata["Modality"] == "MR"
    error = np.abs(back.array - made.array)
    assert error.max() <= 0.5 and error.max() > 0.1  # rounded, not cut
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_order_comes_from_the_positions_alone(tmp_path, monkeypatch):
    volume = write_source(tmp_path / "s", direction=rotation(0.3, -0.2, 0.5))
    names = sorted(str(path) for path in (tmp_path / "s").iterdir())
    expected = [source.header.SOPInstanceUID for source in open_series(tmp_path / "s", volume).slices]
    for order in (names, names[::-1], [names[index] for index in (3, 0, 4, 1, 2)]):
        monkeypatch.setattr(dicom_source, "files_of_all_series", lambda _, order=order: order)
        assert [source.header.SOPInstanceUID for source in open_series(tmp_path / "s", volume).slices] == expected


def test_targets_that_dicom_output_cannot_hold_are_refused(tmp_path):
    refused(lambda: check_target(made_card(channels=3), "forward"), "colour")
    refused(lambda: check_target(made_card(modality="PT"), "forward"), "'PT'", "Goal")
    refused(lambda: check_target(made_card(modality=""), "forward"), "no modality")
    assert check_target(made_card(modality=""), "backward").name == "T1w"
    volume = write_source(tmp_path / "s")
    made = translated(volume)
    made.array[0, 0, 0, 0] = np.nan
    refused(lambda: written(tmp_path, volume, made), "NaN")
    short = volume.with_array(np.zeros((1, 4, *SHAPE[1:]), np.float32))
    refused(lambda: written(tmp_path, volume, short), "one grey slice")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s"]


def test_an_output_that_holds_something_is_left_alone(tmp_path):
    volume = write_source(tmp_path / "s")
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    refused(lambda: written(tmp_path, volume, translated(volume)), "not empty")
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    (tmp_path / "file").write_text("x")
    refused(lambda: written(tmp_path, volume, translated(volume), name="file"), "is a file")
    (out / "thesis.txt").unlink()
    assert len(written(tmp_path, volume, translated(volume))) == 5  # an empty folder may be filled


@pytest.mark.parametrize("there_before", [True, False])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, there_before):
    volume = write_source(tmp_path / "s")
    if there_before:
        (tmp_path / "out").mkdir()
    save, saved = Dataset.save_as, []

    def full_at_the_third(self, path, **options):
        saved.append(path)
        save(self, path, **options)
        if len(saved) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Dataset, "save_as", full_at_the_third)
    with pytest.raises(StyleTransferError, match="No space left"):
        written(tmp_path, volume, translated(volume))
    assert len(saved) == 3 and sorted(path.name for path in tmp_path.iterdir()) == ["out", "s"][not there_before :]
    assert not there_before or not list((tmp_path / "out").iterdir())


def test_slices_that_were_swapped_on_the_way_are_noticed(tmp_path, monkeypatch):
    volume = write_source(tmp_path / "s")
    made = translated(volume)
    series = open_series(tmp_path / "s", volume)
    series.slices[1], series.slices[2] = series.slices[2], series.slices[1]
    with pytest.raises(StyleTransferError, match="does not read back"):
        write_dicom_series(made, series, tmp_path / "out", made_card(), "forward")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s"]


def some_real_slices(shared_data, folder, count=4):
    source = shared_data / "dicom" / "vs-seg-001"
    if not source.is_dir():
        pytest.skip("the real DICOM series is not there")
    folder.mkdir()
    for path in sorted(source.glob("*.dcm"))[:count]:
        shutil.copy(path, folder)
    return read_volume(folder)


@pytest.mark.parametrize("card", [made_card(), made_card("CT", "HU")], ids=["MR", "CT"])
def test_a_real_series_passes_dciodvfy(shared_data, tmp_path, card):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")
    volume = some_real_slices(shared_data, tmp_path / "s")
    written(tmp_path, volume, translated(volume, -1000, 1500), card)
    for path in (tmp_path / "out").iterdir():
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
        lines = (said.stdout + said.stderr).splitlines()
        assert f"{card.domains.target.modality}Image" in lines
        assert not [line for line in lines if "Error" in line and SYNTHETIC_DATA not in line], lines
        extra = [line for line in lines if "not present in standard DICOM IOD - (" in line]
        assert all(SYNTHETIC_DATA in line for line in extra), extra


@pytest.mark.parametrize("card", [made_card(), made_card("CT", "HU")], ids=["MR", "CT"])
def test_a_real_series_has_what_the_standards_tables_ask_for_and_nothing_else(shared_data, tmp_path, card):
    """By the tables of modules and attributes that highdicom carries, which are newer than dciodvfy's."""
    standard = pytest.importorskip("highdicom._standard_utils")
    volume = some_real_slices(shared_data, tmp_path / "s")
    data = written(tmp_path, volume, translated(volume, -1000, 1500), card)[0]
    kind = standard.get_sop_class_iod_map()[data.SOPClassUID]
    usages = {module["key"]: module["usage"] for module in standard.get_iod_module_map()[kind]}
    tables = {key: standard.get_module_attribute_map()[key] for key in usages}
    assert "sop-common" in tables and "image-plane" in tables
    rows = [(key, row) for key, table in tables.items() for row in table if not row["path"]]
    assert {element.keyword for element in data} <= {row["keyword"] for _, row in rows}
    asked = [(row["keyword"], row["type"]) for key, row in rows if usages[key] == "M" and row["type"] in "12"]
    assert len(asked) > 40
    for keyword, kind in asked:
        assert keyword in data and (kind == "2" or not data[keyword].is_empty), keyword


def test_the_real_series_keeps_its_place_and_its_digits(shared_data, tmp_path):
    volume = some_real_slices(shared_data, tmp_path / "s")
    made = translated(volume, 0, 1400)
    files = written(tmp_path, volume, made)
    assert np.abs(read_volume(tmp_path / "out").array - made.array).max() <= 0.5
    sources = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted((tmp_path / "s").iterdir())]
    for data, source in zip(files, sources, strict=True):
        for keyword in (
            "ImagePositionPatient",
            "ImageOrientationPatient",
            "PixelSpacing",
            "PatientName",
            "PatientID",
            "FrameOfReferenceUID",
            "StudyInstanceUID",
        ):
            assert raw(data, keyword) == raw(source, keyword), keyword
