"""Which files of a folder make up a DICOM series."""

from __future__ import annotations

from pathlib import Path

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import is_dicom
from surgical_style_engine.imageio.itk import silent_itk

from .header import read_header


def select_series(folder: Path, series: str | None = None) -> tuple[str, ...]:
    """Choose the series of images that lies directly in a folder.

    Args:
        folder: Where to look.
        series: The UID that picks one of several.

    Returns:
        The names of its files, in GDCM's order.

    Raises:
        InputError: For no series of images, several of them (listed with description, number of files and UID), a UID
            that is not there, and files of the series that are cut short.
    """
    import SimpleITK as sitk

    files = {
        uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    }
    # Reports, contours and registrations are DICOM series without pixels.
    firsts = {uid: read_header(names[0]) for uid, names in files.items()}
    images = {uid: first for uid, first in firsts.items() if first is not None}
    if not images:
        raise InputError(f"The folder {folder} holds no DICOM images that can be read.")
    if series is None and len(images) > 1:
        listed = "; ".join(
            f"'{first.tags.get('SeriesDescription') or 'no description'}' "
            f"({len(files[uid])} {'file' if len(files[uid]) == 1 else 'files'}, UID {uid})"
            for uid, first in images.items()
        )
        raise InputError(f"The folder {folder} holds {len(images)} series, choose one by its UID: {listed}.")
    chosen = next(iter(images)) if series is None else series
    if chosen not in images:
        raise InputError(f"The folder {folder} holds no image series {series}.")
    _refuse_lost_files(folder, chosen, {Path(name).name for names in files.values() for name in names})
    return files[chosen]


def files_of_all_series(folder: Path) -> list[str]:
    """Return all files that make up DICOM series in a folder, as reading finds them."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader
    with silent_itk():
        series = reader.GetGDCMSeriesIDs(str(folder))
        return [name for uid in series for name in reader.GetGDCMSeriesFileNames(str(folder), uid)]


def _refuse_lost_files(folder: Path, series: str, listed: set[str]) -> None:
    """GDCM leaves truncated images out of their series without a word, so that a volume would just be shorter."""
    for path in sorted(folder.iterdir()):
        if path.name in listed or not is_dicom(path):
            continue
        data = path.read_bytes()
        # Only images have Rows (0028,0010), in explicit or implicit notation; reports and contours have none.
        if series.encode() in data and (b"\x28\x00\x10\x00US\x02\x00" in data or b"\x28\x00\x10\x00\x02" in data):
            raise InputError(f"The DICOM series in {folder} has a damaged or truncated file, {path.name}.")
