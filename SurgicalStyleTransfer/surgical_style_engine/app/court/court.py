"""The court itself: every candidate on every patient, paired differences, floors, and what it took."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.app.align_reference import align_reference, alignment_doubt
from surgical_style_engine.app.inputs import read
from surgical_style_engine.app.lesions import lesion_labels
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.blend import mask_on_grid
from surgical_style_engine.metrics.court import figures, mean_ranks, paired_difference
from surgical_style_engine.metrics.court.bootstrap import LEVEL, RESAMPLES, SEED
from surgical_style_engine.metrics.lesions import summed
from surgical_style_engine.metrics.region import judged_region
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.volume import Volume, check_volume

from .bench import Bench, Sides, domain_of
from .candidates import Candidate
from .measured import Run, translate_all

METHODS = {
    "normalisation": "every image of the target contrast by landmarks of its own, as the real one; HU as they are",
    "edge_offset_mm": "blocks of 24 mm of the input's gradient magnitude, laid on the candidate's by normalised "
    "cross-correlation, peak by parabolas; median length",
    "tissue_dice": "three classes of a Gaussian mixture, fitted to the histogram of each image",
    "differences": f"mean over patients of first less second; {LEVEL:.0%} interval of {RESAMPLES} bootstrap resamples "
    f"of patients, seed {SEED}",
    "rank": "mean over the figures that all candidates have; 1 is best",
}


@dataclass(frozen=True)
class Patient:
    """A volume and what belongs to it.

    Attributes:
        name: In tables.
        person: Whose it is; several volumes of one person count as one patient.
        source: File or DICOM folder of the input.
        reference: That of the real image.
        lesions: Labelmap, or None.
        mask: Labelmap of where to judge, or None for the body.
        volumes: Of each candidate that is a folder: its file of this patient.
        error_maps: Of each candidate that has one: the file of this patient's error map.
    """

    name: str
    person: str
    source: Path
    reference: Path
    lesions: Path | None = None
    mask: Path | None = None
    volumes: Mapping[str, Path] = field(default_factory=dict)
    error_maps: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class CourtCase:
    """What is asked for.

    Attributes:
        candidates: Those judged, each with a name of its own.
        patients: Those judged on.
        register: Align references rigidly unless they share the grid; False takes the scanner's coordinates.
        options: How networks are run (device, precision, backend).
        own_process: Run each network in a process of its own.
        stage: Told what is done next.
    """

    candidates: Sequence[Candidate]
    patients: Sequence[Patient]
    register: bool = True
    options: RunOptions = field(default_factory=lambda: RunOptions(precision="fp32"))
    own_process: bool = True
    stage: Callable[[str], None] = lambda text: None


@dataclass(eq=False)
class Verdicts:
    """What came of it.

    Attributes:
        entry: For a report, see docs/compare.md; the same bits from run to run but for ``machine``.
        pictures: Slices (rows, columns) in [-1, 1] of the first patient by name: input, the candidates, the real image.
        warnings: Sentences.
    """

    entry: dict[str, Any]
    pictures: dict[str, list[np.ndarray]]
    warnings: list[str]


def hold_court(case: CourtCase) -> Verdicts:
    """Judge candidates side by side.

    Args:
        case: What is asked for.

    Returns:
        Figures of every candidate and floor, patient by patient and in the mean, paired differences, and what it took.

    Raises:
        InputError: For volumes that cannot be judged, such as one on another grid than its source.
    """
    if not case.candidates or not case.patients:
        raise InputError("There is nothing to judge.")
    with tempfile.TemporaryDirectory() as temporary:
        machine = _translate(case, Path(temporary))
        judged: dict[str, dict[str, dict[str, Any]]] = {}
        pictures: dict[str, list[np.ndarray]] = {}
        warnings: list[str] = []
        for number, patient in enumerate(case.patients):
            case.stage(f"judging {patient.name}")
            result = _judge(case, number, patient, Path(temporary), pictures)
            if isinstance(result, str):
                warnings.append(result)
                continue
            for name, values in result.items():
                judged.setdefault(name, {})[patient.name] = values
    if not judged:
        raise InputError(" ".join(warnings))
    return Verdicts(_entry(case, judged, machine), pictures, warnings)


def _translate(case: CourtCase, temporary: Path) -> dict[str, dict[str, Any]]:
    """Run every network on all patients; what it took, by candidate."""
    machine = {}
    for number, candidate in enumerate(case.candidates):
        if candidate.kind == "volumes":
            continue
        case.stage(f"translating with {candidate.name}")
        output = temporary / str(number)
        output.mkdir()
        sources = tuple(patient.source for patient in case.patients)
        options = case.options
        run = Run(
            candidate.folder, candidate.direction, sources, output, options.device, options.precision, options.backend
        )
        machine[candidate.name] = translate_all(run, case.own_process)
    return machine


def _judge(
    case: CourtCase, number: int, patient: Patient, temporary: Path, pictures: dict[str, list[np.ndarray]]
) -> dict[str, dict[str, Any]] | str:
    """The figures of floors and candidates for one patient; a sentence where the reference does not fit."""
    source, real = read(patient.source), read(patient.reference)
    check_volume(source, patient.source.name)
    aligned = align_reference(source, real, patient.reference, case.register)
    if doubt := alignment_doubt(aligned.how, patient.reference):
        return f"{patient.source.name}: {doubt}"
    mask = None if patient.mask is None else mask_on_grid(read(patient.mask), source)[0]
    region = judged_region(mask, body_mask(source), aligned.valid)
    lesions = None if patient.lesions is None else lesion_labels(patient.lesions, source)
    bench = Bench(source, aligned.volume, _sides(case, source, aligned.volume), region, lesions)
    result = {name: bench.values(image) for name, image in bench.floors().items()}
    shown = {"Input": bench.input[0]}
    for place, candidate in enumerate(case.candidates):
        array = _array(candidate, place, number, patient, source, temporary)
        image = bench.normalised(array)
        result[candidate.name] = bench.values(image)
        if candidate.name in patient.error_maps:
            bound = _error_map(patient.error_maps[candidate.name], source)
            result[candidate.name] |= bench.covered(image, array, bound)
        shown[candidate.name] = image[0]
    shown["Real image"] = bench.real[0]
    if not pictures:
        pictures |= _slices(shown, source, region, lesions)
    result["real_image"] = {"edge_offset_mm": bench.real_offset()}
    return result


def _sides(case: CourtCase, source: Volume, real: Volume) -> Sides:
    """How both contrasts are normalised: as this project's first model says, else by the volumes."""
    for candidate in case.candidates:
        if candidate.kind == "model" and candidate.card is not None:
            card = candidate.card
            return Sides(card.domain_from(candidate.direction), card.domain_to(candidate.direction))
    for candidate in case.candidates:  # the names of imported ones are those that were given
        if candidate.card is not None:
            target = candidate.card.domain_to(candidate.direction).name
            return Sides(
                domain_of(source, candidate.card.domain_from(candidate.direction).name), domain_of(real, target)
            )
    return Sides(domain_of(source, "source"), domain_of(real, "target"))


def _array(
    candidate: Candidate, place: int, number: int, patient: Patient, source: Volume, temporary: Path
) -> np.ndarray:
    """A candidate's image of a patient in its units, (1, z, y, x). Raises InputError."""
    if candidate.kind != "volumes":
        array: np.ndarray = np.load(temporary / str(place) / f"{number}.npy")
    else:
        path = patient.volumes[candidate.name]
        volume = read(path)
        check_volume(volume, f"{candidate.name}'s {path.name}")
        if not volume.same_grid(source):
            raise InputError(
                f"{candidate.name}'s {path.name} is not on the grid of {patient.source.name}: "
                "candidates must keep the grid of their input."
            )
        array = volume.array
    if array.shape[0] != 1:
        raise InputError(f"{candidate.name} makes colour images; the court judges scalar ones.")
    return array.astype(np.float32)


def _error_map(path: Path, source: Volume) -> np.ndarray:
    volume = read(path)
    if not volume.same_grid(source):
        raise InputError(f"The error map {path.name} is not on the grid of {source.name}.")
    return volume.array.astype(np.float32)


def _slices(
    shown: Mapping[str, np.ndarray], source: Volume, region: np.ndarray, lesions: np.ndarray | None
) -> dict[str, list[np.ndarray]]:
    """Two slices of every image: one with much of the lesions, or of the body, and one above it."""
    axis = int(np.argmax(source.spacing[::-1])) if max(source.spacing) > 1.5 * min(source.spacing) else 0
    others = tuple(other for other in range(3) if other != axis)
    areas = (region if lesions is None else lesions & region).sum(others)
    used = np.flatnonzero(region.any(others))
    first = int(np.argmax(areas))
    second = int(used[int(0.7 * (len(used) - 1))])
    chosen = sorted({first, second})
    return {name: [np.take(image, index, axis) for index in chosen] for name, image in shown.items()}


def _entry(
    case: CourtCase, judged: Mapping[str, Mapping[str, dict[str, Any]]], machine: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    names = [candidate.name for candidate in case.candidates]
    keys = [entry.key for entry in figures()]
    people = {patient.name: patient.person for patient in case.patients}
    by_person = {name: _by_person(judged[name], people, keys) for name in judged}
    means = {name: {key: _mean(values[key] for values in by_person[name].values()) for key in keys} for name in judged}
    used = [entry for entry in figures() if any(means[name].get(entry.key) is not None for name in names)]
    ranks = mean_ranks([means[name] for name in names])
    warm = ("seconds", "cpu_seconds", "peak_mb")
    return {
        "contrasts": _contrasts(case),
        "figures": [
            {"key": f.key, "title": f.title, "unit": f.unit, "higher_is_better": f.higher_is_better, "best": f.best}
            for f in used
        ],
        "candidates": [
            {
                "name": candidate.name,
                "kind": candidate.kind,
                "sha256": None if candidate.card is None else candidate.card.stored.sha256,
                "rank": rank,
                "mean": {f.key: means[candidate.name][f.key] for f in used},
                "patients": {name: _plain(values, used) for name, values in judged[candidate.name].items()},
                "lesions": _lesions(judged[candidate.name]),
                **{key: machine.get(candidate.name, {}).get(key) for key in ("device", "backend", "precision")},
            }
            for candidate, rank in zip(case.candidates, ranks, strict=True)
        ],
        "floors": {name: {f.key: means[name].get(f.key) for f in used} for name in judged if name not in names},
        "differences": [
            {"first": a, "second": b, "figure": f.key, **_difference(by_person, a, b, f.key)}
            for a, b in combinations(names, 2)
            for f in used
        ],
        "people": len(set(people[name] for name in judged[names[0]])),
        "methods": METHODS,
        "machine": {name: {key: values[key] for key in warm} for name, values in machine.items()},
        "run_warnings": {name: values["warnings"] for name, values in machine.items()},
    }


def _contrasts(case: CourtCase) -> dict[str, str]:
    for candidate in case.candidates:
        if candidate.card is not None:
            card, direction = candidate.card, candidate.direction
            return {"source": card.domain_from(direction).name, "target": card.domain_to(direction).name}
    return {"source": "source", "target": "target"}


def _by_person(
    values: Mapping[str, Mapping[str, Any]], people: Mapping[str, str], keys: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Means over the volumes of each person."""
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for name, entry in values.items():
        grouped.setdefault(people[name], []).append(entry)
    return {
        person: {key: _mean(entry.get(key) for entry in entries) for key in keys} for person, entries in grouped.items()
    }


def _difference(
    by_person: Mapping[str, Mapping[str, Mapping[str, float | None]]], first: str, second: str, key: str
) -> dict[str, Any]:
    persons = list(by_person[first])
    return paired_difference(*([by_person[name][person][key] for person in persons] for name in (first, second)))


def _lesions(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    ledgers = [entry["ledger"] for entry in values.values() if "ledger" in entry]
    return summed(ledgers) if ledgers else None


def _plain(values: Mapping[str, Any], used: Sequence[Any]) -> dict[str, Any]:
    return {entry.key: values.get(entry.key) for entry in used}


def _mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
