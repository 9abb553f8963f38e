"""Judging a model on one volume of a cohort."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.app.align_reference import Reference
from surgical_style_engine.app.inputs import Files
from surgical_style_engine.app.judge_set import TargetSet
from surgical_style_engine.app.judging import Judging
from surgical_style_engine.app.lesions import account
from surgical_style_engine.app.report import plain
from surgical_style_engine.app.report_entries import run_entry
from surgical_style_engine.app.translate_case import (
    TranslateCase,
    TranslatedCase,
    Writing,
    translate_case,
)
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics import registry
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.models.folder import StyleModel, load_model
from training_cli.cohort.bids.choice import chosen_for_model, references_of
from training_cli.cohort.bids.dataset import Selection
from training_cli.cohort.matching import match_all, stem, told_match, volumes_in
from training_cli.cohort.run.digests import model_of
from training_cli.cohort.run.work import Done, Task
from training_cli.cohort.summary.thumbnail import thumbnail
from training_cli.cohort.tree import Tree, is_cohort, match_below, volumes_below

FEATURES = ".npz"  # ending of the file with the statistics of a volume's slices
_ROLES = ("reference", "mask", "lesion")


@dataclass(frozen=True)
class EvaluatePlan:
    """The volumes to translate, each with its reference, its mask and its lesions where it has any.

    Attributes:
        tasks: A task a volume; its values say what of the three roles it has.
        is_cohort: A folder was named, and not one volume.
        all_references: Of the folder, paired or not.
        paired: How references and masks were found by their names, where that is worth telling.
        problems: Folders of which it cannot be said what they hold, and why.
    """

    tasks: list[Task]
    is_cohort: bool
    all_references: list[Path]
    paired: list[str]
    problems: list[tuple[Path, str]]

    @property
    def inputs(self) -> list[Path]:
        """Everything that is read."""
        return [*(path for task in self.tasks for path in task.inputs), *self.all_references]


@dataclass(frozen=True, eq=False)
class EvaluateWork:
    """Judges a model on volumes of a cohort; see ``cohort.run.work.Work``.

    Attributes:
        model: Name or folder of the model.
        model_digest: Of the model.
        direction: "forward" or "backward".
        register: Whether references are registered.
        judging: How translations are judged.
        maps: Folder for what ``sst report`` shows.
        run_options: Device, precision and backend.
        references: Of the set that all translations are compared with; empty for none.
    """

    model: str
    model_digest: str
    direction: str
    register: bool
    judging: Judging
    maps: Path | None
    run_options: dict[str, str]
    references: tuple[Path, ...] = ()
    verb: str = "evaluated"
    style: StyleModel | None = field(default=None, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """What other processes are sent: they load the model themselves."""
        return {**self.__dict__, "style": None}

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that the manifest has columns for."""
        groups = (registry.CYCLE, registry.IMAGE, registry.REFERENCE)
        return tuple(metric.key for metric in registry.metrics(*groups))

    @property
    def options(self) -> Mapping[str, Any]:
        """What results depend on beside inputs, model and version."""
        return {
            **self.run_options,
            "direction": self.direction,
            "register": self.register,
            "judging": repr(self.judging),
            "maps": None if self.maps is None else str(self.maps.absolute()),
            "references": list(self.references),
        }

    def settled(self, choice: Mapping[str, str]) -> EvaluateWork:
        """The same with the device, backend and precision that were chosen elsewhere."""
        return replace(self, run_options={**self.run_options, **choice})

    def loaded(self) -> StyleModel:
        """The model. Raises InputError where this process lacks it."""
        style = self.style if self.style is not None else load_model(self.model)
        if model_of(style) != self.model_digest:
            raise InputError(f"The model {style.card.name} is another one here: its digest differs.")
        return style

    def target_set(self) -> TargetSet | None:
        """The set of all references, read once a process; None where there are fewer than two."""
        return _target_set(str(self.model), self.references, self.direction) if self.references else None

    def prepare(self, shown: Any = None) -> _Ready:
        """Load the model and read the references of the set."""
        from surgical_style_engine.inference.runners import runner_for

        style = self.loaded()
        options = RunOptions(**self.run_options)  # type: ignore[arg-type]
        options = replace(options, runner=runner_for(style, self.direction, options))
        writing = Writing(maps=self.maps)
        case = TranslateCase(Path(), style, self.direction, judging=self.judging, writing=writing, options=options)
        return _Ready(self, case)


@dataclass(frozen=True, eq=False)
class _Ready:
    """The work with what all volumes have in common."""

    work: EvaluateWork
    case: TranslateCase

    def choice(self) -> dict[str, str]:
        """Device, backend and precision that were chosen."""
        runner = self.case.options.runner
        return {"device": runner.device, "backend": runner.backend, "precision": runner.precision}

    def ahead(self, task: Task) -> Sequence[Path]:
        """All but the lesions; see ``cohort.run.work.Ready``."""
        roles = ("source", *task.values["has"])
        return [path for role, path in zip(roles, task.inputs, strict=True) if role != "lesion"]

    def run(self, task: Task, title: str, files: Files) -> Done:
        """Judge the translation of a volume; see ``cohort.run.work.Ready``."""
        inputs = dict(zip(["source", *task.values["has"]], task.inputs, strict=True))
        source, reference, mask = inputs["source"], inputs.get("reference"), inputs.get("mask")
        targets = self.work.target_set()
        if targets is not None:
            targets.clear()  # of a volume that failed after it was taken in
        case = replace(
            self.case,
            volume=source,
            reference=None if reference is None else Reference(reference, self.work.register),
            labels=mask,
            target_set=targets,
            writing=replace(self.case.writing, name=task.values["name"]),
            title=title,
            files=files,
        )
        translated = translate_case(case)
        entry = _entry(source, reference, mask, translated)
        entry["warnings"] = [*_lacking(task), *translated.warnings]
        if "lesion" in task.values["asked"]:
            entry["warnings"] += _add_lesions(entry, case, translated, inputs.get("lesion"))
        translation = translated.translation
        arrays = [translation.normalized_input, translation.volume.array]
        if translated.reference is not None:
            arrays.append(translated.reference.array)
        figures = {line.metric.key: line.value for line in registry.lines(translated.quality)}
        extra = {} if targets is None else {FEATURES: _packed(targets.take())}
        return Done(plain(entry), thumbnail(translation.volume, arrays), figures, extra)


def evaluate_plan(
    source: Path,
    folders: Mapping[str, Path | None],
    patterns: Mapping[str, str],
    bids: tuple[ModelCard, str, Selection],
) -> EvaluatePlan:
    """Find the volumes, and what belongs to each.

    Args:
        source: A volume, or a folder of them.
        folders: Of each of the roles reference, mask and lesion: a file, a folder, or None.
        patterns: Names of the files of the source and of each role.
        bids: Card of the model and direction, by which images of a BIDS data set and their references are chosen; and
            what else is chosen of it.

    Raises:
        InputError: Where something is not there, or fits nothing.
    """
    chosen = chosen_for_model(source, *bids)
    tree = volumes_below(source, patterns["source"], what="source") if chosen is None else chosen.tree
    columns: dict[str, list[Path | None]] = {}
    references: list[Path] = []
    paired: list[str] = []
    for role in _ROLES:
        folder = folders.get(role)
        if folder is None:
            continue
        by_suffix = references_of(chosen.images, folder, *bids) if chosen is not None and role == "reference" else None
        candidates, matched = by_suffix or _matched(tree, folder, role, patterns.get(role, "*"))
        columns[role] = matched
        references = candidates if role == "reference" else references
        if by_suffix is None and (candidates != [folder] or len(tree.volumes) > 1):
            for path, file in zip(tree.volumes, matched, strict=True):
                paired.extend(told_match(path, file, role))
    if "lesion" in columns and not any(columns["lesion"]):
        raise InputError(f"No labelmap of lesions in {folders['lesion']} has a name that matches a source.")
    if "lesion" in columns and "reference" not in columns:
        raise InputError("--lesions needs --reference: lesions are accounted for beside a real image.")
    tasks = []
    for number, path in enumerate(tree.volumes):
        own = {role: file for role, files in columns.items() if (file := files[number]) is not None}
        place = tree.place(path)
        name = "_".join([*place.parent.parts, stem(path)])
        values = {"has": list(own), "asked": list(columns), "name": name}
        tasks.append(Task(place.as_posix(), (path, *own.values()), (), values))
    return EvaluatePlan(tasks, source.is_dir() and is_cohort(source), references, paired, tree.problems)


def unpacked(content: bytes) -> dict[str, np.ndarray]:
    """What FEATURES files hold: the statistics of the slices, by what they are of."""
    with np.load(io.BytesIO(content)) as stored:
        return {name: stored[name] for name in stored.files}


def _matched(tree: Tree, folder: Path, role: str, pattern: str) -> tuple[list[Path], list[Path | None]]:
    """All files of a role, and that of every volume."""
    if folder.is_dir() and is_cohort(folder):
        return volumes_below(folder, pattern, what=role).volumes, match_below(tree, folder, role, pattern)
    candidates = volumes_in(folder, pattern, role)
    if len(tree.volumes) == 1 and candidates == [folder]:
        return candidates, [folder]  # one volume and one reference were named: they belong together
    return candidates, match_all(tree.volumes, candidates, role)


@lru_cache(maxsize=1)
def _target_set(model: str, references: tuple[Path, ...], direction: str) -> TargetSet:
    return TargetSet(load_model(model), references, direction)


def _packed(features: Mapping[str, np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **features)  # type: ignore[arg-type]
    return stream.getvalue()


def _lacking(task: Task) -> list[str]:
    lacking = set(task.values["asked"]) - set(task.values["has"])
    sentences = {
        "reference": "no reference has a matching name; only unpaired figures.",
        "mask": "no mask has a matching name; the body mask was found instead.",
    }
    return [sentence for role, sentence in sentences.items() if role in lacking]


def _add_lesions(
    entry: dict[str, Any], case: TranslateCase, translated: TranslatedCase, lesions: Path | None
) -> Sequence[str]:
    """Add a volume's ledger to its entry, or say in a warning why there is none."""
    if lesions is None or translated.reference is None:
        missing = "no labelmap of lesions has a matching name" if lesions is None else "there is no reference"
        return [f"{missing}; its lesions are not accounted for."]
    try:
        entry["quality"]["lesions"] = account(case, translated, lesions)
    except InputError as error:
        return [str(error)]
    return []


def _entry(path: Path, reference: Path | None, mask: Path | None, translated: TranslatedCase) -> dict[str, Any]:
    """What a report says of one volume."""
    return {
        "input": path,
        "reference": reference,
        "mask": mask,
        "registration": translated.registration,
        **run_entry(translated),
        "seconds": translated.translation.seconds,
        "quality": translated.quality,
        "maps": translated.maps,
    }
