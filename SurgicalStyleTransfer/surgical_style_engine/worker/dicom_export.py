"""A kept translation as a DICOM series derived from the files of its input, for the panel."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from surgical_style_engine.app.translate_case import adjust_case
from surgical_style_engine.common.plain_reasons import shown
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.dicom.source import open_series
from surgical_style_engine.imageio.gate.regular import is_regular
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.dicom_output import check_target, write_dicom_series
from surgical_style_engine.volumes.volume import Volume

from .kept import Kept

_NEAR_MM, _NEAR = 0.01, 1e-3  # how far Slicer's place of a volume may be from its files'


def export_dicom(kept: Kept, files: Sequence[Path], output: Path) -> int:
    """Write a kept translation, as it was delivered last, as a new series of its input's study.

    Args:
        kept: the translation.
        files: of the series that its input was loaded from.
        output: new folder, missing or empty.

    Returns:
        How many files were written.

    Raises:
        InputError: where the files are not the input's, or DICOM cannot hold the image.
        StyleTransferError: where writing fails; no file is left then.
    """
    target = check_target(kept.model.card, kept.direction)
    translation, _notes = adjust_case(kept.case(kept.translation.strength, kept.adjustments), kept.translation)
    with _one_folder(files) as folder:
        source = read_volume(folder)
        image = _on_grid_of(source, translation.volume)
        write_dicom_series(
            image,
            open_series(folder, source, target),
            output,
            kept.model.card,
            kept.direction,
            strength=translation.strength,
            masked=kept.mask is not None,
            mixed=translation.mixed,
            adjustments=kept.adjustments,
        )
    return len(files)


def _on_grid_of(source: Volume, image: Volume) -> Volume:
    """An image with exactly the place of the files: Slicer's is rounded, and may run through the slices the other way.

    Raises:
        InputError: where it lies elsewhere.
    """
    if not source.is_2d and np.linalg.det(image.direction) * np.linalg.det(source.direction) < 0:
        last = image.array.shape[1] - 1
        x, y, z = (np.asarray(image.origin) + image.direction[:, 2] * image.spacing[2] * last).tolist()
        image = replace(
            image,
            array=np.ascontiguousarray(image.array[:, ::-1]),
            origin=(x, y, z),
            direction=image.direction * (1, 1, -1),
        )
    is_same = image.array.shape == source.array.shape and (
        source.is_2d
        or (
            np.allclose(image.spacing, source.spacing, atol=_NEAR)
            and np.allclose(image.origin, source.origin, atol=_NEAR_MM)
            and np.allclose(image.direction, source.direction, atol=_NEAR)
        )
    )
    if not is_same:
        raise InputError("The input volume no longer lies where its DICOM files say; export it as another format.")
    return replace(image, spacing=source.spacing, origin=source.origin, direction=source.direction, is_2d=source.is_2d)


@contextlib.contextmanager
def _one_folder(files: Sequence[Path]) -> Iterator[Path]:
    """A folder with these files only: Slicer's database may keep several series in one folder, or one in several."""
    for file in files:
        if not is_regular(file):
            raise InputError(f"The DICOM file {shown(file.name)} of the input is no longer there.")
    with tempfile.TemporaryDirectory() as name:
        for number, file in enumerate(files):
            link = Path(name) / f"{number:06d}.dcm"
            try:
                os.link(file, link)
            except OSError:  # another disk, or a file system without links
                shutil.copyfile(file, link)
        yield Path(name)
