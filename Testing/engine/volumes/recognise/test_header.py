"""What the tags of a file say of its contrast."""

import pytest

from surgical_style_engine.volumes.recognise.header import header_statement, is_marked_synthetic, name_statement


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"EchoTime": "10", "RepetitionTime": "550", "ScanningSequence": "SE"}, "T1w"),
        ({"EchoTime": "2.9", "RepetitionTime": "2300", "InversionTime": "900", "ScanningSequence": "GR\\IR"}, "T1w"),
        (
            {"EchoTime": "2.9", "RepetitionTime": "9", "ScanningSequence": "GR", "ContrastBolusAgent": "DOTAREM"},
            "T1w-Gd",
        ),
        ({"EchoTime": "10", "RepetitionTime": "550", "ContrastBolusAgent": "NONE"}, "T1w"),
        ({"EchoTime": "98", "RepetitionTime": "5200", "ScanningSequence": "SE"}, "T2w"),
        ({"EchoTime": "120", "RepetitionTime": "9000", "InversionTime": "2500"}, "FLAIR"),
        ({"EchoTime": "15", "RepetitionTime": "3000", "ScanningSequence": "SE"}, "other"),
        ({"EchoTime": "20", "RepetitionTime": "600", "ScanningSequence": "GR"}, "other"),
        ({"EchoTime": "90", "RepetitionTime": "6000", "ScanningSequence": "EP\\SE"}, "other"),
        ({"EchoTime": "90", "RepetitionTime": "6000", "SeriesDescription": "DWI b1000"}, "other"),
        ({"SeriesDescription": "t2_tse_tra"}, "T2w"),
        ({"SeriesDescription": "t1 tra", "ContrastBolusAgent": "Gadovist"}, "T1w-Gd"),
        ({"EchoTime": "45", "RepetitionTime": "1500"}, ""),
        ({"EchoTime": "nonsense"}, ""),
        ({}, ""),
    ],
)
def test_times_agent_and_description(tags, kind):
    statement = header_statement({"Modality": "MR", **tags})
    assert statement.kind == kind and statement.modality == "MR" and statement.source.startswith("the header (")


def test_the_source_names_what_decided():
    statement = header_statement({"Modality": "MR", "EchoTime": "98", "RepetitionTime": "5200"})
    assert statement.source == "the header (EchoTime 98 ms, RepetitionTime 5200 ms)"


def test_other_modalities_need_no_times():
    assert header_statement({"Modality": "CT"}).kind == "CT"
    assert header_statement({"Modality": "CR"}).kind == "radiograph"
    assert header_statement({"Modality": "OT", "EchoTime": "90"}) is None
    assert header_statement({"Modality": "PT"}).kind == "" and header_statement({}) is None


def test_the_name_of_a_file():
    assert name_statement("p1_FLAIR.nrrd").source == "the name 'p1_FLAIR.nrrd'" and name_statement("p1.nrrd") is None


def test_the_mark_of_synthetic_images():
    assert is_marked_synthetic({"Synthetic": "yes"}) == "its header" and not is_marked_synthetic({"Modality": "MR"})
    assert is_marked_synthetic({"SeriesDescription": "T2w synthetic"}) == "its description"
