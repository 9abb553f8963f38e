"""Which volumes `sst translate` is to translate, into which files, each with which mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.dicom.source import is_radiograph
from surgical_style_engine.imageio.dicom.target import check_output_folder
from surgical_style_engine.imageio.formats import DICOM_ENDINGS, VOLUME_ENDINGS, WRITABLE_ENDINGS, ending_of
from surgical_style_engine.imageio.write import check_output

from .checks import check_exist, check_folders_of
from .matching import match_all, stem, told_match, volumes_in


@dataclass(frozen=True)
class Job:
    """One volume to translate; the mask's file, if any. paired: what is to be told of how that was found."""

    source: Path
    output: Path
    mask: Path | None
    paired: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What to do. single: one volume was named, and no folder of them."""

    jobs: list[Job]
    single: bool

    @property
    def paired(self) -> list[str]:
        """What is to be told of the masks."""
        return [sentence for job in self.jobs for sentence in job.paired]


def plan(source: Path, output: Path, pattern: str, mask: Path | None, dicom: bool = False) -> Plan:
    """The volumes to translate.

    Args:
        source: a volume's file or DICOM folder, or a folder of volumes.
        output: the file to write; for a folder of volumes, or with dicom, a folder.
        pattern: names of the volumes in a folder.
        mask: labelmap of a volume, or a folder of them.
        dicom: whether DICOM series are to be written.

    Raises:
        InputError: where something is not there, or input and output do not go together.
    """
    check_exist(source, mask)
    check_folders_of(output)
    sources = volumes_in(source, pattern)
    if dicom:
        _check_dicom(source, sources, output)
    if sources == [source]:
        if not dicom:
            check_output(output)
        return Plan([Job(source, output, *_masks(sources, mask)[0])], single=True)
    return Plan(_jobs(source, sources, output, mask, dicom), single=False)


def _jobs(source: Path, sources: list[Path], output: Path, mask: Path | None, dicom: bool) -> list[Job]:
    if output.is_file() or ending_of(output) in (*VOLUME_ENDINGS, *WRITABLE_ENDINGS, *DICOM_ENDINGS):
        raise InputError(
            f"{source} is a folder of {len(sources)} volumes, so the output must be a folder, and {output.name} is the "
            "name of a file."
        )
    jobs = []
    for path, (mask_file, paired) in zip(sources, _masks(sources, mask), strict=True):
        ending = ending_of(path) if path.is_file() and ending_of(path) in WRITABLE_ENDINGS else ".nii.gz"
        ending = ".png" if ending in (".jpg", ".jpeg") else ending  # not to lose anything more
        ending = "" if dicom else ending
        jobs.append(Job(path, output / f"{stem(path)}_synthetic{ending}", mask_file, paired))
    names = [job.output.name for job in jobs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"Two inputs would both become {twice[0]}; narrow them down with --pattern.")
    return jobs


def _masks(sources: Sequence[Path], mask: Path | None) -> list[tuple[Path | None, tuple[str, ...]]]:
    """The mask of every volume and what is to be told of it.

    That is the named file for a single volume, else that of a folder that goes with it by name. Raises InputError.
    """
    if mask is None:
        return [(None, ())] * len(sources)
    masks = volumes_in(mask, what="mask")
    if masks == [mask] and len(sources) == 1:
        return [(mask, ())]
    if mask.is_file():
        raise InputError(f"{mask.name} is one mask for {len(sources)} volumes; give a folder with a mask of each.")
    matched = match_all(sources, masks, "mask")
    for path, mask_file in zip(sources, matched, strict=True):
        if mask_file is None:
            raise InputError(f"No mask in {mask} goes with {path.name}.")
    return [(file, tuple(told_match(path, file, "mask"))) for path, file in zip(sources, matched, strict=True)]


def _check_dicom(source: Path, sources: Sequence[Path], output: Path) -> None:
    """Raise InputError unless a new DICOM series can be made of the input, in a folder of its own."""
    if strange := [path.name for path in sources if not path.is_dir() and not is_radiograph(path)]:
        raise InputError(f"--dicom needs a folder with a DICOM series as input, which {strange[0]} is not.")
    if ending_of(output) in (*WRITABLE_ENDINGS, ".dcm"):
        raise InputError(f"With --dicom the output is a folder, and {output.name} is the name of a file.")
    if sources == [source]:
        check_output_folder(output)
