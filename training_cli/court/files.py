"""The files of every patient that all candidates can be judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from surgical_style_engine.app.court import Candidate, Patient
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import VOLUME_ENDINGS, ending_of, list_volumes
from training_cli.cohort.matching import find_match, identity, match_all, stem, told_match, volumes_in

SUFFIX = "_synthetic"  # behind the source's name, as `sst translate` names a cohort
BOUNDS = ("_error_bound", "_error_map")  # behind the source's or the volume's name


@dataclass(frozen=True)
class Folders:
    """What the options name; patterns by role."""

    source: Path
    reference: Path
    lesions: Path | None = None
    masks: Path | None = None
    error_maps: Path | None = None
    pattern_source: str = "*"
    pattern_reference: str = "*"


@dataclass(frozen=True)
class Common:
    """Patients, how their files were paired, and who was left out and why."""

    patients: list[Patient]
    told: list[str]
    warnings: list[str]


def find_patients(folders: Folders, candidates: Sequence[Candidate]) -> Common:
    """The patients that have a reference and a volume of every candidate.

    Raises:
        InputError: Where there is none, or where it is not clear what belongs to whom.
    """
    sources = volumes_in(folders.source, folders.pattern_source, "source")
    told: list[str] = []

    def match(folder: Path | None, pattern: str, what: str) -> list[Path | None]:
        if folder is None:
            return [None] * len(sources)
        files = volumes_in(folder, pattern, what)
        if len(sources) == 1 and files == [folder]:
            return [folder]  # one volume and one reference were named: they belong together
        matched = match_all(sources, files, what)
        for source, file in zip(sources, matched, strict=True):
            told.extend(told_match(source, file, what))
        return matched

    references = match(folders.reference, folders.pattern_reference, "reference")
    lesions, masks = match(folders.lesions, "*", "lesion"), match(folders.masks, "*", "mask")
    if folders.lesions is not None and not any(lesions):
        raise InputError(f"No labelmap of lesions in {folders.lesions} has a name that matches a source.")
    of_folders = {
        candidate.name: _volumes(candidate, sources) for candidate in candidates if candidate.kind == "volumes"
    }
    patients, warnings = [], []
    for number, source in enumerate(sources):
        reference = references[number]
        missing = [name for name, files in of_folders.items() if files[number] is None]
        if reference is None or missing:
            who = "no reference has" if reference is None else f"no volume of {missing[0]} has"
            warnings.append(f"{source.name}: {who} a matching name; it is left out.")
            continue
        volumes = {name: file for name, files in of_folders.items() if (file := files[number]) is not None}
        maps = _error_maps(folders.error_maps, candidates, source, volumes)
        person = "_".join(identity(stem(source))) or stem(source)
        patients.append(Patient(stem(source), person, source, reference, lesions[number], masks[number], volumes, maps))
    if not patients:
        raise InputError(f"No patient is common to source, reference and all candidates: {warnings[0]}")
    return Common(patients, told, warnings)


def _volumes(candidate: Candidate, sources: Sequence[Path]) -> list[Path | None]:
    """The volumes of a folder that belong to the sources; by the source's name, also with "_synthetic" behind it."""
    files = [path for path in list_volumes(candidate.folder) if ending_of(path) in VOLUME_ENDINGS]
    if not files:
        raise InputError(f"The candidate {candidate.folder} holds no volumes.")
    by_name = {stem(path).removesuffix(SUFFIX): path for path in files if not stem(path).endswith(BOUNDS)}
    rest = [path for path in by_name.values() if not stem(path).endswith(SUFFIX)]
    return [by_name.get(stem(source)) or find_match(source, rest, "reference") for source in sources]


def _error_maps(
    folder: Path | None, candidates: Sequence[Candidate], source: Path, volumes: dict[str, Path]
) -> dict[str, Path]:
    """The error maps of one patient: FOLDER/CANDIDATE/SOURCE_error_bound.nii.gz, or beside a candidate's volume."""
    maps: dict[str, Path] = {}
    for candidate in candidates:
        places = [] if folder is None else [folder / candidate.name / stem(source)]
        if candidate.name in volumes:
            volume = volumes[candidate.name]
            places += [volume.with_name(stem(volume)), volume.with_name(stem(source))]
        for place in places:
            names = [f"{place.name}{bound}{ending}" for bound in BOUNDS for ending in VOLUME_ENDINGS]
            named = [place.with_name(name) for name in names]
            if file := next((path for path in named if path.is_file()), None):
                maps.setdefault(candidate.name, file)
    return maps
