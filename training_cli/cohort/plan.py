"""Which volumes `sst translate` is to translate, into which files, each with which mask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.dicom.source import is_radiograph
from surgical_style_engine.imageio.dicom.target import check_output_folder
from surgical_style_engine.imageio.formats import DICOM_ENDINGS, VOLUME_ENDINGS, WRITABLE_ENDINGS, ending_of
from surgical_style_engine.imageio.write import check_output

from .checks import check_exist, check_folders_of
from .matching import stem, told_match
from .tree import Tree, match_below, volumes_below


@dataclass(frozen=True)
class Job:
    """One volume to translate.

    Attributes:
        source: Its file, or its DICOM folder.
        output: What is written.
        mask: The mask's file, if any.
        paired: What is to be told of how that was found.
        volume: Its path below the cohort's folder, with slashes.
        sidecar: What is written beside the output, in a data set of derivatives; else None.
        others: Files of the other inputs of a route of several, in its order.
    """

    source: Path
    output: Path
    mask: Path | None
    paired: tuple[str, ...] = ()
    volume: str = ""
    sidecar: Path | None = None
    others: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """What files about the volume begin with; other than that of every other volume of the cohort."""
        parent = Path(self.volume).parent.parts
        return "_".join([*parent, stem(self.source)])


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes:
        jobs: The volumes.
        single: One volume was named, and no folder of them.
        problems: Folders of which it cannot be said what they hold, or volumes that lack another input, and why.
    """

    jobs: list[Job]
    single: bool
    problems: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def paired(self) -> list[str]:
        """What is to be told of masks and other inputs."""
        return [sentence for job in self.jobs for sentence in job.paired]


def plan(
    source: Path,
    output: Path,
    pattern: str,
    mask: Path | None,
    dicom: bool = False,
    others: Sequence[tuple[str, Path]] = (),
) -> Plan:
    """The volumes to translate.

    Args:
        source: a volume's file or DICOM folder, or a folder of volumes.
        output: the file to write; for a folder of volumes, or with dicom, a folder.
        pattern: names of the volumes in a folder.
        mask: labelmap of a volume, or a folder of them.
        dicom: whether DICOM series are to be written.
        others: contrasts of the other inputs of a route of several, each with its volume, or its folder.

    Raises:
        InputError: where something is not there, or input and output do not go together.
    """
    check_exist(source, mask, *(path for _, path in others))
    check_folders_of(output)
    # A folder that is its own output is looked into, so that the files that would be overwritten can be named.
    leave_out = [] if output.resolve() == source.resolve() else [output]
    tree = volumes_below(source, pattern, leave_out)
    sources = tree.volumes
    if dicom:
        _check_dicom(source, sources, output)
    if sources == [source]:
        if not dicom:
            check_output(output)
        job = Job(source, output, *masks_of(tree, mask)[0], others=tuple(path for _, path in others))
        return Plan([job], single=True)
    jobs, problems = _jobs(tree, output, mask, dicom), list(tree.problems)
    for contrast, folder in others:
        jobs = _with_others(jobs, tree, contrast, folder, problems)
    return Plan(jobs, single=False, problems=problems)


def check_folder_of_results(source: Path, count: int, output: Path) -> None:
    """Raise InputError unless the output's name can be that of a folder.

    Args:
        source: The cohort's folder.
        count: How many volumes it has.
        output: Where the results are to go.
    """
    if output.is_file() or ending_of(output) in (*VOLUME_ENDINGS, *WRITABLE_ENDINGS, *DICOM_ENDINGS):
        raise InputError(
            f"{source} is a folder of {count} volumes, so the output must be a folder, and {output.name} is the "
            "name of a file."
        )


def output_of(tree: Tree, path: Path, folder: Path, ending: str | None = None) -> Path:
    """The file that a volume of a cohort becomes, in the same folders as the volume.

    Args:
        tree: The cohort.
        path: One of its volumes.
        folder: Of the results.
        ending: Of the file; that of the volume if None, or the closest that can be written without a loss.
    """
    if ending is None:
        ending = ending_of(path) if path.is_file() and ending_of(path) in WRITABLE_ENDINGS else ".nii.gz"
        ending = ".png" if ending in (".jpg", ".jpeg") else ending  # not to lose anything more
    return folder / tree.place(path).parent / f"{stem(path)}_synthetic{ending}"


def _jobs(tree: Tree, output: Path, mask: Path | None, dicom: bool) -> list[Job]:
    check_folder_of_results(tree.root, len(tree.volumes), output)
    jobs = []
    for path, (mask_file, paired) in zip(tree.volumes, masks_of(tree, mask), strict=True):
        written = output_of(tree, path, output, "" if dicom else None)
        jobs.append(Job(path, written, mask_file, paired, tree.place(path).as_posix()))
    outputs = Counter(job.output for job in jobs)
    if twice := [path for path, count in outputs.items() if count > 1]:
        raise InputError(f"Two inputs would both become {twice[0].name}; narrow them down with --pattern.")
    return jobs


def _with_others(
    jobs: Sequence[Job], tree: Tree, contrast: str, folder: Path, problems: list[tuple[Path, str]]
) -> list[Job]:
    """Each job with the volume of a further contrast that goes with its source by name; who lacks one is a problem."""
    matched = dict(zip(tree.volumes, match_below(tree, folder, contrast), strict=True))
    result = []
    for job in jobs:
        path = matched[job.source]
        if path is None:
            problems.append((job.source, f"No {contrast} in {folder} goes with {job.source.name}."))
            continue
        told = (*job.paired, *told_match(job.source, path, contrast))
        result.append(replace(job, others=(*job.others, path), paired=told))
    if not result:
        raise InputError(f"No {contrast} in {folder} goes with a volume in {tree.root}.")
    return result


def masks_of(tree: Tree, mask: Path | None) -> list[tuple[Path | None, tuple[str, ...]]]:
    """The mask of every volume and what is to be told of it.

    That is the named file for a single volume, else that of a folder that goes with it by name.

    Args:
        tree: The volumes.
        mask: A labelmap, or a folder of them; None for none.

    Raises:
        InputError: Where a volume has none.
    """
    sources = tree.volumes
    if mask is None:
        return [(None, ())] * len(sources)
    if len(sources) == 1 and volumes_below(mask, what="mask").volumes == [mask]:
        return [(mask, ())]
    if mask.is_file():
        raise InputError(f"{mask.name} is one mask for {len(sources)} volumes; give a folder with a mask of each.")
    matched = match_below(tree, mask, "mask")
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
