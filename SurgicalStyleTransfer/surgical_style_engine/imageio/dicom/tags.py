"""The DICOM tags and classes that reading and writing go by: what is looked at, kept, needed, and left behind."""

from __future__ import annotations

import re

SOFTWARE = "SurgicalStyleTransfer"

# Reading.
# Tags that say what an image is; anything that could say whose it is stays behind.
HARMLESS_TAGS = {
    "0008|0060": "Modality",
    "0008|103e": "SeriesDescription",
    "0018|0010": "ContrastBolusAgent",
    "0018|0020": "ScanningSequence",
    "0018|0022": "ScanOptions",
    "0018|0050": "SliceThickness",
    "0018|0080": "RepetitionTime",
    "0018|0081": "EchoTime",
    "0018|0082": "InversionTime",
    "0028|0004": "PhotometricInterpretation",
    "0028|1054": "RescaleType",
    "0054|1001": "Units",
}
# Free texts, into which some type the patient's name: left out where they hold a part of it.
FREE_TEXTS = ("SeriesDescription", "ContrastBolusAgent")
# Name, identifiers, other names, birth date: read only to keep them out of free texts.
NAMES_OF_THE_PATIENT = ("0010|0010", "0010|0020", "0010|1000", "0010|1001", "0010|0030", "0008|0050")
# Radiographs and photographs have no place in the patient: plane pictures, stored as volumes of one slice.
PICTURE_MODALITIES = {"CR", "DX", "ES", "GM", "IO", "MG", "OP", "OT", "PX", "RF", "SC", "XA", "XC"}
# Slices of these have one; without it they would lie anywhere, with pixels of 1 mm.
PLACED_MODALITIES = {"CT", "MR", "PT"}
PLACE_TAGS = {
    "0020|0032": ("ImagePositionPatient", 3),
    "0020|0037": ("ImageOrientationPatient", 6),
    "0028|0030": ("PixelSpacing", 2),
}
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Classes that state places frame by frame: enhanced and legacy converted CT, MR and PET, X-ray in 3-D.
FRAME_KINDS = {
    _STORAGE + kind for kind in ("2.1", "2.2", "4.1", "4.3", "4.4", "128.1", "130", "13.1.1", "13.1.2", "13.1.3")
}
SECONDARY_CAPTURE = f"{_STORAGE}7"  # and .7.1 to .7.4: screenshots, reports as images, scanned films
SEGMENTATION = re.compile(re.escape(f"{_STORAGE}66.4").encode() + rb"(?![0-9.])")

# Writing.
# What a domain's modality is written as: SOP class, and the third value of ImageType that the class allows.
SOP_CLASSES = {
    "MR": ("1.2.840.10008.5.1.4.1.1.4", "OTHER"),
    "CT": ("1.2.840.10008.5.1.4.1.1.2", "AXIAL"),
    "CR": ("1.2.840.10008.5.1.4.1.1.1", "OTHER"),
}
# All radiographs become CR images: the classes of digital X-ray demand what only a detector can say.
RADIOGRAPHS = {"CR", "DX", "DR", "RG"}
TRIAL_GROUP = 0x0012  # the trial that the patient is in, and how far the source is de-identified
NOT_OF_THE_PATIENT = (0x00120071, 0x00120072)  # what the trial calls the source series
# Kept where the source has them: character set and time zone, study, what was imaged and when, place.
KEPT = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "ReferringPhysicianName",
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
    "AcquisitionNumber",
    "BodyPartExamined",
    "AnatomicRegionSequence",
    "Laterality",
    "ImageLaterality",
    "PatientPosition",
    "AnatomicalOrientationType",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SliceLocation",
    "RecognizableVisualFeatures",
    "LongitudinalTemporalInformationModified",
)
# Must be there, but may be empty.
EMPTY_IF_UNKNOWN = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "PatientPosition",
    "PositionReferenceIndicator",
    "SliceThickness",
    "AcquisitionNumber",
)
NEEDED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
)
# Radiographs have no place in the patient; instead of the tags that say it, these are kept.
NEEDED_OF_RADIOGRAPHS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Rows",
    "Columns",
)
NOT_OF_RADIOGRAPHS = {
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SliceLocation",
    "PatientPosition",
    "AcquisitionNumber",
    "AnatomicRegionSequence",
    "RecognizableVisualFeatures",
    "LongitudinalTemporalInformationModified",
}
OF_RADIOGRAPHS = (
    "ViewPosition",
    "PatientOrientation",
    "ImagerPixelSpacing",
    "PixelSpacingCalibrationType",
    "PixelSpacingCalibrationDescription",
)
EMPTY_IF_UNKNOWN_OF_RADIOGRAPHS = ("BodyPartExamined", "ViewPosition", "PatientOrientation")
COUNT_OF_NUMBERS = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
ONE_A_SERIES = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
EQUIPMENT = (
    "Manufacturer",
    "InstitutionName",
    "ManufacturerModelName",
    "SoftwareVersions",
)
# Type 1 and 2 of each class that a generator cannot know: it has no pulse sequence and no tube. "RM" is the standard's
# "research mode".
UNKNOWN_OF_CLASS: dict[str, dict[str, str | None]] = {
    "MR": {
        "ScanningSequence": "RM",
        "SequenceVariant": "NONE",
        "ScanOptions": None,
        "MRAcquisitionType": None,
        "RepetitionTime": None,
        "EchoTime": None,
        "EchoTrainLength": None,
    },
    "CT": {"KVP": None},
}
# Text is copied as bytes: decoded and encoded again, wrong character sets and the last digits would suffer.
TEXT_VRS = frozenset("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split())
