"""Folders of DICOM slices with something odd among them."""

import os
from pathlib import Path

from .dicom import MR, VOXELS, slices, whole
from .registry import READ, add, case

add("series/good", slices, READ)
CHANGES = {
    "one-short": {"t7fe00010": ("OW", VOXELS[:-40])},
    "one-empty": {"t7fe00010": ("OW", b"")},
    "one-of-another-patient": {"t00100020": ("LO", "ID-4712"), "t00100010": ("PN", "Roe^Richard")},
    "one-of-another-identifier": {"t00100020": ("LO", "ID-4712")},
    "one-without-a-patient": {"t00100020": ("LO", ""), "t00100010": ("PN", "Roe^Richard")},
    "one-of-another-size": {"t00280010": ("US", 10), "t00280011": ("US", 12), "t00280030": ("DS", r"1\2")},
    "one-at-the-same-place": {"t00200032": ("DS", r"0\0\0")},
    "one-far-away": {"t00200032": ("DS", r"0\0\900")},
    "one-turned": {"t00200037": ("DS", r"0\1\0\1\0\0")},
    "one-without-a-place": {"t00200032": None},
    "one-of-three-samples": {"t00280002": ("US", 3)},
    "one-without-samples": {"t00280002": ("US", 0)},
    "one-of-32-bits": {"t00280100": ("US", 32), "t00280101": ("US", 32), "t00280102": ("US", 31)},
    "one-with-nan-slope": {"t00281052": ("DS", "0"), "t00281053": ("DS", "nan")},
    "one-of-65535-rows": {"t00280010": ("US", 65535), "t00280011": ("US", 65535)},
    "one-of-another-frame": {"t00200052": ("UI", "1.2.10")},
    "one-with-slope-1e300": {"t00281052": ("DS", "0"), "t00281053": ("DS", "1e300")},
    "one-of-another-series": {"t0020000e": ("UI", "1.2.4")},
}
for _name, _changes in CHANGES.items():
    add(f"series/{_name}", lambda folder, changes=_changes: slices(folder, **changes))
CHANGES_TOLERATED = {
    "one-of-another-study": {"t0020000d": ("UI", "1.7")},
    "one-with-slope-0": {"t00281052": ("DS", "0"), "t00281053": ("DS", "0")},
    "one-of-another-name": {"t00100010": ("PN", "DOE^JANE")},
}
for _name, _changes in CHANGES_TOLERATED.items():
    add(f"series/{_name}", lambda folder, changes=_changes: slices(folder, **changes), READ)


@case("series/link-to-itself")
def link_to_itself(folder: Path) -> Path:
    slices(folder)
    (folder / "loop.dcm").symlink_to("loop.dcm")
    return folder


@case("series/link-to-nothing")
def link_to_nothing(folder: Path) -> Path:
    slices(folder)
    (folder / "gone.dcm").symlink_to("nowhere.dcm")
    return folder


@case("series/a-pipe-among-them", READ)
def a_pipe(folder: Path) -> Path:
    slices(folder)
    os.mkfifo(folder / "pipe.dcm")
    return folder


@case("series/an-endless-device-among-them", READ)
def a_device(folder: Path) -> Path:
    slices(folder)
    (folder / "zero.dcm").symlink_to("/dev/zero")
    return folder


@case("series/only-a-pipe")
def only_a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.dcm")
    return folder


@case("series/nothing")
def nothing(folder: Path) -> Path:
    return folder


@case("series/a-link-to-the-folder", READ)
def a_link_to_the_folder(folder: Path) -> Path:
    slices(folder)
    (folder / "again").symlink_to(folder)
    return folder


@case("series/only-a-dicomdir")
def only_a_dicomdir(folder: Path) -> Path:
    (folder / "DICOMDIR").write_bytes(whole(t00080016=("UI", "1.2.840.10008.1.3.10"), t7fe00010=None))
    return folder


@case("series/a-sparse-giant-among-them")
def a_sparse_giant(folder: Path) -> Path:
    slices(folder)
    with (folder / "giant.dcm").open("wb") as stream:
        stream.write(whole(t0020000e=("UI", "1.2.5"), t00080016=("UI", MR)))
        stream.truncate(50 << 30)
    return folder
