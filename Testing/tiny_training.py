"""What tests of training share: made-up volumes, settings as arguments, and a real process."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import warm_python

ROOT = Path(__file__).resolve().parents[1]
PATHS = [str(ROOT), str(ROOT / "SurgicalStyleTransfer")]  # where a process finds what is tested


def disc_volume(seed: int, inverted: bool, size: int = 40, slices: int = 4) -> sitk.Image:
    """A disc (300) with an inner disc (700) on zero background; the target domain swaps the two values."""
    random = np.random.default_rng(seed)
    z, y, x = np.mgrid[:slices, :size, :size]
    centre = size / 2 + random.uniform(-3, 3, 2)
    distance = np.hypot(y - centre[0], x - centre[1])
    outer, inner = (700, 300) if inverted else (300, 700)
    array = np.where(distance < size * 0.4, outer, 0)
    array = np.where(distance < size * 0.2, inner, array).astype(np.float32)
    array += random.normal(0, 8, array.shape) * (array > 0)
    image = sitk.GetImageFromArray(array.astype(np.float32))
    image.SetSpacing((1.0, 1.0, 3.0))
    return image


def as_options(settings: dict) -> list[str]:
    """Settings -> arguments of ``sst train``."""
    options: list[str] = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            options += [f"--{flag}", ",".join(value) if isinstance(value, list) else str(value)]
    return options


def losses_of(run: Path) -> list[dict[str, float]]:
    """The rows of a run's losses.csv, without what depends on the clock and without empty places."""
    with (run / "losses.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [{k: float(v) for k, v in row.items() if v and k not in ("seconds", "waiting")} for row in rows]


TOLD = """
import os, pathlib, sys
sys.path[:0] = {paths!r}
pathlib.Path({path!r}).write_text(str(os.getpid()))
from training_cli.main import main
main(sys.argv[1:])
"""


def told(path: Path) -> list[str]:
    """``sst`` as a command that writes its process ID, which is its group's too, into a file."""
    return [warm_python.command(training=True), "-c", TOLD.format(paths=PATHS, path=str(path))]


class Process:
    """A real ``sst train`` of its own, in a process group of its own as a shell would start it.

    Args:
        settings: of the training.
        program: what runs it; ``told(path)`` starts at once, and writes its process ID into a file.
    """

    def __init__(self, settings: dict, program: Sequence[str] = (sys.executable, "-m", "training_cli.main")) -> None:
        command = [*program, "train", *as_options(settings)]
        self.handle = subprocess.Popen(
            command,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def wait_for(self, happened: Callable[[], bool], seconds: float = 300) -> None:
        """Return once ``happened()``; fail where the process ends before, or never gets there."""
        limit = time.monotonic() + seconds
        while not happened():
            if self.handle.poll() is not None:
                raise AssertionError(f"the training ended: {self.handle.communicate()}")
            assert time.monotonic() < limit, "the training did not get that far"
            time.sleep(0.05)

    def end(self, seconds: float = 300) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) once it ended."""
        out, err = self.handle.communicate(timeout=seconds)
        return self.handle.returncode, out, err
