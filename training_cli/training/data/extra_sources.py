"""Further input modalities of the source domain: which files belong to which source volume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surgical_style_engine.common.thresholds import HU_BELOW
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.normalization import Normalization, parse_normalization
from surgical_style_engine.volumes.volume import Volume
from training_cli.cohort.matching import Candidates, find_match, identity, stem, told_match
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
        self.candidates: list[_Images] = []
        for entry in self.entries:
            is_folder = Path(entry).is_dir()
            if not is_folder and ("/" in entry or "\\" in entry):
                raise InputError(f"The folder {entry} of extra_sources does not exist.")
            folder, pattern = (Path(entry), "*") if is_folder else (Path(config.source), entry)
            images = list(matching_images(folder, pattern, config))
            if not images:
                raise InputError(f"No volume matches '{entry}' of extra_sources.")
            self.candidates.append(_Images(folder, images))

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
        return [self._match(path, candidates) for candidates in self.candidates]

    def _match(self, path: Path, candidates: _Images) -> Path | None:
        # Patients in folders of their own have files of equal names.
        beside = candidates.beside.get(path.parent)
        near = beside.near(path) if beside else []
        elsewhere = candidates.elsewhere(path, _folder_identity(path.parent, self.source))
        return find_match(path, near) or find_match(path, elsewhere) or self._only(path, candidates)

    def _only(self, path: Path, candidates: _Images) -> Path | None:
        """The one candidate in the patient's own folder, if the source is the only one there too."""
        beside = candidates.in_folder.get(path.parent, [])
        if len(beside) != 1 or beside[0] == path or path.parent.resolve() == self.source.resolve():
            return None
        alone = [source for source in self.sources if source.parent == path.parent] in ([path], [])
        return beside[0] if alone else None


class _Images:
    """The images of an entry, so kept that those of a patient are soon found among thousands.

    Attributes:
        in_folder: by the folder they lie in.
        beside: the same, found by the beginning of their names.
    """

    def __init__(self, folder: Path, images: list[Path]) -> None:
        self.in_folder: dict[Path, list[Path]] = {}
        for image in images:
            self.in_folder.setdefault(image.parent, []).append(image)
        self.beside = {parent: Candidates(inside) for parent, inside in self.in_folder.items()}
        self._identities = {parent: _folder_identity(parent, folder) for parent in self.in_folder}
        self._all = Candidates(images)
        by_identity: dict[tuple[str, ...], list[Path]] = {}
        for image in images:
            by_identity.setdefault(tuple(self._identities[image.parent]), []).append(image)
        self._by_identity = {key: Candidates(same) for key, same in by_identity.items()}

    def elsewhere(self, path: Path, own: list[str]) -> list[Path]:
        """Those that could belong to a source, and whose folders do not speak against it.

        Args:
            path: of the source.
            own: what its folders say of a patient.
        """
        if not identity(stem(path)):
            same = self._by_identity.get(tuple(own))
            return same.near(path) if same else []
        others = ((image, self._identities[image.parent]) for image in self._all.near(path))
        return [image for image, other in others if own == other or not own or not other]


def _folder_identity(folder: Path, root: Path) -> list[str]:
    """What the folders from ``root`` to another may say of a patient; nothing for those elsewhere."""
    try:
        parts = folder.resolve().relative_to(root.resolve()).parts
    except ValueError:
        return []
    return identity("_".join(parts), sessions=True)


def extra_normalization(config: TrainingConfig, volume: Volume) -> Normalization:
    """The normalisation of a further modality: the HU window for what has values as low as CT, else percentiles."""
    if float(volume.array.min()) < HU_BELOW:
        return parse_normalization({"kind": "hu_window", "lower": config.hu_lower, "upper": config.hu_upper})
    return parse_normalization({"kind": "robust_percentile"})
