"""What of a patient goes into a derived series, and that --dicom-deidentify leaves nothing of it."""

import re

import numpy as np
import pytest
from dicom_files import translated, write_source, written

from surgical_style_engine.imageio.dicom.confidentiality import OF_THE_PATIENT
from surgical_style_engine.imageio.read import read_volume

pydicom = pytest.importorskip("pydicom")
PRIVATE = {
    "PatientAddress": "SECRET street",
    "PatientTelephoneNumbers": "SECRET 555",
    "PatientComments": "SECRET comment",
    "Occupation": "SECRET spy",
    "MilitaryRank": "SECRET major",
    "PatientReligiousPreference": "SECRET faith",
    "AdditionalPatientHistory": "SECRET history",
    "DeviceSerialNumber": "SECRET serial",
    "StationName": "SECRETSTATION",
}
KNOWN = {
    "PatientAge": "050Y",
    "PatientWeight": "71",
    "ResponsiblePerson": "SECRET^Owner",
    "ReferringPhysicianName": "SECRET^Doctor",
    "AdmittingDiagnosesDescription": "SECRET diagnosis",
    "ClinicalTrialSubjectID": "SECRET subject",
    "ClinicalTrialSponsorName": "SECRET sponsor",
    "TimezoneOffsetFromUTC": "+0300",
    "AcquisitionTime": "101112",
}


def test_what_nobody_needs_stays_behind(tmp_path):
    volume = write_source(tmp_path / "s", **PRIVATE, **KNOWN)
    for data in written(tmp_path, volume, translated(volume)):
        assert not [keyword for keyword in PRIVATE if keyword in data]
        assert data.PatientAge == "050Y" and data.ClinicalTrialSubjectID == "SECRET subject"
        scanner = data.ContributingEquipmentSequence[0]
        assert scanner.Manufacturer == "SCANNER" and not {"DeviceSerialNumber", "StationName"} & set(scanner.dir())
        patient = {element.keyword for element in data if element.tag.group == 0x0010}
        assert patient <= set(OF_THE_PATIENT)


def test_deidentified(tmp_path):
    volume = write_source(tmp_path / "s", **PRIVATE, **KNOWN)
    image = translated(volume)
    files = written(tmp_path, volume, image, deidentify=True)
    source = pydicom.dcmread(next((tmp_path / "s").iterdir()))
    # Numbers by themselves: the digits of a new UID are of no one, and may hold any of them.
    secrets = ("Doe", r"(?<!\d)4711(?!\d)", "SECRET", "19700101", "20200102", "St Elsewhere", "A9", "101112", "Model X")
    for path in (tmp_path / "out").iterdir():
        content = path.read_bytes()
        assert not [secret for secret in secrets if re.search(secret.encode(), content)]
        assert source.SOPInstanceUID.encode() not in content
    for data in files:
        assert data.PatientIdentityRemoved == "YES" and data.LongitudinalTemporalInformationModified == "REMOVED"
        assert [code.CodeValue for code in data.DeidentificationMethodCodeSequence] == ["113100", "113105"]
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "ContentDate"):
            assert data[keyword].VM == 0, keyword
        assert data.StudyInstanceUID.startswith("2.25.") and data.FrameOfReferenceUID.startswith("2.25.")
        assert data.SeriesDescription.startswith("SYNTHETIC") and "Synthetic" in data.DerivationDescription
    assert len({(data.StudyInstanceUID, data.FrameOfReferenceUID) for data in files}) == 1
    back = read_volume(tmp_path / "out")
    assert back.same_grid(volume) and np.abs(back.array - image.array).max() <= 0.5


def test_one_study_stays_one(tmp_path):
    volume = write_source(tmp_path / "s")
    uids = [
        written(tmp_path, volume, translated(volume), name=name, deidentify=True)[0].StudyInstanceUID
        for name in ("one", "two")
    ]
    assert uids[0] == uids[1] != "1.2"
