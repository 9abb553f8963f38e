"""The voxels of DICOM slices and frames, in units: ITK's rescaling, and a scale of each frame's own."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.gate.elements import with_little_memory
from surgical_style_engine.imageio.itk import numpy_type

from .frames import stored_values
from .header import SliceHeader

if TYPE_CHECKING:
    import SimpleITK


def voxels(headers: list[SliceHeader], what: str) -> np.ndarray:
    """Read the voxels of slices or frames.

    Args:
        headers: In the order of the volume's slices.
        what: Begins the sentences of InputError.

    Returns:
        (c, z, y, x) in units, of a type that holds the values of all slices.

    Raises:
        InputError: For damaged files.
    """
    import SimpleITK as sitk

    types = {header.type for header in headers}
    # ITK's reader of series takes the first file's type for all, in which others' values would wrap round.
    if len(types) == 1 and all(header.frame is None for header in headers):
        array = sitk.GetArrayFromImage(_pixels([header.file for header in headers], what, _bytes_of(headers)))
    else:
        array = _slice_by_slice(headers, what)
    return np.ascontiguousarray(np.moveaxis(array, -1, 0)) if headers[0].components > 1 else array[None]


def _slice_by_slice(headers: list[SliceHeader], what: str) -> np.ndarray:
    """(z, y, x) or (z, y, x, c), each file read by itself and once."""
    import SimpleITK as sitk

    places: dict[str, list[int]] = {}
    for place, header in enumerate(headers):
        places.setdefault(header.file, []).append(place)
    scaled = {name for name, own in places.items() if len({(headers[i].slope, headers[i].intercept) for i in own}) > 1}
    types = [numpy_type(header.type) for header in headers] + [np.dtype(np.float32)] * bool(scaled)
    first = headers[0]
    plane_shape = (first.size[1], first.size[0], *((first.components,) if first.components > 1 else ()))
    slices = np.empty((len(headers), *plane_shape), np.result_type(*types))
    for name, own in places.items():
        if name in scaled:
            array = stored_values(name, what)
        else:
            array = sitk.GetArrayFromImage(_pixels([name], what, _bytes_of(headers)))
        if array.shape[1:] != plane_shape or len(array) <= max(headers[place].frame or 0 for place in own):
            raise InputError(f"{what} is damaged or truncated.")
        for place in own:
            header = headers[place]
            plane = array[header.frame or 0]
            if name in scaled:
                plane = plane * np.float64(header.slope) + np.float64(header.intercept)
            slices[place] = plane
    return slices


def _bytes_of(headers: list[SliceHeader]) -> int:
    """What all slices take, twice, as the widest type there is."""
    return 16 * sum(math.prod(header.size) * header.components for header in headers)


def _pixels(files: Sequence[str], what: str, needed: int) -> SimpleITK.Image:
    import SimpleITK as sitk

    reader: SimpleITK.ImageSeriesReader | SimpleITK.ImageFileReader
    if len(files) > 1:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(files)
    else:
        reader = sitk.ImageFileReader()
        reader.SetFileName(files[0])
    reader.SetImageIO("GDCMImageIO")
    try:
        with contextlib.ExitStack() as stack:
            for file in files:
                stack.enter_context(with_little_memory(file, needed))
            return reader.Execute()
    except (RuntimeError, MemoryError):
        raise InputError(f"{what} is damaged or truncated.") from None
