"""The tags of a derived series: what it says of itself, what it keeps, and what it leaves behind."""

import logging
import warnings

import pytest
from dicom_files import MR, SHA, made_card, translated, write_source, written

from surgical_style_engine.imageio.dicom.source import open_series
from surgical_style_engine.imageio.dicom.tags import SOFTWARE
from surgical_style_engine.models.dicom_output import write_dicom_series

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian  # noqa: E402


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
