"""DICOM output: every slice in its place, values within half a step, true headers, whole series or nothing."""

import errno
import logging
import shutil
import subprocess
import warnings
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.dicom import source as dicom_source
from surgical_style_engine.imageio.dicom.scale import choose_scale, decimal_string
from surgical_style_engine.imageio.dicom.source import open_series
from surgical_style_engine.imageio.dicom.tags import SOFTWARE
from surgical_style_engine.imageio.volume_io import read_volume
from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard, Weights
from surgical_style_engine.models.dicom_output import check_target, write_dicom_series
from surgical_style_engine.volumes.normalization import HUWindow, LinearLandmarks, PercentileLandmarks, RobustPercentile

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid  # noqa: E402

MR, CT = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"
SHA = "0123456789abcdef" * 4
SHAPE = (5, 8, 6)  # z, y, x
# Digits that no number survives a conversion with.
SPACING = r"0.30000000000001\0.2500"
SYNTHETIC_DATA = "(0x0008,0x001c)"  # SyntheticData, which dciodvfy's dictionary of 2022 lacks


def rotation(x, y, z) -> np.ndarray:
    return np.asarray(sitk.Euler3DTransform((0, 0, 0), x, y, z).GetMatrix()).reshape(3, 3)


def write_source(folder, offsets=np.arange(5) * 2.5, direction=None, shift=(0, 0, 0), implicit=True, **tags):
    """A made-up MR series in shuffled files, with the tags a scanner writes; ``tags``: by keyword, None removes one."""
    folder.mkdir()
    direction = np.eye(3) if direction is None else direction
    pixels = np.random.default_rng(0).integers(0, 900, (len(offsets), *SHAPE[1:])).astype(np.uint16)
    for number in np.random.default_rng(1).permutation(len(offsets)):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        data.SOPClassUID, data.SOPInstanceUID, data.Modality = MR, generate_uid(), "MR"
        data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = "1.2.3", "1.2", "1.2.9"
        data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
        data.PatientName, data.PatientID, data.PatientBirthDate = "Doe^Jane", "ID-4711", "19700101"
        data.StudyDate, data.StudyID, data.AccessionNumber = "20200102", "S1", "A9"
        data.StudyDescription, data.SeriesDescription, data.SeriesNumber = "head", "t1 Doe", 7
        data.Manufacturer, data.ManufacturerModelName, data.InstitutionName = "SCANNER", "Model X", "St Elsewhere"
        data.AcquisitionDate, data.ContentDate, data.AcquisitionNumber = "20200102", "20200102", 3
        data.ProtocolName, data.ScanningSequence, data.SequenceVariant = "t1_mpr", "GR", "SP"
        data.EchoTime, data.RepetitionTime, data.FlipAngle, data.MagneticFieldStrength = 2.9, 1900, 15, 3
        data.ContrastBolusAgent, data.InstanceNumber = "Gd", 99 - int(number)  # runs against the positions
        data.SmallestImagePixelValue, data.LargestImagePixelValue = 1, 899
        data.WindowCenter, data.WindowWidth, data.PixelPaddingValue = 450, 900, 0
        data.PatientPosition, data.SliceThickness, data.SpecificCharacterSet = "HFS", 2.5, "ISO_IR 100"
        # The third digit groups differ from slice to slice, as slices of a real oblique series do.
        place = np.array([-20.0, 15.0, 7.0]) + direction[:, 2] * offsets[number] + number * np.asarray(shift)
        data.ImagePositionPatient = [f"{value:.10f}" for value in place]
        data.ImageOrientationPatient = [f"{value:.11f}" for value in (*direction[:, 0], *direction[:, 1])]
        data.PixelSpacing = SPACING.split("\\")
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.Rows, data.Columns = SHAPE[1:]
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 0
        data.PixelData = pixels[number].tobytes()
        block = data.private_block(0x0019, "SCANNER HEADER", create=True)
        block.add_new(1, "LO", "Doe^Jane again")
        for keyword, value in tags.items():
            if value is None:
                delattr(data, keyword)
            else:
                setattr(data, keyword, value)
        data.save_as(folder / f"img{50 - number}.dcm", enforce_file_format=True)
    return read_volume(folder)


def made_card(modality="MR", units="", channels=1, name="tiny", low=0.0, high=900.0) -> ModelCard:
    """T1w -> a target of this modality."""
    source = Domain(
        name="T1w",
        modality="MR",
        normalization=RobustPercentile(),
        inverse=PercentileLandmarks(low=0, high=900, maximum=1000),
    )
    if units == "HU":
        how = {"normalization": HUWindow(), "inverse": LinearLandmarks(kind="hu_window", low=-1000, high=2000)}
    else:
        inverse = PercentileLandmarks(low=low, high=high, maximum=high + (high - low))
        how = {"normalization": RobustPercentile(), "inverse": inverse}
    target = Domain(name="Goal", modality=modality, units=units, channels=channels, **how)
    return ModelCard(
        name=name,
        title="A model",
        architecture=Architecture(name="resnet"),
        spacing_mm=None,
        domains=Domains(source=source, target=target),
        weights=Weights(file="weights.safetensors", sha256=SHA, bytes=1),
    )


def translated(volume, low=0.0, high=1000.0):
    """Another array on the same grid, float32, that reaches exactly from low to high."""
    array = np.random.default_rng(5).uniform(low, high, volume.array.shape).astype(np.float32)
    array.flat[0], array.flat[1] = low, high
    return volume.with_array(array)


def written(tmp_path, volume, made, card=None, name="out", **options):
    """The headers of the series that comes of it, sorted by file name."""
    out = tmp_path / name
    write_dicom_series(made, open_series(tmp_path / "s", volume), out, card or made_card(), "forward", **options)
    return [pydicom.dcmread(path) for path in sorted(out.iterdir())]


def raw(data, keyword) -> bytes:
    return data.get_item(keyword).value


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


def test_it_says_what_it_is_and_of_what_it_was_made(tmp_path):
    volume = write_source(tmp_path / "s")
    files = written(tmp_path, volume, translated(volume), strength=0.5, masked=True)
    for data in files:
        assert list(data.ImageType[:2]) == ["DERIVED", "SECONDARY"] and data[0x0008001C].value == "YES"
        assert data.SOPClassUID == data.file_meta.MediaStorageSOPClassUID == MR
        assert data.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert data.file_meta.MediaStorageSOPInstanceUID == data.SOPInstanceUID
        assert data.SeriesDescription == f"SYNTHETIC Goal from T1w by tiny {SHA[:12]}"
        for words in ("Synthetic", "T1w", "Goal", "tiny", SHA, "strength 0.5", "mask", "5 images", "Not for diagnosis"):
            assert words in data.DerivationDescription, words
        assert "SYNTHETIC" in data.ImageComments and data.BurnedInAnnotation == "NO"
        assert data.Manufacturer == SOFTWARE and data.SeriesNumber == 1007
        scanner, software = data.ContributingEquipmentSequence
        assert (scanner.Manufacturer, scanner.InstitutionName) == ("SCANNER", "St Elsewhere")
        assert scanner.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
        assert software.Manufacturer == SOFTWARE and SHA in software.ContributionDescription
        assert data.DerivationCodeSequence[0].CodingSchemeDesignator == "99SST"
        # The same patient, study and place ...
        assert (data.PatientName, data.PatientID, data.PatientBirthDate) == ("Doe^Jane", "ID-4711", "19700101")
        assert (data.StudyInstanceUID, data.FrameOfReferenceUID) == ("1.2", "1.2.9")
        assert (data.AccessionNumber, data.StudyDate, data.AcquisitionDate) == ("A9", "20200102", "20200102")
        assert data.PatientPosition == "HFS" and data.ContentDate > "20260101"
        # ... and nothing that was true of the acquisition only.
        for keyword in (
            "ProtocolName",
            "FlipAngle",
            "MagneticFieldStrength",
            "ContrastBolusAgent",
            "SmallestImagePixelValue",
            "LargestImagePixelValue",
            "PixelPaddingValue",
            "InstitutionName",
            "LossyImageCompression",
            "RescaleSlope",
        ):
            assert keyword not in data, keyword
        assert not data.EchoTime and not data.RepetitionTime and data.ScanningSequence == "RM"
        assert not [element for element in data if element.tag.is_private]
    assert len({data.SOPInstanceUID for data in files}) == 5
    assert len({data.SeriesInstanceUID for data in files}) == 1
    again = written(tmp_path, volume, translated(volume), name="again")
    uids = {data.SOPInstanceUID for data in files} | {files[0].SeriesInstanceUID, "1.2.3"}
    assert not uids & {again[0].SeriesInstanceUID, *(data.SOPInstanceUID for data in again)}


def test_what_the_first_compression_lost_and_text_in_the_picture_stay_stated(tmp_path):
    tags = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": 12,
        "LossyImageCompressionMethod": "ISO_10918_1",
        "BurnedInAnnotation": "YES",
        "TimezoneOffsetFromUTC": "+1130",
        "BodyPartExamined": "HEAD",
    }
    volume = write_source(tmp_path / "s", **tags)
    data = written(tmp_path, volume, translated(volume))[0]
    assert (data.LossyImageCompression, data.LossyImageCompressionRatio) == ("01", 12)
    assert data.BurnedInAnnotation == "YES" and data.TimezoneOffsetFromUTC == "+1130"
    assert data.ContributingEquipmentSequence[-1].ContributionDateTime.endswith("+1130")
    assert data.BodyPartExamined == "HEAD" and "Laterality" not in data


def test_the_window_is_the_targets(tmp_path):
    volume = write_source(tmp_path / "s")
    data = written(tmp_path, volume, translated(volume), made_card(low=100, high=700))[0]
    assert (data.WindowCenter, data.WindowWidth) == (400, 600)
    # Half of the input, whose range is another: the volume's own range.
    data = written(tmp_path, volume, translated(volume, 0, 3000), made_card(high=700), name="half", strength=0.5)[0]
    assert 2900 < data.WindowWidth <= 3000
    data = written(tmp_path, volume, translated(volume, -1000, 1500), made_card("CT", "HU"), name="ct")[0]
    assert list(data.WindowCenter) == [40, 500] and list(data.WindowWidth) == [400, 3000]


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


@pytest.mark.parametrize(
    "charset, name, place",
    [
        (
            ["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B",
            b"\x1b$B;3ED\x1b(B",
        ),
        (["ISO_IR 192"], "Müller^Jörg".encode(), "Universitätsspital Zürich".encode()),
        ([], b"Doe^Jane", b"St Elsewhere"),
        (["ISO_IR 192"], b"M\xfcller^J\xf6rg!", b"Plain"),  # Latin 1 that claims to be UTF-8
    ],
    ids=["japanese", "utf-8", "none", "wrong"],
)
def test_names_in_any_character_set_are_kept_and_never_shown(tmp_path, caplog, capfd, charset, name, place):
    fillers = {"N" * len(name): name, "I" * len(place): place}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the identifiers are wrong, and pydicom's warnings repeat them
        volume = write_source(
            tmp_path / "s",
            PatientName="N" * len(name),
            InstitutionName="I" * len(place),
            PatientID="X" * 80,
            SpecificCharacterSet=charset or None,
            FrameOfReferenceUID="1.2.04711",
            implicit=False,
        )
    for path in (tmp_path / "s").iterdir():
        for filler, text in fillers.items():
            path.write_bytes(path.read_bytes().replace(filler.encode(), text))
    caplog.set_level(logging.DEBUG)
    capfd.readouterr()
    caplog.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series = open_series(tmp_path / "s", volume)
        write_dicom_series(translated(volume), series, tmp_path / "out", made_card(), "forward")
    printed = capfd.readouterr()
    assert not printed.out and not printed.err and not caplog.text
    for path in (tmp_path / "out").iterdir():
        data = path.read_bytes()
        assert name in data and place in data and b"X" * 80 in data
        assert (b"\x08\x00\x05\x00CS" in data) == bool(charset) and "\\".join(charset).encode() in data


def test_the_order_comes_from_the_positions_alone(tmp_path, monkeypatch):
    volume = write_source(tmp_path / "s", direction=rotation(0.3, -0.2, 0.5))
    names = sorted(str(path) for path in (tmp_path / "s").iterdir())
    expected = [source.header.SOPInstanceUID for source in open_series(tmp_path / "s", volume).slices]
    for order in (names, names[::-1], [names[index] for index in (3, 0, 4, 1, 2)]):
        monkeypatch.setattr(dicom_source, "files_of_all_series", lambda _, order=order: order)
        assert [source.header.SOPInstanceUID for source in open_series(tmp_path / "s", volume).slices] == expected


def test_private_tags_inside_of_what_is_kept_go_too(tmp_path):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99X", "MR of the head"
    item.private_block(0x0019, "SCANNER HEADER", create=True).add_new(1, "LO", "secret")
    for implicit in (True, False):
        folder, out = tmp_path / f"in{implicit}", tmp_path / f"out{implicit}"
        volume = write_source(folder, ProcedureCodeSequence=[item], implicit=implicit)
        write_dicom_series(translated(volume), open_series(folder, volume), out, made_card(), "forward")
        for path in out.iterdir():
            assert pydicom.dcmread(path).ProcedureCodeSequence[0].CodeMeaning == "MR of the head"
            assert b"secret" not in path.read_bytes()


def test_slices_without_usable_numbers_are_numbered_by_place(tmp_path):
    volume = write_source(tmp_path / "s", InstanceNumber=4)
    assert [data.InstanceNumber for data in written(tmp_path, volume, translated(volume))] == [1, 2, 3, 4, 5]


def refused(call, *words):
    """The one sentence of the InputError a call ends with."""
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert "\n" not in text and text.endswith(".") and "Doe" not in text and "4711" not in text
    return text


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
