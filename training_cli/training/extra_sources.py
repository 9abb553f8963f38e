"""Further input modalities of the source domain: which files belong to which source volume."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from pathlib import Path

from surgical_style_engine.dicom import DICOM_ENDINGS
from surgical_style_engine.errors import InputError
from surgical_style_engine.normalization import parse_normalization
from surgical_style_engine.volume import Volume
from surgical_style_engine.volume_io import ending_of, is_volume_file
from training_cli.matching import find_match

from .config import TrainingConfig

LOWEST_MR = -500.0  # a volume with lower values is CT in HU


class ExtraSources:
    """Each entry of ``extra_sources`` is a folder, or a pattern of file names in the source folder (``*_FLAIR*``).

    Files belong together by their names, by the rule of ``matching.find_match``: equal names in different folders, or
    names that differ in their last part and have a number in common.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.entries = config.extra_list()
        excluded = [part.strip() for part in config.exclude.split(",") if part.strip()]
        run = Path(config.output).resolve()
        self.candidates = []
        for entry in self.entries:
            is_folder = Path(entry).is_dir()
            if not is_folder and ("/" in entry or "\\" in entry):
                raise InputError(f"The folder {entry} of extra_sources does not exist.")
            folder, pattern = (Path(entry), "*") if is_folder else (Path(config.source), entry)
            found: dict[Path, None] = {}
            for path in sorted(folder.rglob("*")):
                if run in path.resolve().parents or not is_volume_file(path):
                    continue
                image = path.parent if ending_of(path) in DICOM_ENDINGS else path
                if fnmatch.fnmatch(image.name, pattern) and not any(part in image.name for part in excluded):
                    found[image] = None
            if not found:
                raise InputError(f"No volume matches '{entry}' of extra_sources.")
            self.candidates.append(list(found))

    def of(self, path: Path) -> list[Path]:
        """The further modalities of a source volume, in order. Raises InputError where one is missing."""
        found = [self._match(path, candidates) for candidates in self.candidates]
        for entry, match in zip(self.entries, found, strict=True):
            if match is None:
                raise InputError(f"No volume of '{entry}' belongs to {path.name}.")
        return found

    def complete(self, paths: list[Path], report: Callable[[str], None]) -> list[Path]:
        """Those source volumes that have all further modalities; the others are named to ``report``."""
        kept = []
        for path in paths:
            if all(self._match(path, candidates) is not None for candidates in self.candidates):
                kept.append(path)
            else:
                report(f"left out, for want of a further modality: {path.name}")
        if not kept:
            raise InputError(f"No source volume has a volume of each of {', '.join(self.entries)}.")
        return kept

    @staticmethod
    def _match(path: Path, candidates: list[Path]) -> Path | None:
        # Patients in folders of their own have files of equal names.
        beside = [candidate for candidate in candidates if candidate.parent == path.parent]
        only = beside[0] if len(beside) == 1 and len(candidates) > 1 and beside[0] != path else None
        return find_match(path, beside) or find_match(path, candidates) or only


def extra_normalization(config: TrainingConfig, volume: Volume):
    """The normalisation of a further modality: the HU window for what has values as low as CT, else percentiles."""
    if float(volume.array.min()) < LOWEST_MR:
        return parse_normalization({"kind": "hu_window", "lower": config.hu_lower, "upper": config.hu_upper})
    return parse_normalization({"kind": "robust_percentile"})
