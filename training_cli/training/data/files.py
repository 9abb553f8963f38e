"""Which files a training reads: the volumes of a domain, registered pairs, masks beside volumes."""

from __future__ import annotations

import csv
import fnmatch
from collections.abc import Iterator
from pathlib import Path

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import DICOM_ENDINGS, ending_of, is_volume_file, list_volumes
from surgical_style_engine.imageio.gate.regular import check_small
from training_cli.cohort.matching import Candidates, fitting, stem
from training_cli.training.config import TrainingConfig
from training_cli.training.config.settings import comma_separated

MASK_ENDINGS = ("_brainmask", "_mask")  # of file names, before the format's ending


def training_files(config: TrainingConfig, side: str) -> list[Path]:
    """The volumes of a domain, also in subfolders: a path each, which for a DICOM series is its folder.

    Nothing of the run folder counts (its samples are pictures), nor do masks where ``masks`` makes use of them.

    Args:
        config: of the training.
        side: "source" or "target".

    Raises:
        InputError: where the folder is missing, or no image in it matches.
    """
    folder, pattern = Path(getattr(config, side)), getattr(config, f"pattern_{side}")
    if not folder.is_dir():
        raise InputError(f"The {side} folder {folder} does not exist.")
    images = list(matching_images(folder, pattern, config, without_masks=config.masks))
    if not images:
        raise InputError(f"No {side} image matches '{pattern}' in {folder}.")
    return images


def matching_images(folder: Path, pattern: str, config: TrainingConfig, without_masks: bool = False) -> Iterator[Path]:
    """Images of a folder whose name matches a pattern and has no excluded part, each once; not the run's own."""
    excluded = comma_separated(config.exclude)
    run = Path(config.output).resolve()
    seen: set[Path] = set()
    for path in sorted(folder.rglob("*")):
        if not is_volume_file(path) or run in path.resolve().parents or (without_masks and is_mask_name(path)):
            continue
        image = path.parent if ending_of(path) in DICOM_ENDINGS else path
        if image in seen or not fnmatch.fnmatch(image.name, pattern) or any(part in image.name for part in excluded):
            continue
        seen.add(image)
        yield image


def read_pairs(path: Path, roots: tuple[Path, ...] = ()) -> list[tuple[Path, Path]]:
    """Pairs of files (source, target) from a CSV or a folder.

    Args:
        path: A CSV with source,target a line, or a folder with the subfolders source/ and target/ that hold files of
            equal names.
        roots: the domains' folders; names in a CSV are relative to the CSV's folder or to one of these.

    Raises:
        InputError: where a file is missing or no pair is named.
    """
    if path.is_dir():
        left, right = path / "source", path / "target"
        if not (left.is_dir() and right.is_dir()):
            raise InputError(f"The pairs folder {path} needs the two subfolders source and target.")
        pairs = [(p, right / p.name) for p in list_volumes(left) if (right / p.name).exists()]
    elif path.is_file():
        places = (path.parent, *roots)
        pairs = [(_find(a.strip(), places), _find(b.strip(), places)) for a, b in _rows(path)]
    else:
        raise InputError(f"The pairs {path} do not exist.")
    if not pairs:
        raise InputError(f"The pairs {path} name no pair.")
    return pairs


def _rows(path: Path) -> list[list[str]]:
    """The rows of a CSV of two columns, without heading and comments."""
    check_small(path)
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.reader(stream) if row and not row[0].lstrip().startswith("#")]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InputError(f"The pairs list {path} cannot be read as CSV.") from None
    if any(len(row) != 2 for row in rows):
        raise InputError(f"The pairs list {path} needs exactly two columns, source and target.")
    return [row for row in rows if [cell.strip().lower() for cell in row] != ["source", "target"]]


def _find(name: str, places: tuple[Path, ...]) -> Path:
    for place in places:
        if (place / name).exists():
            return place / name
    raise InputError(f"The pair's file {name} does not exist.")


def is_mask_name(path: Path) -> bool:
    """Whether a file is called a mask, such as p1_brainmask.nii.gz."""
    return path.name.split(".")[0].endswith(MASK_ENDINGS)


class Masks:
    """The masks beside volumes. A folder is looked through once, however many volumes are in it."""

    def __init__(self) -> None:
        self._by_folder: dict[Path, tuple[list[Path], Candidates]] = {}

    def beside(self, path: Path) -> list[Path]:
        """All masks in the folder of a volume."""
        return self._in(path.parent)[0]

    def find(self, path: Path) -> Path | None:
        """The mask beside a volume: p1_mask.nii.gz or p1_brainmask.nii.gz for p1.nii.gz and p1_T1.nii.gz; or None."""
        near = self._in(path.parent)[1].near(path)
        # Its whole name and a word: that is of this volume, even where the name says nothing of a patient.
        own = [other for other in near if stem(other) in [stem(path) + ending for ending in MASK_ENDINGS]]
        return min(own or fitting(path, near, "mask"), default=None)

    def _in(self, folder: Path) -> tuple[list[Path], Candidates]:
        if folder not in self._by_folder:
            masks = [path for path in folder.iterdir() if is_mask_name(path) and is_volume_file(path)]
            self._by_folder[folder] = masks, Candidates(masks)
        return self._by_folder[folder]
