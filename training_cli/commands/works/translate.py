"""Translating one volume of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surgical_style_engine.app.inputs import Files
from surgical_style_engine.app.report import plain
from surgical_style_engine.app.report_entries import run_entry
from surgical_style_engine.app.translate_case import TranslateCase, TranslatedCase, translate_case
from surgical_style_engine.common.atomic_write import replacing_folder
from surgical_style_engine.errors import InputError, MisfitError, StyleTransferError
from surgical_style_engine.metrics import registry
from surgical_style_engine.models.folder import StyleModel, load_model
from training_cli.cohort.bids.derivatives import sidecar_of, write_json
from training_cli.cohort.matching import stem
from training_cli.cohort.plan import Job
from training_cli.cohort.run.digests import model_of
from training_cli.cohort.run.work import Done, Task
from training_cli.cohort.summary.thumbnail import thumbnail
from training_cli.commands.translate_request import Asked
from training_cli.progress import Progress

if TYPE_CHECKING:
    from surgical_style_engine.adjust.options import Adjustments

COMPARED = ("expected_psnr", "mean_bound", "untrusted_share")  # what a verdict adds to the metrics
_NOT_OPTIONS = ("source", "others", "output", "pattern", "report", "mask", "match")


@dataclass(frozen=True, eq=False)
class TranslateWork:
    """Translates volumes of a cohort with one model; see ``cohort.run.work.Work``.

    Attributes:
        asked: What the command line asks for.
        model: Name or folder of the model.
        adjustments: Those asked for, the reference to match still unread.
        run_options: Device, precision and so on, as for ``RunOptions``.
        model_digest: Of the model, which all who work on it must have.
    """

    asked: Asked
    model: str
    adjustments: Adjustments
    run_options: dict[str, Any]
    model_digest: str
    verb: str = "translated"

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that the manifest has columns for."""
        keys = (metric.key for metric in registry.metrics(registry.CYCLE, registry.IMAGE))
        return tuple(dict.fromkeys([*keys, *COMPARED]))

    @property
    def options(self) -> Mapping[str, Any]:
        """What results depend on beside inputs, model and version."""
        asked = {key: value for key, value in vars(self.asked).items() if key not in _NOT_OPTIONS}
        asked["maps"] = None if self.asked.maps is None else str(self.asked.maps.absolute())
        adjusted = {key: value for key, value in vars(self.adjustments).items() if key != "match"}
        run = {key: value for key, value in self.run_options.items() if key != "batch_size"}
        return {**asked, **adjusted, **run, "match": self.asked.match}

    def settled(self, choice: Mapping[str, str]) -> TranslateWork:
        """The same with the device, backend and precision that were chosen elsewhere."""
        return replace(self, run_options={**self.run_options, **choice})

    def prepare(self, shown: Any = None) -> _Ready:
        """Load the model. Raises InputError where this process lacks it, or cannot run it."""
        style = load_model(self.model)
        if model_of(style) != self.model_digest:
            raise InputError(f"The model {style.card.name} is another one here: its digest differs.")
        shown = shown if shown is not None else Progress("none")
        return _Ready(self.asked.case(style, self.adjustments, self.run_options, shown, judged=True))


def translate_tasks(jobs: list[Job]) -> list[Task]:
    """The tasks of a cohort's volumes."""
    tasks = []
    for job in jobs:
        inputs = tuple(path for path in (job.source, job.mask, *job.others) if path is not None)
        outputs = tuple(path for path in (job.output, job.sidecar) if path is not None)
        values = {"name": job.name} | ({"others": len(job.others)} if job.others else {})
        tasks.append(Task(job.volume, inputs, outputs, values))
    return tasks


@dataclass(frozen=True, eq=False)
class _Ready:
    """The case that all volumes have in common, its network loaded."""

    case: TranslateCase

    def choice(self) -> dict[str, str]:
        """Device, backend and precision that were chosen."""
        runner = self.case.options.runner
        return {"device": runner.device, "backend": runner.backend, "precision": runner.precision}

    def ahead(self, task: Task) -> Sequence[Path]:
        """Volume, mask and other inputs; see ``cohort.run.work.Ready``."""
        return task.inputs

    def run(self, task: Task, title: str, files: Files) -> Done:
        """Translate a volume; see ``cohort.run.work.Ready``."""
        source, *further = task.inputs
        first = len(further) - task.values.get("others", 0)
        (mask, *_), others = (*further[:first], None), tuple(further[first:])
        writing = replace(self.case.writing, output=task.outputs[0], name=task.values.get("name", stem(source)))
        one = replace(self.case, volume=source, mask=mask, others=others, writing=writing, title=title, files=files)
        translated = _translated(one, task.outputs[0])
        job = Job(source, task.outputs[0], mask, others=others)
        translation = translated.translation
        arrays = [translation.normalized_input, translation.volume.array]
        quality = translated.quality
        figures = {line.metric.key: line.value for line in registry.lines(quality)}
        compared = (quality.get("verdict") or {}).get("compared") or []
        figures |= {each["key"]: each["value"] for each in compared if each["key"] in COMPARED}
        entry = plain(entry_of(job, translated, one.adjustments.sentence()))
        for sidecar in task.outputs[1:]:
            values = sidecar_of(entry, task.volume, one.model.card, one.direction)
            files.later(partial(write_json, sidecar, values))
        return Done(entry, thumbnail(translation.volume, arrays), figures)


def _translated(case: TranslateCase, output: Path) -> TranslatedCase:
    """Translate; a DICOM series of an earlier run is replaced as a whole. Raises StyleTransferError."""
    try:
        if not case.writing.dicom:
            return translate_case(case)
        with replacing_folder(output) as temporary:
            return translate_case(replace(case, writing=replace(case.writing, output=temporary)))
    except StyleTransferError as error:
        raise with_advice(error) from None


def with_advice(error: StyleTransferError) -> StyleTransferError:
    """The error; of an image that does not fit, with what to do about it."""
    if not isinstance(error, MisfitError):
        return error
    return MisfitError(f"{error} With --force it is translated nevertheless.")


def entry_of(job: Job, translated: TranslatedCase, adjusted: str) -> dict[str, Any]:
    """What a report says of one volume; ``adjusted`` is what was adjusted about it, in words."""
    translation = translated.translation
    return {
        "input": job.source,
        "output": job.output,
        "mask": job.mask,
        **run_entry(translated),
        "seconds": translated.seconds,
        "units": translated.units,
        "adjustments": adjusted,
        "strength": translation.strength,
        "consistency": translation.consistency,
        "quality": translated.quality,
        "maps": translated.maps,
        "recognised": translated.recognised,
        "told": [] if translation.misfit is None else translation.misfit.warnings,
        "warnings": translated.warnings,
    }


def work_of(
    asked: Asked, model: str, adjustments: Adjustments, run: dict[str, Any]
) -> tuple[TranslateWork, StyleModel]:
    """The work that is asked for, and its model.

    Raises:
        InputError: Where there is no such model, or it cannot do what is asked for.
    """
    style = load_model(model)
    asked.check_model(style)
    places = {name: value.absolute() for name in ("maps", "match") if (value := getattr(asked, name)) is not None}
    where = str(Path(model).absolute()) if Path(model).is_dir() else model
    return TranslateWork(replace(asked, **places), where, adjustments, run, model_of(style)), style
