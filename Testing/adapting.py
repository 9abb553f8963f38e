"""What tests of adapting share: heads whose target has the tissues' order reversed, and small styles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import warm_python
from tiny_models import head, make_tiny_bilateral

from surgical_style_engine.volumes.volume import Volume

SPACING = (2.0, 2.0, 4.0)
SHAPE = (24, 40, 36)


def reversed_tissues(array: np.ndarray) -> np.ndarray:
    """What another contrast makes of a head: dark tissue bright, bright tissue dark, air as it was."""
    return np.where(array > 0, 1000 - array, 0).astype(np.float32)


def head_pair(seed: int = 1, name: str = "") -> tuple[Volume, Volume]:
    """A head and the same one in the other contrast, on one grid."""
    array = head(seed, SHAPE)
    place = {"spacing": SPACING, "name": name}
    return Volume(array[None], **place), Volume(reversed_tissues(array)[None], **place)


STEPS = 30

# A rate, and patches, with which an untrained network learns something within these steps.
QUICK = {"learning_rate": 1e-2, "patch_size": 32}


def quicken() -> None:
    """Let adaptations of this process be of that kind, by the minutes that are asked for; for a worker of its own.

    10: better; 11: no end; 12: nothing learned.
    """
    from training_cli.adapt import adapt, settings

    plain = settings.settings
    settings._SMALL.update(QUICK)
    settings._COMMON["ema_decay"] = 0.9

    def of_steps(request, data, run):
        config = plain(replace(request, steps={10: STEPS, 11: 100_000, 12: 1}[round(request.minutes)]), data, run)
        config.learning_rate = 1e-9 if request.minutes == 12 else config.learning_rate
        return config

    adapt.settings = of_steps


QUICK_WORKER = [
    warm_python.command(training=True),
    "-c",
    f"import sys; sys.path[:0] = ['', {str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]\n"
    "from adapting import quicken; quicken()\n"
    "from surgical_style_engine.worker.server import main; main(sys.argv[1:])\n",
    "--tasks",
    "training_cli.adapt.tasks",
]


def style(folder: Path, name: str = "base") -> Path:
    """A small style from T1w to T2w and back that is nearly right."""
    return make_tiny_bilateral(folder, name)
