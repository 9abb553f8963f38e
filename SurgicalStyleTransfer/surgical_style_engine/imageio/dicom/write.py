"""DICOM output: an image made of a series as a new series of the same study, whole or not at all.

The tags come from ``derived``, the stored numbers from ``scale``, the source's headers from ``source``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surgical_style_engine.common.atomic_write import replacing_folder
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.itk import silent_itk
from surgical_style_engine.volumes.volume import Volume

from .confidentiality import deidentify
from .derived import series_tags, slice_file
from .read import read_dicom_folder
from .scale import Scale, choose_scale
from .silence import failures, silent_pydicom
from .source import SourceSeries, instance_numbers
from .target import Derivation, DicomTarget, check_holds, check_output_folder, class_of


def write_series(
    volume: Volume, source: SourceSeries, output: Path, target: DicomTarget, derivation: Derivation
) -> None:
    """Write the image of a series into a new folder, whole or not at all.

    One file a slice, numbered in the source's order; Part 10, explicit VR little endian. Values are rounded to whole
    multiples of a step: 1 in HU, and where the units are arbitrary and 1 is fine enough. The folder gets its name when
    all of it reads back as the same grid and values.

    Args:
        volume: (1, z, y, x) in the target's units, on the source's grid.
        source: The headers of the series it was made of.
        output: The new folder, missing or empty.
        target: The domain it is in.
        derivation: How it was made.

    Raises:
        InputError: For an image that DICOM cannot hold, or that is not one of this source.
        StyleTransferError: When writing fails, after which no new file is left.
    """
    check_holds(target)
    output = Path(output).resolve()
    check_output_folder(output)
    _check_image(volume, source, output, target)
    scale = choose_scale(float(volume.array.min()), float(volume.array.max()), target.units == "HU")
    try:
        with silent_pydicom():
            common = series_tags(source.slices, target, derivation, scale)
        numbers = instance_numbers(source.slices)
        with replacing_folder(output) as temporary:
            with silent_pydicom():
                for place, index in enumerate(sorted(range(len(numbers)), key=numbers.__getitem__), start=1):
                    pixels = scale.stored(volume.array[0, index])
                    file = slice_file(source.slices[index], common, pixels, numbers[index])
                    if derivation.deidentify:
                        deidentify(file)
                    file.save_as(temporary / f"{place:04d}.dcm", enforce_file_format=True)
            _check_written(temporary, volume, scale)
            if output.is_dir():
                output.rmdir()  # which fails if something came into it in the meantime
    except OSError as error:
        raise StyleTransferError(f"The output {output} cannot be written: {error.strerror or 'failure'}.") from None
    except failures():
        # pydicom's own words may repeat values, and with them what names the patient.
        raise StyleTransferError(
            f"The output {output} cannot be written: the source's headers do not allow it."
        ) from None


def _check_image(volume: Volume, source: SourceSeries, output: Path, target: DicomTarget) -> None:
    """Raise an error unless the volume can be an image of this source."""
    if source.is_radiograph != (class_of(target.modality) == "CR"):
        kinds = ("a radiograph", target.modality) if source.is_radiograph else ("a series of slices", "radiographs")
        raise InputError(f"The input is {kinds[0]}, but the model {target.model} gives {kinds[1]}.")
    if volume.channels != 1 or volume.array.shape[1] != len(source.slices):
        raise InputError("The translation does not have one grey slice for each of the source's.")
    if not np.isfinite(volume.array).all():
        raise InputError(f"The output {output.name} would hold NaN or infinite values.")
    if not output.parent.is_dir():
        raise StyleTransferError(f"The folder {output.parent} of the output does not exist.")


def _check_written(folder: Path, volume: Volume, scale: Scale) -> None:
    """Only a series that gives back grid and values may take the final name. Raises StyleTransferError."""
    try:
        with silent_itk():
            written = read_dicom_folder(folder)
    except InputError:
        raise StyleTransferError("The DICOM output cannot be read back; the disk may be full or failing.") from None
    bound = 0.5 * scale.slope * (1 + 1e-6) + np.finfo(np.float32).eps * float(np.abs(volume.array).max())
    if (
        written.array.shape != volume.array.shape
        or not np.allclose(written.spacing, volume.spacing, rtol=1e-9)
        or not np.allclose(written.origin, volume.origin, rtol=0, atol=1e-9)
        or not np.allclose(written.direction, volume.direction, rtol=0, atol=1e-9)
        or np.abs(written.array.astype(np.float64) - volume.array).max() > bound
    ):
        raise StyleTransferError("The DICOM output does not read back as the translation; nothing was kept.")
