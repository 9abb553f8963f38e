"""SimpleITK as this package uses it: without its noise, and asked for a file's header alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import SimpleITK


@contextlib.contextmanager
def silent_itk() -> Iterator[None]:
    """Without ITK's warnings on stderr, which are the whole process's setting (Slicer has its own)."""
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def read_information(path: Path | str) -> SimpleITK.ImageFileReader:
    """Return a reader that knows a file's header, not its voxels. Raises RuntimeError for what ITK cannot read."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


def numpy_type(pixel_id: int) -> np.dtype:
    """Return the numpy type of SimpleITK's number of a pixel type."""
    import SimpleITK as sitk

    return sitk.GetArrayViewFromImage(sitk.Image([1, 1, 1], pixel_id)).dtype
