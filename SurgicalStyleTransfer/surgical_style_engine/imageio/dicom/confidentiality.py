"""What of a patient goes into a derived series, and what stays out of it where it is to name no one.

By the Basic Application Level Confidentiality Profile (DICOM PS3.15, Annex E, table E.1-1), for the attributes that a
derived series has at all: its header is made from lists, so that whatever no list names is not in it.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from surgical_style_engine.common.version import __version__

from .tags import SOFTWARE

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Copied from the source: by what archives and people know the patient, and what measurements refer to. Address, phone,
# comments, occupation, rank, religion and the like serve nobody who looks at an image, and stay behind.
OF_THE_PATIENT = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "OtherPatientIDsSequence",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "QualityControlSubject",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
)
# Table E.1-1, action Z: there, and empty.
_EMPTIED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "ContentDate",
    "ContentTime",
)
# Actions X, X/Z, X/D: gone. References to the source, and the source's equipment, could be followed to the patient.
_REMOVED = (
    "TimezoneOffsetFromUTC",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "ConsultingPhysicianName",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "ProcedureCodeSequence",
    "ReferencedStudySequence",
    "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "SeriesDate",
    "SeriesTime",
    "InstanceCreationDate",
    "InstanceCreationTime",
    "SourceImageSequence",
    "ReferencedSeriesSequence",
    "PixelSpacingCalibrationDescription",
)
# Action U: replaced, the same by the same. The new series' own are new anyway.
_REPLACED = ("StudyInstanceUID", "FrameOfReferenceUID")
_PATIENT_GROUPS = (0x0010, 0x0012)
_ROOT = "2.25."
_KEY = secrets.token_bytes(32)  # of this run: nobody can find out by trying which study became which
_METHOD = f"{SOFTWARE} {__version__}: Basic Application Confidentiality Profile; pixels as they are"
_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),  # descriptions are this software's own words
)


def deidentify(file: Dataset) -> None:
    """Take out of one file of a derived series, in place, what could say whose it is.

    Pixels stay as they are: a head can be recognised by its face, and text in a picture can be read.

    Args:
        file: As ``derived.slice_file`` builds it.
    """
    from pydicom.datadict import keyword_for_tag
    from pydicom.dataset import Dataset

    for tag in list(file.keys()):
        if tag.group in _PATIENT_GROUPS and keyword_for_tag(tag) not in _EMPTIED:
            del file[tag]
    for keyword in _REMOVED:
        if keyword in file:
            delattr(file, keyword)
    for keyword in _EMPTIED:
        if keyword in file or keyword.startswith("Patient"):
            setattr(file, keyword, None)
    for keyword in _REPLACED:
        if keyword in file:
            setattr(file, keyword, _replaced(str(file[keyword].value)))
    file.ContributingEquipmentSequence = [
        item for item in file.get("ContributingEquipmentSequence") or [] if item.get("Manufacturer") == SOFTWARE
    ]
    for item in file.ContributingEquipmentSequence:
        if "ContributionDateTime" in item:
            del item.ContributionDateTime
    file.PatientIdentityRemoved = "YES"
    file.DeidentificationMethod = _METHOD[:64]
    codes = []
    for value, meaning in _CODES:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        codes.append(code)
    file.DeidentificationMethodCodeSequence = codes
    file.LongitudinalTemporalInformationModified = "REMOVED"


def _replaced(uid: str) -> str:
    """Another UID, the same for the same one within this run."""
    digest = hashlib.blake2b(uid.encode(), key=_KEY, digest_size=16).digest()
    return _ROOT + str(int.from_bytes(digest, "big"))
