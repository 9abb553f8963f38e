"""DICOM series: order and geometry of slices, what makes no volume, and nothing about the patient."""

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.dicom.read import is_dicom
from surgical_style_engine.imageio.volume_io import ending_of, is_volume_file, list_volumes, read_volume
from surgical_style_engine.volumes.volume import check_volume

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


ENHANCED = {"MR": "1.2.840.10008.5.1.4.1.1.4.1", "CT": "1.2.840.10008.5.1.4.1.1.2.1"}


def write_frames(
    path,
    array,
    offsets,
    direction=None,
    slopes=1.0,
    intercepts=0.0,
    shared_scale=False,
    stacks="1",
    spacing=None,
    modality="MR",
    without="",
    **tags,
):
    """An enhanced file: frame i is ``array`` (frames, y, x) in stored numbers, ``offsets`` mm along the normal."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    def one(**values):
        item = Dataset()
        for name, value in values.items():
            if name != without:
                setattr(item, name, value)
        return Sequence([item])

    direction = np.eye(3) if direction is None else direction
    write_slice(path, array[0], series="1.2.3.77", Modality=modality)
    data = pydicom.dcmread(path)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(data, name)
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = ENHANCED[modality]
    data.NumberOfFrames = len(array)
    count = len(array)
    slopes, intercepts = np.broadcast_to(slopes, count), np.broadcast_to(intercepts, count)
    shared, frames = Dataset(), []
    shared.PlaneOrientationSequence = one(ImageOrientationPatient=[f"{value:.6f}" for value in axes_of(direction)])
    for i in range(count):
        frame = Dataset()
        place = np.array([-20.0, 15.0, 7.0]) + direction[:, 2] * offsets[i]
        frame.PlanePositionSequence = one(ImagePositionPatient=[f"{value:.6f}" for value in place])
        size = [0.5, 0.25] if spacing is None else spacing[i]
        frame.PixelMeasuresSequence = one(PixelSpacing=size, SliceThickness=3.0, SpacingBetweenSlices=2.5)
        frame.FrameContentSequence = one(StackID=stacks[i % len(stacks)], InStackPositionNumber=i + 1)
        scale = one(RescaleSlope=float(slopes[i]), RescaleIntercept=float(intercepts[i]), RescaleType="HU")
        if shared_scale:
            shared.PixelValueTransformationSequence = scale
        else:
            frame.PixelValueTransformationSequence = scale
        frames.append(frame)
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    data.PerFrameFunctionalGroupsSequence = Sequence(frames)
    data.PixelData = np.asarray(array, np.uint16).tobytes()
    for name, value in tags.items():
        setattr(data, name, value) if value is not None else delattr(data, name)
    data.save_as(path, enforce_file_format=True)


class TestFrames:
    stored = np.random.default_rng(0).integers(0, 4000, (7, 6, 9)).astype(np.uint16)

    @pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [0, 2, 4, 6, 1, 3, 5]])
    @pytest.mark.parametrize("direction", [np.eye(3), rotation(0.3, -0.2, 0.5)], ids=["axial", "oblique"])
    def test_are_put_in_order_of_their_place(self, tmp_path, order, direction):
        write_frames(tmp_path / "f.dcm", self.stored[order], np.array(order) * 2.5, direction)
        (tmp_path / "s").mkdir()
        write_frames(tmp_path / "s" / "f.dcm", self.stored[order], np.array(order) * 2.5, direction)
        for path in (tmp_path / "f.dcm", tmp_path / "s"):
            volume = read_volume(path)
            assert np.array_equal(volume.array[0], self.stored)
            assert np.allclose(volume.spacing, (0.25, 0.5, 2.5), atol=1e-5) and not volume.is_2d
            assert np.allclose(volume.origin, (-20, 15, 7), atol=1e-5)
            assert np.allclose(volume.direction, direction, atol=1e-5) and "Warning" not in volume.metadata

    def test_of_several_files_make_one_volume(self, tmp_path):
        write_frames(tmp_path / "a.dcm", self.stored[[1, 3, 5]], np.array([1, 3, 5]) * 2.5)
        write_frames(tmp_path / "b.dcm", self.stored[[0, 2, 4, 6]], np.array([0, 2, 4, 6]) * 2.5)
        volume = read_volume(tmp_path)
        assert np.array_equal(volume.array[0], self.stored) and np.allclose(volume.spacing, (0.25, 0.5, 2.5))

    def test_one_alone_has_its_place(self, tmp_path):
        write_frames(tmp_path / "f.dcm", self.stored[:1], [4.0])
        volume = read_volume(tmp_path / "f.dcm")
        assert volume.spacing == (0.25, 0.5, 3.0) and volume.origin == (-20, 15, 11) and not volume.is_2d

    @pytest.mark.parametrize("shared", [True, False])
    def test_of_one_scale_are_in_its_units(self, tmp_path, shared):
        write_frames(
            tmp_path / "f.dcm",
            self.stored,
            np.arange(7) * 2.5,
            slopes=2,
            intercepts=-1024,
            shared_scale=shared,
            modality="CT",
        )
        volume = read_volume(tmp_path / "f.dcm")
        assert np.array_equal(volume.array[0], self.stored.astype(int) * 2 - 1024)
        assert volume.metadata["RescaleType"] == "HU" and volume.metadata["Modality"] == "CT"

    @pytest.mark.parametrize("first", [1.0, 0.5])
    def test_of_a_scale_each_are_scaled_by_it(self, tmp_path, first):
        slopes, intercepts = first + 0.1 * np.arange(7), -10.0 * np.arange(7)
        order = [0, 2, 4, 6, 1, 3, 5]
        write_frames(tmp_path / "f.dcm", self.stored, np.array(order) * 2.5, slopes=slopes, intercepts=intercepts)
        expected = self.stored * slopes[:, None, None] + intercepts[:, None, None]
        assert np.allclose(read_volume(tmp_path / "f.dcm").array[0][order], expected, rtol=1e-6, atol=1e-3)

    def test_that_make_no_volume(self, tmp_path):
        place = np.arange(7) * 2.5
        for name, sentence, changes in [
            ("gap", "lacks about 2", {"offsets": [0, 2.5, 5, 7.5, 15, 17.5, 20]}),
            ("times", "several images at one place", {"offsets": [0, 2.5, 5, 0, 2.5, 5, 7.5]}),
            ("stacks", "2 stacks", {"stacks": "12"}),
            ("sizes", "different PixelSpacing", {"spacing": [[1, 1]] * 3 + [[0.5, 0.5]] * 4}),
            ("nowhere", "ImagePositionPatient", {"without": "ImagePositionPatient"}),
            ("unturned", "ImageOrientationPatient|damaged", {"without": "ImageOrientationPatient"}),
            ("unsized", "PixelSpacing", {"without": "PixelSpacing"}),
            ("film", "without a place each", {"PerFrameFunctionalGroupsSequence": None}),
        ]:
            write_frames(tmp_path / f"{name}.dcm", self.stored, **{"offsets": place, **changes})
            bad(tmp_path / f"{name}.dcm", sentence)

    def test_a_film_is_no_volume(self, tmp_path):
        write_slice(tmp_path / "film.dcm", self.stored[0], Modality="XA")
        data = pydicom.dcmread(tmp_path / "film.dcm")
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.12.1"
        data.NumberOfFrames, data.PixelData = 7, self.stored.tobytes()
        data.save_as(tmp_path / "film.dcm")
        bad(tmp_path / "film.dcm", "7 frames without a place each")

    def write_plain(self, path, kind, array=None, **tags):
        """A multi-frame file without functional groups: the place of the first frame stands for all."""
        array = self.stored if array is None else array
        write_slice(path, array[0], (-20, 15, 7), series="1.2.3.88")
        data = pydicom.dcmread(path)
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = f"1.2.840.10008.5.1.4.1.1.{kind}"
        data.NumberOfFrames, data.PixelData = len(array), array.tobytes()
        for name, value in tags.items():
            setattr(data, name, value) if value is not None else delattr(data, name)
        data.save_as(path)

    axes = [1.0, 0, 0, 0, 0.8, 0.6]
    normal = np.array([0, -0.6, 0.8])

    @pytest.mark.parametrize("distance", [2.2, -2.2])
    @pytest.mark.parametrize("order", [None, [0, 1, 2, 3, 4, 5, 6], [0, 2, 4, 6, 1, 3, 5]])
    @pytest.mark.parametrize("within", [True, False])
    def test_of_nuclear_medicine_have_one_place_for_all(self, tmp_path, distance, order, within):
        from pydicom.dataset import Dataset
        from pydicom.sequence import Sequence

        tags = {"ImageType": ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"], "SpacingBetweenSlices": distance}
        tags["ImageOrientationPatient"] = self.axes
        if within:
            detector = Dataset()
            detector.ImagePositionPatient, detector.ImageOrientationPatient = [-20, 15, 7], self.axes
            tags |= {"DetectorInformationSequence": Sequence([detector])}
            tags |= {"ImagePositionPatient": None, "ImageOrientationPatient": None}
        array = self.stored
        if order is not None:
            array = array[order]
            tags |= {"SliceVector": [number + 1 for number in order], "FrameIncrementPointer": 0x00540080}
        self.write_plain(tmp_path / "f.dcm", "20", array, Modality="NM", **tags)
        volume = read_volume(tmp_path / "f.dcm")
        first = np.array([-20, 15, 7]) + (self.normal * 6 * distance if distance < 0 else 0)
        assert np.array_equal(volume.array[0], self.stored[:: 1 if distance > 0 else -1])
        assert np.allclose(volume.spacing, (0.25, 0.5, 2.2)) and np.allclose(volume.origin, first)
        assert np.allclose(volume.direction[:, 2], self.normal) and not volume.is_2d
        assert "Warning" not in volume.metadata

    def test_of_cone_beam_ct_have_one_place_and_scale_for_all(self, tmp_path):
        tags = {"RescaleSlope": 2, "RescaleIntercept": -1000, "RescaleType": "HU", "SpacingBetweenSlices": 0.3}
        self.write_plain(tmp_path / "f.dcm", "2", Modality="CT", SliceThickness=0.3, **tags)
        volume = read_volume(tmp_path / "f.dcm")
        assert np.array_equal(volume.array[0], self.stored.astype(int) * 2 - 1000)
        assert np.allclose(volume.spacing, (0.25, 0.5, 0.3)) and np.allclose(volume.origin, (-20, 15, 7))
        assert volume.metadata["RescaleType"] == "HU"

    def test_of_one_gate_are_slices(self, tmp_path):
        tags = {"ImageType": ["ORIGINAL", "PRIMARY", "RECON GATED TOMO"], "SpacingBetweenSlices": 2.0}
        tags |= {"FrameIncrementPointer": [0x00540070, 0x00540080], "TimeSlotVector": [1] * 7}
        self.write_plain(tmp_path / "f.dcm", "20", Modality="NM", **tags)
        assert np.array_equal(read_volume(tmp_path / "f.dcm").array[0], self.stored)

    @pytest.mark.parametrize(("start", "step"), [(0, 2.5), (7, 2.5), (0, -2.5), (7, -2.5)])
    @pytest.mark.parametrize("up", [1, -1])
    def test_of_a_dose_lie_at_their_offsets(self, tmp_path, start, step, up):
        """Offsets that begin with 0 run along the normal, others are heights in the patient."""
        tags = {"GridFrameOffsetVector": [start + step * i for i in range(7)], "FrameIncrementPointer": 0x3004000C}
        tags["ImageOrientationPatient"] = [up, 0, 0, 0, 1, 0]
        self.write_plain(tmp_path / "f.dcm", "481.2", Modality="RTDOSE", DoseGridScaling=0.001, **tags)
        volume = read_volume(tmp_path / "f.dcm")
        height = np.array([7.0, 7 + 6 * step * (1 if start else up)])
        assert np.allclose(np.unique(volume.corners()[:, 2].round(3))[[0, -1]], np.sort(height), atol=1e-3)
        place = volume.to_sitk().TransformPhysicalPointToIndex((-20, 15, 7))
        z = place[2]
        assert place[:2] == (0, 0) and z in (0, 6)
        assert np.array_equal(volume.array[0, :: 1 if z == 0 else -1], self.stored)  # as ITK, without DoseGridScaling
        assert np.allclose(volume.spacing, (0.25, 0.5, 2.5))

    def test_without_a_place_for_all_make_no_volume(self, tmp_path):
        recon = {"Modality": "NM", "ImageType": ["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"]}
        gates = [0x00540070, 0x00540080]
        for kind, tags, sentence in [
            ("2", {"SpacingBetweenSlices": None}, "no usable SpacingBetweenSlices"),
            ("2", {"SpacingBetweenSlices": 0}, "several images at one place"),
            ("2", {"ImagePositionPatient": None}, "no usable ImagePositionPatient"),
            ("2", {"ImageOrientationPatient": None}, "no usable ImageOrientationPatient"),
            ("2", {"PixelSpacing": None}, "no usable PixelSpacing"),
            ("2", {"FrameIncrementPointer": 0x00181063, "FrameTime": 40}, "in time"),
            ("20", {"Modality": "NM", "ImageType": ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]}, "views, not slices"),
            ("20", recon | {"FrameIncrementPointer": gates}, "not only slices"),
            ("20", recon | {"FrameIncrementPointer": gates, "TimeSlotVector": [1, 1, 1, 2, 2, 2, 2]}, "only slices"),
            ("20", {"Modality": "NM", "SliceVector": [1, 2, 3, 4, 1, 2, 3]}, "several images at one place"),
            ("481.2", {"GridFrameOffsetVector": [0, 1, 2]}, "no usable GridFrameOffsetVector"),
            ("481.2", {"GridFrameOffsetVector": list(range(7, 14)), "ImageOrientationPatient": self.axes}, "heights"),
        ]:
            tags = {"Modality": "CT", "SpacingBetweenSlices": 2.0} | tags
            tags = {name: value for name, value in tags.items() if value is not None or name != "SpacingBetweenSlices"}
            self.write_plain(tmp_path / "f.dcm", kind, **tags)
            bad(tmp_path / "f.dcm", sentence)

    def test_need_pydicom(self, tmp_path, monkeypatch):
        import sys

        write_frames(tmp_path / "f.dcm", self.stored, np.arange(7) * 2.5)
        write_series(tmp_path / "s", [0, 2, 4])
        monkeypatch.setitem(sys.modules, "pydicom", None)
        bad(tmp_path / "f.dcm", "needs the Python package pydicom")
        assert read_volume(tmp_path / "s").size == (9, 6, 3)

    def test_that_end_too_early(self, tmp_path):
        write_frames(tmp_path / "f.dcm", self.stored, np.arange(7) * 2.5)
        (tmp_path / "f.dcm").write_bytes((tmp_path / "f.dcm").read_bytes()[:-60])
        bad(tmp_path / "f.dcm", "damaged")

    @pytest.mark.parametrize("bits", [1, 8])
    def test_of_a_segmentation_are_refused(self, tmp_path, bits):
        write_frames(tmp_path / "f.dcm", self.stored, np.arange(7) * 2.5)
        data = pydicom.dcmread(tmp_path / "f.dcm")
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
        data.Modality, data.BitsAllocated, data.BitsStored, data.HighBit = "SEG", bits, bits, bits - 1
        data.PixelData = bytes(8 if bits == 1 else 7 * 54)
        (tmp_path / "s").mkdir()
        for path in (tmp_path / "f.dcm", tmp_path / "s" / "f.dcm"):
            data.save_as(path)
        bad(tmp_path / "f.dcm", "is a DICOM segmentation, which cannot be read; save it as .nrrd")
        bad(tmp_path / "s", "is a segmentation|no DICOM images")
