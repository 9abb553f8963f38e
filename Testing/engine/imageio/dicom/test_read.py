"""DICOM series: slices in order of their place, values in units, and nothing about the patient."""

import numpy as np
import pytest
from dicom_files import axes_of, bad, rotation, write_series, write_slice

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.volume import check_volume

pydicom = pytest.importorskip("pydicom")


@pytest.mark.parametrize(
    "direction",
    [np.eye(3), np.array([[0, 0, -1.0], [1, 0, 0], [0, -1, 0]]), rotation(0.3, -0.2, 0.5)],
    ids=["axial", "sagittal", "oblique"],
)
def test_slices_are_put_in_order_of_their_place(tmp_path, direction):
    array = write_series(tmp_path / "s", np.arange(7) * 2.5, direction)
    volume = read_volume(tmp_path / "s")
    assert np.array_equal(volume.array[0], array)
    assert np.allclose(volume.spacing, (0.25, 0.5, 2.5), atol=1e-5)
    assert np.allclose(volume.origin, (-20, 15, 7), atol=1e-5) and np.allclose(volume.direction, direction, atol=1e-5)
    assert not volume.is_2d and "Warning" not in volume.metadata


def test_order_does_not_depend_on_the_order_of_files(tmp_path):
    from surgical_style_engine.imageio.dicom.read import read_slices

    array = write_series(tmp_path / "s", np.arange(5) * 2.0, rotation(0.3, -0.2, 0.5))
    names = sorted(str(path) for path in (tmp_path / "s").iterdir())
    for order in (names, names[::-1], [names[i] for i in (3, 0, 4, 1, 2)]):
        volume = read_slices(tuple(order), "The series")
        assert np.array_equal(volume.array[0], array) and np.allclose(volume.origin, (-20, 15, 7), atol=1e-5)


def test_nothing_about_the_patient_is_kept(tmp_path):
    write_series(tmp_path / "s", np.arange(3) * 2.0)
    folder, single = read_volume(tmp_path / "s"), read_volume(tmp_path / "s" / "img99.dcm")
    for volume in (folder, single):
        assert volume.metadata["Modality"] == "MR" and volume.metadata["SeriesDescription"] == "t1 sagittal"
        assert set(volume.metadata) <= {"Modality", "SeriesDescription", "SliceThickness", "PhotometricInterpretation"}
        text = str(volume.metadata)
        assert not any(word in text for word in ("Doe", "4711", "1970", "Elsewhere", "Who"))


@pytest.mark.parametrize(
    "description",
    ["JANE DOE head", "t1_doe", "Doe,Jane", "janehead", "ID-4711", "t1 4711", "born 19700101", "Ref 88-X"],
)
def test_a_description_that_names_the_patient_is_dropped(tmp_path, description):
    tags = {"SeriesDescription": description, "AccessionNumber": "88-X"}
    write_series(tmp_path / "s", np.arange(3) * 2.0, **tags)
    for volume in (read_volume(tmp_path / "s"), read_volume(tmp_path / "s" / "img99.dcm")):
        assert "SeriesDescription" not in volume.metadata and volume.metadata["Modality"] == "MR"
    write_series(tmp_path / "s", np.arange(3) * 2.0, series="1.2.3.2", SeriesDescription="t2 flair")
    message = bad(tmp_path / "s", "holds 2 series")
    assert "MR, 3 files such as img9" in message and "t2 flair" not in message and description not in message


def test_reading_writes_nothing_to_stderr(tmp_path, shared_data, capfd):
    write_series(tmp_path / "uneven", [0, 2.0, 4.1, 6.4])
    write_series(tmp_path / "tilted", np.arange(4) * 3.0, shift=(0, 0.6, 0))
    write_series(tmp_path / "missing", [0, 2, 6, 8])
    for folder in (tmp_path / "uneven", tmp_path / "tilted", shared_data / "dicom" / "vs-seg-001"):
        read_volume(folder)
    bad(tmp_path / "missing", "lacks")
    assert capfd.readouterr().err == ""


def test_a_slice_has_a_place_and_a_radiograph_has_none(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (6, 9)).astype(np.uint16)
    write_slice(tmp_path / "slice.dcm", pixels, (1, 2, 3))
    write_slice(tmp_path / "radiograph.dcm", pixels, Modality="DX")
    slice_, radiograph = read_volume(tmp_path / "slice.dcm"), read_volume(tmp_path / "radiograph.dcm")
    assert not slice_.is_2d and slice_.origin == (1, 2, 3)
    assert radiograph.is_2d and radiograph.array.shape == (1, 1, 6, 9)


def test_rescaling_to_units_and_colour(tmp_path):
    pixels = np.arange(54).reshape(6, 9).astype(np.uint16)
    write_slice(tmp_path / "ct.dcm", pixels, Modality="CT", RescaleSlope=2, RescaleIntercept=-1024, RescaleType="HU")
    volume = read_volume(tmp_path / "ct.dcm")
    assert np.array_equal(volume.array[0, 0], pixels.astype(int) * 2 - 1024)
    assert volume.metadata["RescaleType"] == "HU"
    colours = np.random.default_rng(0).integers(0, 255, (6, 9, 3)).astype(np.uint8)
    write_slice(tmp_path / "photo.dcm", colours, Modality="XC")
    assert np.array_equal(np.moveaxis(read_volume(tmp_path / "photo.dcm").array[:, 0], 0, -1), colours)


def test_a_real_series(shared_data):
    volume = read_volume(shared_data / "dicom" / "vs-seg-001")
    check_volume(volume)
    assert volume.size == (512, 512, 40) and np.allclose(volume.spacing, (0.41015625, 0.41015625, 1.5))
    assert volume.metadata["Modality"] == "MR" and "Warning" not in volume.metadata
    # Neither the folder nor a single file tells whose images they are.
    path = shared_data / "dicom" / "vs-seg-001" / "1-050.dcm"
    told = str(volume.metadata) + str(read_volume(path).metadata)
    data = pydicom.dcmread(path, stop_before_pixels=True)
    assert str(data.PatientName) == data.PatientID == "VS-SEG-001"
    whose = [str(data.PatientName), "VS-SEG", data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID]
    assert not any(word in told for word in whose)
    # Every slice against pydicom, which shares no code with ITK, at the place its own file gives.
    image = volume.to_sitk()
    for path in sorted((shared_data / "dicom" / "vs-seg-001").glob("*.dcm"))[::8]:
        data = pydicom.dcmread(path)
        x, y, z = image.TransformPhysicalPointToContinuousIndex([float(v) for v in data.ImagePositionPatient])
        assert abs(x) < 1e-3 and abs(y) < 1e-3 and abs(z - round(z)) < 1e-3
        assert np.array_equal(volume.array[0, round(z)], data.pixel_array)


def test_slices_of_different_pixel_types_keep_their_values(tmp_path):
    """ITK's reader of series takes the first file's type for all: -1024 HU became 64512, and 3.7 became 3."""
    pixels = np.random.default_rng(0).integers(0, 3000, (3, 6, 9)).astype(np.uint16)
    for number, intercept in enumerate((0, -1024, -1024)):
        tags = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": intercept}
        write_slice(tmp_path / f"{number}.dcm", pixels[number], (0, 0, 2.0 * number), **tags)
    volume = read_volume(tmp_path)
    assert volume.array.dtype.kind == "i"
    assert np.array_equal(volume.array[0], pixels.astype(int) - np.array([0, 1024, 1024])[:, None, None])
    for number, slope in enumerate((1, 0.25, 0.37)):
        tags = {"Modality": "PT", "RescaleSlope": slope, "RescaleIntercept": 0}
        write_slice(tmp_path / f"{number}.dcm", pixels[number], (0, 0, 2.0 * number), **tags)
    expected = pixels * np.array([1, 0.25, 0.37])[:, None, None]
    assert np.allclose(read_volume(tmp_path).array[0], expected, rtol=1e-6, atol=0)
    for number in range(3):
        write_slice(tmp_path / f"{number}.dcm", pixels[number], (0, 0, 2.0 * number), PixelRepresentation=number % 2)
    assert np.array_equal(read_volume(tmp_path).array[0], pixels)


@pytest.mark.parametrize("modality", ["MR", "CT", "PT"])
@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("ImagePositionPatient", None),
        ("ImageOrientationPatient", None),
        ("PixelSpacing", None),
        ("PixelSpacing", [0, 0]),
        ("ImageOrientationPatient", [1, 0, 0, 0.5, 0.8, 0]),
        ("ImageOrientationPatient", [0, 0, 0, 0, 0, 0]),
        ("ImagePositionPatient", [1, 2]),
    ],
)
def test_a_slice_without_a_place_is_refused(tmp_path, modality, tag, value):
    write_series(tmp_path / "s", [0, 2, 4], Modality=modality)
    for path in (tmp_path / "s").iterdir():
        data = pydicom.dcmread(path)
        setattr(data, tag, value) if value is not None else delattr(data, tag)
        data.save_as(path)
    assert f"no usable {tag} in img" in bad(tmp_path / "s", "The DICOM series")
    bad(tmp_path / "s" / "img99.dcm", f"no usable {tag}")


def test_pictures_need_no_place(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (6, 9)).astype(np.uint16)
    for modality in ("CR", "DX", "MG", "OT", "XC"):
        write_slice(tmp_path / f"{modality}.dcm", pixels, Modality=modality)
        data = pydicom.dcmread(tmp_path / f"{modality}.dcm")
        del data.ImagePositionPatient, data.ImageOrientationPatient, data.PixelSpacing
        data.save_as(tmp_path / f"{modality}.dcm")
        volume = read_volume(tmp_path / f"{modality}.dcm")
        assert volume.is_2d and np.array_equal(volume.array[0, 0], pixels)


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
@pytest.mark.parametrize("kind", ["7", "7.2", "7.4", "2", "4", "128"])
def test_a_capture_without_a_position_is_a_picture(tmp_path, modality, kind):
    pixels = np.random.default_rng(0).integers(0, 4000, (2, 6, 9)).astype(np.uint16)
    (tmp_path / "s").mkdir()
    paths = tmp_path / "one.dcm", tmp_path / "s" / "a.dcm", tmp_path / "s" / "b.dcm"
    for path in paths:
        write_slice(path, pixels[0], (1, 2, 3), Modality=modality)
        data = pydicom.dcmread(path)
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = f"1.2.840.10008.5.1.4.1.1.{kind}"
        data.save_as(path)
        if kind.startswith("7"):
            volume = read_volume(path)
            assert not volume.is_2d and volume.origin == (1, 2, 3)  # some do state a place
        del data.ImagePositionPatient, data.ImageOrientationPatient, data.PixelSpacing
        data.save_as(path)
    if kind.startswith("7"):
        volume = read_volume(paths[0])
        assert volume.is_2d and np.array_equal(volume.array[0, 0], pixels[0])
    else:
        bad(paths[0], "no usable ImagePositionPatient")
    bad(tmp_path / "s", "no usable ImagePositionPatient")


def test_a_single_slice_has_its_thickness(tmp_path):
    write_slice(tmp_path / "slice.dcm", np.arange(54).reshape(6, 9).astype(np.uint16), (1, 2, 3), SliceThickness=4.5)
    assert read_volume(tmp_path / "slice.dcm").spacing == (0.25, 0.5, 4.5)
    for thickness, between, expected in (("", 3.0, 3.0), (0, -3.0, 3.0), ("", "", 1.0)):
        tags = {"SliceThickness": thickness, "SpacingBetweenSlices": between}
        write_slice(tmp_path / "slice.dcm", np.arange(54).reshape(6, 9).astype(np.uint16), (1, 2, 3), **tags)
        assert read_volume(tmp_path / "slice.dcm").spacing == (0.25, 0.5, expected)


def test_directions_rounded_as_text_are_at_right_angles(tmp_path):
    direction = rotation(0.3, -0.2, 0.5)
    axes = [f"{value:.4f}" for value in axes_of(direction)]
    for number in range(3):
        place = direction[:, 2] * 2 * number
        write_slice(tmp_path / f"{number}.dcm", np.ones((6, 9), np.uint16), place, ImageOrientationPatient=axes)
    found = read_volume(tmp_path).direction
    assert np.allclose(found.T @ found, np.eye(3), atol=1e-12) and np.allclose(found, direction, atol=2e-4)


def test_a_mosaic_is_refused(tmp_path):
    pixels = np.arange(54).reshape(6, 9).astype(np.uint16)
    write_slice(tmp_path / "m.dcm", pixels, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    bad(tmp_path / "m.dcm", "mosaics")
