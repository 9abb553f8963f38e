"""What is no file, or no usual one, under the names of image files."""

import os
from pathlib import Path

from . import dicom, meta, nifti, nrrd, pictures
from .registry import READ, add, case, written

WHOLE = {
    ".nii": nifti.whole(),
    ".nii.gz": nifti.PACKED,
    ".mha": meta.header() + meta.VOXELS,
    ".nrrd": nrrd.header() + nrrd.VOXELS,
    ".png": pictures.png(),
    ".jpg": pictures.JPEG,
    ".tif": pictures.changed(),
    ".dcm": dicom.whole(),
}


def _pipe(name):
    def make(folder: Path) -> Path:
        os.mkfifo(folder / name)
        return folder / name

    return make


def _linked(name, target):
    def make(folder: Path) -> Path:
        (folder / name).symlink_to(target)
        return folder / name

    return make


def _sparse(name, start, size):
    def make(folder: Path) -> Path:
        with (folder / name).open("wb") as stream:
            stream.write(start)
            stream.truncate(size)
        return folder / name

    return make


for _ending, _data in WHOLE.items():
    _kind = _ending[1:]
    add(f"files/pipe-{_kind}", _pipe(f"v{_ending}"))
    add(f"files/endless-{_kind}", _linked(f"v{_ending}", "/dev/zero"))
    add(f"files/loop-{_kind}", _linked(f"v{_ending}", f"v{_ending}"))
    add(f"files/sparse-zeros-{_kind}", _sparse(f"v{_ending}", b"", 50 << 30))
    add(f"files/sparse-behind-a-header-{_kind}", _sparse(f"v{_ending}", _data, 50 << 30))
    add(f"files/empty-{_kind}", written(f"v{_ending}", b""))
    add(f"files/text-{_kind}", written(f"v{_ending}", b"hello\n"))
for _name, _other in ((".nii", ".nrrd"), (".nrrd", ".mha"), (".mha", ".nii"), (".png", ".tif"), (".dcm", ".png")):
    add(f"files/{_other[1:]}-called-{_name[1:]}", written(f"v{_name}", WHOLE[_other]))
add("files/unknown-ending", written("v.xyz", nifti.whole()))
add("files/null", lambda folder: Path("/dev/null"))
add("files/missing", lambda folder: folder / "missing.nii")
add("files/long-name", lambda folder: folder / ("x" * 5000 + ".nii"))
add("files/nul-in-the-name", lambda folder: folder / "a\0b.nii")
add("files/surrogate-in-the-name", written("a\udcffb.nii", nifti.whole()))
add("files/escapes-in-the-name", written("\x1b]0;owned\x07.nii", nifti.whole()), READ)
add("files/line-break-in-the-name", written("a\nb.nii", nifti.whole()[:-1]))


@case("files/folder-called-nii")
def folder_called_nii(folder: Path) -> Path:
    (folder / "v.nii").mkdir()
    return folder / "v.nii"
