"""Bringing one volume of a cohort into a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.app.harmonise_case import HarmonisedCase, digest_of, harmonise_case
from surgical_style_engine.app.inputs import Files
from surgical_style_engine.harmonise.look import Look
from surgical_style_engine.volumes.volume import Volume
from training_cli.cohort.bids.choice import write_sidecars
from training_cli.cohort.run.work import Done, Task
from training_cli.cohort.summary.thumbnail import thumbnail
from training_cli.progress import Progress


@dataclass(frozen=True, eq=False)
class HarmoniseWork:
    """Brings volumes of a cohort into a look; see ``cohort.run.work.Work``.

    Attributes:
        look: The look.
    """

    look: Look
    verb: str = "harmonised"
    shown: Progress | None = field(default=None, compare=False)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the columns: each tissue's level before, relative to the look's."""
        return tuple(f"{tissue} before" for tissue in self.look.tissues)

    @property
    def model_digest(self) -> str:
        """Digest of the look."""
        return digest_of(self.look)

    @property
    def options(self) -> Mapping[str, Any]:
        """Nothing but the look counts."""
        return {}

    def settled(self, choice: Mapping[str, str]) -> HarmoniseWork:
        """The same: there is nothing to choose."""
        return self

    def prepare(self, shown: Any = None) -> HarmoniseWork:
        """Nothing is loaded."""
        return HarmoniseWork(self.look, shown=shown)

    def choice(self) -> dict[str, str]:
        """Nothing is chosen."""
        return {}

    def ahead(self, task: Task) -> Sequence[Path]:
        """The volume; see ``cohort.run.work.Ready``."""
        return task.inputs

    def run(self, task: Task, title: str, files: Files) -> Done:
        """Harmonise a volume; see ``cohort.run.work.Ready``."""
        output = task.outputs[0]
        output.parent.mkdir(parents=True, exist_ok=True)
        if self.shown is not None:
            self.shown.stage(f"harmonising {title}")
        case = harmonise_case(task.inputs[0], self.look, output, files)
        levels = case.harmonised.before.levels / self.look.levels
        quality: dict[str, float | None] = {
            name: float(value) for name, value in zip(self.metrics, levels, strict=True)
        }
        pictures = [_shown(case.source), _shown(case.harmonised.volume, float(self.look.levels[-1]))]
        entry = entry_of(case, self.look, task.inputs[0], output)
        said = {"Description": f"{self.look.kind} in the look {self.look.name}. Not for diagnosis.", "Modality": "MR"}
        write_sidecars(task, files, entry, {**said, "StyleModel": f"look {self.look.name}"})
        return Done(entry, thumbnail(case.source, pictures), quality)


def entry_of(case: HarmonisedCase, look: Look, source: Path, output: Path) -> dict[str, Any]:
    """What a report says of one volume."""
    return {
        "input": str(source),
        "output": str(output),
        "model": look.entry(),
        "device": "cpu",
        "backend": "numpy",
        "precision": "fp32",
        "slices": case.source.array.shape[1],
        "seconds": case.seconds,
        "units": "the look's",
        "quality": {"tissues": case.tissues(look)},
        "warnings": case.warnings,
    }


def _shown(volume: Volume, top: float | None = None) -> np.ndarray:
    """(1, z, y, x) in [-1, 1] for a picture; top: of the look's brightest tissue, which all pictures then share."""
    array = volume.array.astype(np.float32)
    low, high = float(array.min()), float(np.percentile(array, 99.5)) if top is None else 1.25 * top
    return np.clip((array - low) / max(high - low, 1e-6) * 2 - 1, -1, 1)
