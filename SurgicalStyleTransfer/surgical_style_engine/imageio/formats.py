"""File formats by the endings of their names, and which files of a folder can be read."""

from __future__ import annotations

from pathlib import Path

from surgical_style_engine.errors import InputError

NIFTI_ENDINGS = (".nii.gz", ".nii")
META_ENDINGS = (".mha", ".mhd")
NRRD_ENDINGS = (".nrrd", ".nhdr")
VOLUME_ENDINGS = (*NIFTI_ENDINGS, *NRRD_ENDINGS, *META_ENDINGS)
JPEG_ENDINGS = (".jpg", ".jpeg")
PICTURE_ENDINGS = (".png", *JPEG_ENDINGS, ".tif", ".tiff")
DICOM_ENDINGS = (".dcm", ".ima")
READABLE_ENDINGS = VOLUME_ENDINGS + PICTURE_ENDINGS + DICOM_ENDINGS
WRITABLE_ENDINGS = (*NIFTI_ENDINGS, ".nrrd", *META_ENDINGS, *PICTURE_ENDINGS)


def ending_of(path: Path | str) -> str:
    """Return the file ending that decides the format, lower case.

    Args:
        path: A file's name. Only one with an unknown ending is looked into.

    Returns:
        The ending: ".nii.gz" counts as one, and DICOM files without an ending of their own have ".dcm".

    Example:
        >>> ending_of("patient/T1W.NII.GZ")
        '.nii.gz'
    """
    ending = last_part(Path(path))
    return ".dcm" if ending not in READABLE_ENDINGS and is_dicom(path) else ending


def last_part(path: Path) -> str:
    """Return the ending by the name alone, lower case; ".nii.gz" counts as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def is_dicom(path: Path | str) -> bool:
    """Whether a file has DICOM's mark at byte 128; scanners often leave the ending out. A DICOMDIR is no image."""
    path = Path(path)
    try:
        if path.name.upper() == "DICOMDIR" or not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def is_volume_file(path: Path | str) -> bool:
    """Whether a path is a file whose ending (or DICOM mark) names a format that can be read."""
    path = Path(path)
    return not path.name.startswith(".") and ending_of(path) in READABLE_ENDINGS and path.is_file()


def list_volumes(folder: Path | str) -> list[Path]:
    """Return the readable files directly in a folder, by name.

    Raises:
        InputError: Where it is no folder, or one that cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder." if folder.exists() else f"The folder {folder} does not exist.")
    try:
        return sorted(path for path in folder.iterdir() if is_volume_file(path))
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be read: {error.strerror}.") from None
