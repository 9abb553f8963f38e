"""Made-up DICOM files for tests: slices, series and frames to read, and series to derive others from."""

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.dicom.source import open_series
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard, Weights
from surgical_style_engine.models.dicom_output import write_dicom_series
from surgical_style_engine.volumes.normalization import HUWindow, LinearLandmarks, PercentileLandmarks, RobustPercentile

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid  # noqa: E402

MR, CT = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"
ENHANCED = {"MR": "1.2.840.10008.5.1.4.1.1.4.1", "CT": "1.2.840.10008.5.1.4.1.1.2.1"}
SHA = "0123456789abcdef" * 4
SHAPE = (5, 8, 6)  # z, y, x
# Digits that no number survives a conversion with.
SPACING = r"0.30000000000001\0.2500"


def axes_of(direction) -> tuple:
    return (*direction[:, 0], *direction[:, 1])


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


def rotation(x, y, z) -> np.ndarray:
    return np.asarray(sitk.Euler3DTransform((0, 0, 0), x, y, z).GetMatrix()).reshape(3, 3)


def bad(path, sentence: str, **arguments) -> str:
    with pytest.raises(InputError, match=sentence) as caught:
        read_volume(path, **arguments)
    message = str(caught.value)
    assert path.name in message and "\n" not in message and "Doe" not in message and message.endswith(".")
    return message


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


def refused(call, *words):
    """The one sentence of the InputError a call ends with."""
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert "\n" not in text and text.endswith(".") and "Doe" not in text and "4711" not in text
    return text
