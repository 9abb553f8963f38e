"""DICOM series: order and geometry of slices, what makes no volume, and nothing about the patient."""

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.dicom import is_dicom
from surgical_style_engine.errors import InputError
from surgical_style_engine.volume import check_volume
from surgical_style_engine.volume_io import ending_of, is_volume_file, list_volumes, read_volume

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import FileDataset, FileMetaDataset  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, generate_uid  # noqa: E402

MR = "1.2.840.10008.5.1.4.1.1.4"


def write_slice(path, pixels, position=(0, 0, 0), axes=(1, 0, 0, 0, 1, 0), series="1.2.3", number=1, **tags):
    """A made-up slice: ``pixels`` (y, x) uint16 or (y, x, 3) uint8, or None for a document without pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MR
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = MR, meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = series, "1.2", "1.2.9"
    data.Modality, data.SeriesDescription, data.InstanceNumber = "MR", "t1 sagittal", number
    data.PatientName, data.PatientID, data.PatientBirthDate = "Doe^Jane", "ID-4711", "19700101"
    data.InstitutionName, data.ReferringPhysicianName = "St Elsewhere", "Who^Doctor"
    data.ImagePositionPatient = [f"{value:.6f}" for value in position]
    data.ImageOrientationPatient = [f"{value:.6f}" for value in axes]
    data.PixelSpacing, data.SliceThickness = [0.5, 0.25], 2.0
    if pixels is not None:
        colour = pixels.ndim == 3
        data.Rows, data.Columns = pixels.shape[:2]
        data.SamplesPerPixel = 3 if colour else 1
        data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
        if colour:
            data.PlanarConfiguration = 0
        data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
        data.HighBit, data.PixelRepresentation = data.BitsStored - 1, 0
        data.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)


def axes_of(direction) -> tuple:
    return (*direction[:, 0], *direction[:, 1])


def write_series(folder, offsets, direction=None, origin=(-20.0, 15.0, 7.0), shift=(0, 0, 0), ending=".dcm", **tags):
    """Slices at ``offsets`` mm along the normal, in shuffled files; returns the (z, y, x) array."""
    folder.mkdir(exist_ok=True)
    direction = np.eye(3) if direction is None else direction
    array = np.random.default_rng(0).integers(0, 4000, (len(offsets), 6, 9)).astype(np.uint16)
    for number in np.random.default_rng(1).permutation(len(offsets)):
        position = np.asarray(origin) + direction[:, 2] * offsets[number] + number * np.asarray(shift)
        # Names and instance numbers run the wrong way; only positions tell the order.
        name = f"{tags.get('series', '')}img{99 - number}{ending}"
        write_slice(folder / name, array[number], position, axes_of(direction), number=99 - int(number), **tags)
    return array


def bad(path, sentence: str, **arguments) -> str:
    with pytest.raises(InputError, match=sentence) as caught:
        read_volume(path, **arguments)
    message = str(caught.value)
    assert path.name in message and "\n" not in message and "Doe" not in message and message.endswith(".")
    return message


def rotation(x, y, z) -> np.ndarray:
    return np.asarray(sitk.Euler3DTransform((0, 0, 0), x, y, z).GetMatrix()).reshape(3, 3)


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
    from surgical_style_engine.dicom import _stack

    array = write_series(tmp_path / "s", np.arange(5) * 2.0, rotation(0.3, -0.2, 0.5))
    names = sorted(str(path) for path in (tmp_path / "s").iterdir())
    for order in (names, names[::-1], [names[i] for i in (3, 0, 4, 1, 2)]):
        volume = _stack(tuple(order), "The series")
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
    assert "'no description'" in message and "'t2 flair'" in message and description not in message


def test_reading_writes_nothing_to_stderr(tmp_path, shared_data, capfd):
    write_series(tmp_path / "uneven", [0, 2.0, 4.1, 6.4])
    write_series(tmp_path / "tilted", np.arange(4) * 3.0, shift=(0, 0.6, 0))
    write_series(tmp_path / "missing", [0, 2, 6, 8])
    for folder in (tmp_path / "uneven", tmp_path / "tilted", shared_data / "dicom" / "vs-seg-001"):
        read_volume(folder)
    bad(tmp_path / "missing", "lacks")
    assert capfd.readouterr().err == ""


def test_several_series_are_listed_and_can_be_chosen(tmp_path):
    one = write_series(tmp_path / "s", np.arange(3) * 2.0, series="1.2.3.1", SeriesDescription="t1")
    two = write_series(tmp_path / "s", np.arange(4) * 2.0, series="1.2.3.2", SeriesDescription="t2 flair")
    message = bad(tmp_path / "s", "holds 2 series")
    assert "'t1' (3 files, UID 1.2.3.1)" in message and "'t2 flair' (4 files, UID 1.2.3.2)" in message
    assert np.array_equal(read_volume(tmp_path / "s", series="1.2.3.1").array[0], one)
    assert np.array_equal(read_volume(tmp_path / "s", series="1.2.3.2").array[0], two)
    bad(tmp_path / "s", "no image series 9.9", series="9.9")


def test_documents_beside_the_images_do_not_count(tmp_path):
    array = write_series(tmp_path / "s", np.arange(3) * 2.0)
    write_slice(tmp_path / "s" / "report.dcm", None, series="7.7", Modality="SR")
    (tmp_path / "s" / "notes.txt").write_text("scanned on a rainy day")
    assert np.array_equal(read_volume(tmp_path / "s").array[0], array)
    (tmp_path / "documents").mkdir()
    write_slice(tmp_path / "documents" / "report.dcm", None, series="7.7", Modality="SR")
    bad(tmp_path / "documents", "no DICOM images")


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
