"""Further input modalities of the source domain: which files belong to which source volume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surgical_style_engine.common.thresholds import HU_BELOW
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.normalization import Normalization, parse_normalization
from surgical_style_engine.volumes.volume import Volume
from training_cli.cohort.matching import find_match, identity, stem, told_match
from training_cli.training.config import TrainingConfig

from .files import matching_images


class ExtraSources:
    """Each entry of ``extra_sources`` is a folder, or a pattern of file names in the source folder (``*_FLAIR*``).

    Files belong together by their names, by the rule of ``matching.find_match``: equal names in different folders, or
    names that differ in nothing but modality and role. Names without anything of a patient (T1.nii, FLAIR.nii) go by
    the folders they lie in.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.entries = config.extra_list()
        self.source = Path(config.source)
        self.sources: list[Path] = []
        self.candidates: list[list[Path]] = []
        self.folders: list[Path] = []
        for entry in self.entries:
            is_folder = Path(entry).is_dir()
            if not is_folder and ("/" in entry or "\\" in entry):
                raise InputError(f"The folder {entry} of extra_sources does not exist.")
            folder, pattern = (Path(entry), "*") if is_folder else (Path(config.source), entry)
            images = list(matching_images(folder, pattern, config))
            if not images:
                raise InputError(f"No volume matches '{entry}' of extra_sources.")
            self.candidates.append(images)
            self.folders.append(folder)

    def of(self, path: Path) -> list[Path]:
        """The further modalities of a source volume, in order. Raises InputError where one is missing."""
        present = []
        for entry, match in zip(self.entries, self._matches(path), strict=True):
            if match is None:
                raise InputError(f"No volume of '{entry}' belongs to {path.name}.")
            present.append(match)
        return present

    def complete(self, paths: list[Path], report: Callable[[str], None]) -> list[Path]:
        """Those source volumes that have all further modalities.

        Args:
            paths: of the source volumes.
            report: is told the others, and what belongs together by other than equal names.

        Raises:
            InputError: where there is none.
        """
        self.sources = paths
        kept = []
        for path in paths:
            matches = [match for match in self._matches(path) if match is not None]
            if len(matches) == len(self.entries):
                kept.append(path)
                for match in matches:
                    for sentence in told_match(path, match, "further modality"):
                        report(sentence)
            else:
                report(f"left out, for want of a further modality: {path.name}")
        if not kept:
            raise InputError(f"No source volume has a volume of each of {', '.join(self.entries)}.")
        return kept

    def _matches(self, path: Path) -> list[Path | None]:
        places = zip(self.candidates, self.folders, strict=True)
        return [self._match(path, candidates, folder) for candidates, folder in places]

    def _match(self, path: Path, candidates: list[Path], folder: Path) -> Path | None:
        # Patients in folders of their own have files of equal names.
        beside = [candidate for candidate in candidates if candidate.parent == path.parent]
        elsewhere = [candidate for candidate in candidates if self._may_be_of(path, candidate, folder)]
        return find_match(path, beside) or find_match(path, elsewhere) or self._only(path, beside)

    def _may_be_of(self, path: Path, candidate: Path, folder: Path) -> bool:
        """Whether the folders that two files lie in do not speak against their belonging together."""
        own, other = _folder_identity(path, self.source), _folder_identity(candidate, folder)
        if own == other:
            return True
        return (not own or not other) and bool(identity(stem(path)))

    def _only(self, path: Path, beside: list[Path]) -> Path | None:
        """The one candidate in the patient's own folder, if the source is the only one there too."""
        alone = [source for source in self.sources if source.parent == path.parent] in ([path], [])
        own_folder = path.parent.resolve() != self.source.resolve()
        return beside[0] if own_folder and alone and len(beside) == 1 and beside[0] != path else None


def _folder_identity(path: Path, root: Path) -> list[str]:
    """What the folders between ``root`` and a file may say of a patient; nothing for files elsewhere."""
    try:
        parts = path.parent.resolve().relative_to(root.resolve()).parts
    except ValueError:
        return []
    return identity("_".join(parts), sessions=True)


def extra_normalization(config: TrainingConfig, volume: Volume) -> Normalization:
    """The normalisation of a further modality: the HU window for what has values as low as CT, else percentiles."""
    if float(volume.array.min()) < HU_BELOW:
        return parse_normalization({"kind": "hu_window", "lower": config.hu_lower, "upper": config.hu_upper})
    return parse_normalization({"kind": "robust_percentile"})
