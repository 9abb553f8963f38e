"""Fusing the modalities of one patient of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from surgical_style_engine.app.fuse_case import FuseCase, fuse_case
from surgical_style_engine.app.inputs import Files
from surgical_style_engine.app.report import plain
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.write import check_output
from surgical_style_engine.metrics import registry
from surgical_style_engine.models.folder import StyleModel, load_model
from training_cli.cohort.bids.choice import Chosen, write_sidecars
from training_cli.cohort.bids.dataset import Dataset, Selection, open_dataset
from training_cli.cohort.bids.derivatives import place_of
from training_cli.cohort.bids.pairs import matched
from training_cli.cohort.fusion_files import registrations
from training_cli.cohort.matching import told_match
from training_cli.cohort.plan import check_folder_of_results, output_of
from training_cli.cohort.run.digests import model_of
from training_cli.cohort.run.work import Done, Task
from training_cli.cohort.summary.thumbnail import thumbnail
from training_cli.cohort.tree import Tree, match_below
from training_cli.progress import Progress

_AGENTS = {"T1w": False, "T1w-Gd": True}  # whether images of a suffix show a contrast agent


@dataclass(frozen=True, eq=False)
class FuseWork:
    """Fuses volumes of a cohort; see ``cohort.run.work.Work``.

    Attributes:
        asked: Arguments of ``FuseCase`` that all volumes have in common: method, weights, windows, register, units,
            judge.
        run_options: Device and precision.
        model: Name or folder of the model of a learned fusion; empty without one.
        model_digest: Of that model.
    """

    asked: dict[str, Any]
    run_options: dict[str, str]
    model: str = ""
    model_digest: str = ""
    verb: str = "fused"

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that the manifest has columns for."""
        return tuple(metric.key for metric in registry.metrics(registry.FUSION))

    @property
    def options(self) -> Mapping[str, Any]:
        """What results depend on beside inputs, model and version."""
        return {**plain(self.asked), **self.run_options}

    def settled(self, choice: Mapping[str, str]) -> FuseWork:
        """The same: fusion by rules has no device, and a learned one runs on that which was asked for."""
        return self

    def prepare(self, shown: Any = None) -> _Ready:
        """Load the model, if there is one. Raises InputError where this process lacks it."""
        style = load_model(self.model) if self.model else None
        if style is not None and model_of(style) != self.model_digest:
            raise InputError(f"The model {style.card.name} is another one here: its digest differs.")
        return _Ready(self, style, shown if shown is not None else Progress("none"))


@dataclass(frozen=True, eq=False)
class _Ready:
    """The work with its model loaded."""

    work: FuseWork
    style: StyleModel | None
    shown: Progress

    def choice(self) -> dict[str, str]:
        """Nothing is chosen."""
        return {}

    def ahead(self, task: Task) -> Sequence[Path]:
        """All modalities and the mask; see ``cohort.run.work.Ready``."""
        return task.inputs

    def run(self, task: Task, title: str, files: Files) -> Done:
        """Fuse the modalities of a patient; see ``cohort.run.work.Ready``."""
        count = task.values["modalities"]
        volumes, mask = list(task.inputs[:count]), (*task.inputs[count:], None)[0]
        output = task.outputs[0]
        output.parent.mkdir(parents=True, exist_ok=True)
        case = FuseCase(
            volumes,
            model=self.style,
            mask=mask,
            output=output,
            options=RunOptions(progress=self.shown, **self.work.run_options),  # type: ignore[arg-type]
            files=files,
            stage=lambda text: self.shown.stage(f"{text}: {title}"),
            **self.work.asked,
        )
        fused = fuse_case(case)
        fusion = fused.fusion
        files.write(fusion.volume, output, fused.notes)
        entry = {
            "input": volumes[0],
            "others": volumes[1:],
            "output": output,
            "mask": mask,
            "device": "cpu",
            "backend": "",
            "precision": "fp32",
            "slices": fusion.volume.array.shape[1],
            "seconds": fused.seconds,
            "units": fusion.units,
            "quality": fused.quality,
            "registrations": registrations(fusion, []),
            "warnings": fused.warnings,
        }
        figures = {line.metric.key: line.value for line in registry.lines(fused.quality)}
        entry = plain(entry)
        said = {"Description": "Several images of one visit in one. Not for diagnosis.", "StyleModel": self.work.model}
        write_sidecars(task, files, entry, {**said, "FusionMethod": fusion.method})
        return Done(
            entry,
            thumbnail(fusion.volume, [*(part[None] for part in fusion.inputs), fusion.volume.array]),
            figures,
        )


@dataclass(frozen=True)
class FusePlan:
    """What is fused of a cohort.

    Attributes:
        tasks: A task for every volume that has all its modalities.
        told: How files were matched, where names were not equal.
        problems: Volumes that lack something, and what.
    """

    tasks: list[Task]
    told: list[str]
    problems: list[tuple[Path, str]]


def fuse_plan(tree: Tree, others: list[Path], output: Path, mask: Path | None) -> FusePlan:
    """What is to be fused with each volume of the reference's folder.

    Args:
        tree: Of the reference's folder.
        others: Folders of the other modalities.
        output: Folder of the results.
        mask: Folder of masks.

    Raises:
        InputError: Where files cannot be matched, or the output is no folder.
    """
    check_folder_of_results(tree.root, len(tree.volumes), output)
    columns = [match_below(tree, folder, "other") for folder in others]
    if mask is not None:
        columns.append(match_below(tree, mask, "mask"))
    folders = [*others, *([] if mask is None else [mask])]
    planned = FusePlan([], [], list(tree.problems))
    for path, *beside in zip(tree.volumes, *columns, strict=True):
        lacking = [folder for folder, other in zip(folders, beside, strict=True) if other is None]
        if lacking:
            planned.problems.append((path, f"Nothing in {lacking[0]} goes with it."))
            continue
        inputs = (path, *(other for other in beside if other is not None))
        written = output_of(tree, path, output)
        check_output(written)
        planned.told.extend(sentence for other in inputs[1:] for sentence in told_match(path, other, "volume"))
        values = {"modalities": 1 + len(others)}
        planned.tasks.append(Task(tree.place(path).as_posix(), inputs, (written,), values))
    return planned


def fuse_dataset_plan(
    paths: list[Path], suffixes: list[str], selection: Selection, output: Path, mask: Path | None
) -> tuple[FusePlan, Dataset]:
    """What is to be fused of a BIDS data set.

    Args:
        paths: The data set, or a part of one, alone.
        suffixes: Of the images, the reference's first.
        selection: Subjects and sessions.
        output: Folder of the derivatives.
        mask: Folder of masks, in the same folders as the images.

    Returns:
        The plan, and the data set.

    Raises:
        InputError: Where it is no data set, or lacks images, or two fit equally well.
    """
    dataset = open_dataset(paths[0])
    if len(paths) > 1 or dataset is None:
        raise InputError(f"--suffix, --subject and --session are for one BIDS data set, which {paths[-1]} is not.")
    if len(suffixes) < 2:
        raise InputError("Fusion of a BIDS data set needs two suffixes at least: --suffix T1w --suffix FLAIR.")
    agents = [_AGENTS.get(suffix) for suffix in suffixes]
    columns = [
        dataset.of(suffix.removesuffix("-Gd"), agent, selection) for suffix, agent in zip(suffixes, agents, strict=True)
    ]
    chosen = Chosen(dataset, columns[0])
    others = [matched(columns[0], column, suffix) for column, suffix in zip(columns[1:], suffixes[1:], strict=True)]
    planned = FusePlan([], [], [])
    for number, job in enumerate(chosen.plan("Fused", output, mask).jobs):
        beside = [column[number] for column in others]
        if lacking := [suffix for suffix, image in zip(suffixes[1:], beside, strict=True) if image is None]:
            planned.problems.append((job.source, f"Its visit has no {lacking[0]}."))
            continue
        images = [job.source, *(image.path for image in beside if image is not None)]
        inputs = (*images, *([] if job.mask is None else [job.mask]))
        sources = [place_of(dataset, path).as_posix() for path in images]
        outputs = tuple(path for path in (job.output, job.sidecar) if path is not None)
        values = {"modalities": len(images), "sources": sources}
        planned.told.extend(job.paired)
        planned.tasks.append(Task(job.volume, inputs, outputs, values))
    return planned, dataset


def with_model(work: FuseWork, style: StyleModel | None, name: str | None) -> FuseWork:
    """The work with a model."""
    if style is None or name is None:
        return work
    where = str(Path(name).absolute()) if Path(name).is_dir() else name
    return replace(work, model=where, model_digest=model_of(style))
