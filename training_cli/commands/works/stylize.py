"""Giving one volume of a cohort the style of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from surgical_style_engine.app.inputs import Files
from surgical_style_engine.app.report import plain
from surgical_style_engine.app.stylize_case import StylizeCase, StylizedCase, stylize_case
from surgical_style_engine.backends.devices import device_name
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.metrics import registry
from surgical_style_engine.models.style_settings import StyleSettings
from training_cli.cohort.bids.choice import write_sidecars
from training_cli.cohort.checks import planes_of
from training_cli.cohort.run.work import Done, Task
from training_cli.cohort.summary.thumbnail import thumbnail
from training_cli.progress import Progress


@dataclass(frozen=True, eq=False)
class StylizeWork:
    """Gives volumes of a cohort the style of a picture; see ``cohort.run.work.Work``.

    Attributes:
        asked: Arguments of ``StylizeCase`` that all volumes have in common: picture, style_name, window, strength,
            features_file, compare_independent, judge.
        settings: Of the optimisation, with the features that are used.
        plane: What ``--plane`` names.
        device: What to run on.
        model_digest: Empty: the picture is among the options.
    """

    asked: dict[str, Any]
    settings: StyleSettings
    plane: str
    device: str
    model_digest: str = ""
    verb: str = "stylised"
    shown: Progress | None = field(default=None, compare=False)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that the manifest has columns for."""
        return (*(metric.key for metric in registry.metrics(registry.IMAGE)), "flicker")

    @property
    def options(self) -> Mapping[str, Any]:
        """What results depend on beside inputs and version."""
        return {**self.asked, "settings": self.settings.model_dump(), "plane": self.plane, "device": self.device}

    def settled(self, choice: Mapping[str, str]) -> StylizeWork:
        """The same on the device that was chosen elsewhere."""
        return replace(self, device=choice.get("device", self.device))

    def prepare(self, shown: Any = None) -> StylizeWork:
        """Nothing is loaded before the first volume."""
        return replace(self, shown=shown)

    def choice(self) -> dict[str, str]:
        """The device."""
        return {"device": device_name(self.device)}

    def ahead(self, task: Task) -> Sequence[Path]:
        """Volume and mask; see ``cohort.run.work.Ready``."""
        return task.inputs

    def run(self, task: Task, title: str, files: Files) -> Done:
        """Stylise a volume; see ``cohort.run.work.Ready``."""
        content, mask = task.inputs[0], (*task.inputs, None)[1]
        task.outputs[0].parent.mkdir(parents=True, exist_ok=True)
        shown = self.shown if self.shown is not None else Progress("none")
        case = StylizeCase(
            content=content,
            mask=mask,
            output=task.outputs[0],
            settings=self.settings,
            options=RunOptions(device=self.device, planes=planes_of(self.plane), progress=shown),
            files=files,
            stage=lambda text: shown.stage(f"stylising {title}" if text.startswith("stylising") else text),
            **self.asked,
        )
        stylized = stylize_case(case)
        translation = stylized.stylization.translation
        quality = {line.metric.key: line.value for line in registry.lines(stylized.quality)}
        quality["flicker"] = stylized.quality.get("flicker")
        picture = thumbnail(translation.volume, [translation.normalized_input, translation.volume.array])
        entry = plain(entry_of(case, stylized))
        said = {"Description": f"In the style of {case.style_name}. Not for diagnosis.", "StyleModel": case.style_name}
        write_sidecars(task, files, entry, {**said, "StyleModelSHA256": stylized.digest})
        return Done(entry, picture, quality)


def entry_of(case: StylizeCase, stylized: StylizedCase) -> dict[str, Any]:
    """What a report says of one volume."""
    translation = stylized.stylization.translation
    return {
        "input": case.content,
        "output": case.output,
        "mask": case.mask,
        "model": stylized.model_entry(case.picture),
        "device": translation.device,
        "backend": translation.backend,
        "precision": translation.precision,
        "slices": translation.slices,
        "seconds": stylized.seconds,
        "units": stylized.units,
        "quality": stylized.quality,
        "warnings": stylized.warnings,
    }
