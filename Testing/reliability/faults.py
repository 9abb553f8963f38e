"""Kills, full disks, vanished folders and little memory: what is left afterwards is whole or absent.

Children are forked from a process that has loaded all libraries, so that a hundred kills take minutes.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from reliability.generated.sentences import is_sentence
from tiny_models import head, make_tiny_model
from tiny_training import disc_volume

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.worker import server
from surgical_style_engine.worker.messages import decode, describe, encode, write_array
from training_cli.main import main as sst
from training_cli.training.config import load_config
from training_cli.training.loop import train
from training_cli.training.state.checkpoint import latest_checkpoint, load_checkpoint

PATIENCE = 600  # seconds of the clock for one child, on a busy machine


@dataclass(frozen=True)
class Told:
    """How a fault was met: how often it was tried, how often all was as it should be, and what was not."""

    tries: int
    good: int
    wrong: tuple[str, ...] = ()


def forked(work: Callable[[], None], folder: Path) -> int:
    """A child that does some work, its output in ``folder``; its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        with (folder / "said").open("wb") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        work()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def waited(child: int) -> int:
    """The exit status of a child as Popen gives it; killed ones have that of their signal, negative."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        number, status = os.waitpid(child, os.WNOHANG)
        if number:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("a child hangs")


class ForkedWorker:
    """A worker of its own, forked, with pipes as the panel has them."""

    def __init__(self, scratch: Path) -> None:
        scratch.mkdir(exist_ok=True)
        reading, self._to = os.pipe()
        self._from, writing = os.pipe()
        self.child = os.fork()
        if not self.child:
            os.dup2(reading, 0)
            os.dup2(writing, 1)
            os.close(self._to)
            os.close(self._from)
            sys.stdin = open(0, encoding="utf-8")
            sys.stdout = open(1, "w", encoding="utf-8")
            server.main(["--scratch", str(scratch)])
        os.close(reading)
        os.close(writing)
        self._lines = os.fdopen(self._from, "rb")

    def send(self, **message: Any) -> None:
        os.write(self._to, encode(message))

    def answer(self) -> dict[str, Any]:
        """The next result or error; {} where the worker has ended."""
        for line in self._lines:
            message = decode(line)
            if message is not None and message["event"] in ("result", "error"):
                return message
        return {}

    def end(self) -> int:
        with contextlib.suppress(OSError):
            os.close(self._to)
        self._lines.close()
        return waited(self.child)


def worker_killed(folder: Path, times: int) -> Told:
    """A worker is killed at any moment of a translation; the array is whole or absent, and the next one gives it."""
    model = make_tiny_model(folder)
    write_array(folder / "in.npy", head(shape=(8, 40, 36))[None])
    volume = describe(folder / "in.npy", (2, 2, 4), (0, 0, 0), np.eye(3), name="a")
    asked = {"id": 1, "task": "translate", "volume": volume, "model": str(model), "device": "cpu", "keep": "a"}

    def translated() -> tuple[np.ndarray, float]:
        worker, begun = ForkedWorker(folder / "scratch"), time.monotonic()
        worker.send(**asked, output=str(folder / "out.npy"))
        assert worker.answer()["event"] == "result"
        seconds, result = time.monotonic() - begun, np.load(folder / "out.npy")
        assert worker.end() == 0 and not (folder / "scratch").exists()
        return result, seconds

    expected, seconds = translated()
    chance, wrong = random.Random(0), []
    for number in range(times):
        (folder / "out.npy").unlink(missing_ok=True)
        worker = ForkedWorker(folder / "scratch")
        worker.send(**asked, output=str(folder / "out.npy"))
        time.sleep(chance.uniform(0, 1.2 * seconds))
        os.kill(worker.child, signal.SIGKILL)
        worker.end()
        if (folder / "out.npy").exists() and not _is_whole(folder / "out.npy", expected):
            wrong.append(f"kill {number}: half an array")
    again, _ = translated()
    if not np.array_equal(again, expected):
        wrong.append("another result afterwards")
    return Told(times, times - len(wrong), tuple(wrong))


def _is_whole(path: Path, expected: np.ndarray) -> bool:
    with contextlib.suppress(ValueError, EOFError):
        return np.array_equal(np.load(path), expected)
    return False


def training_killed(folder: Path, times: int) -> Told:
    """A training is killed, every second time while it writes a checkpoint, and resumed: it ends as one undisturbed.

    Losses and weights are compared to the bit.
    """
    for side, inverted in (("source", False), ("target", True)):
        (folder / side).mkdir(parents=True)
        for number in range(2):
            sitk.WriteImage(disc_volume(number, inverted), str(folder / side / f"{number}.nii.gz"))
    steps = 2 * times + 4
    settings = {"source": folder / "source", "target": folder / "target", "max_steps": steps, "ngf": 4, "n_blocks": 1}
    settings |= {"ndf": 4, "patch_size": 32, "checkpoint_every": 1, "sample_every": 0, "check_every": 0, "workers": 0}
    settings |= {"trackers": ["csv"], "device": "cpu", "precision": "fp32", "keep_checkpoints": 2}

    def run(name: str) -> int:
        config = load_config(None, settings | {"output": folder / name})
        return forked(lambda: (train(config, resume=(folder / name).exists()), None)[1], folder)

    assert waited(run("undisturbed")) == 0, (folder / "said").read_text()
    chance, killed = random.Random(0), 0
    checkpoints = folder / "killed" / "checkpoints"
    for number in range(times):
        before, child = latest_checkpoint(checkpoints), run("killed")
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                assert os.waitstatus_to_exitcode(status) == 0, (folder / "said").read_text()
                break
            is_writing = any(checkpoints.glob(".checkpoint-*"))
            if latest_checkpoint(checkpoints) != before and (number % 2 == 0 or is_writing):
                time.sleep(0 if is_writing else chance.uniform(0, 0.05))
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                killed += 1
                break
            time.sleep(0.001)
    assert waited(run("killed")) == 0, (folder / "said").read_text()
    wrong = []
    if _losses(folder / "killed") != _losses(folder / "undisturbed"):
        wrong.append("other losses")
    first, second = (
        load_checkpoint(latest_checkpoint(folder / name / "checkpoints")) for name in ("undisturbed", "killed")
    )
    if _digest(first["method"]) != _digest(second["method"]):
        wrong.append("other weights")
    return Told(killed, killed - len(wrong), tuple(wrong))


def _losses(run: Path) -> list[dict[str, str]]:
    with (run / "losses.csv").open(newline="") as stream:
        return [{k: v for k, v in row.items() if k not in ("seconds", "waiting")} for row in csv.DictReader(stream)]


def _digest(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
    if isinstance(value, dict):
        return repr({key: _digest(part) for key, part in value.items()})
    return repr([_digest(part) for part in value]) if isinstance(value, list | tuple) else repr(value)


@dataclass(frozen=True)
class Place:
    """Files that commands read, and a folder that they write to."""

    folder: Path
    output: Path
    model: Path
    image: Path

    def commands(self) -> dict[str, list[str]]:
        """Commands that write, by name."""
        image, model, output = str(self.image), str(self.model), str(self.output)
        fixed = ["--device", "cpu", "--precision", "fp32", "--backend", "torch"]
        sides = ["--source", str(self.folder / "source"), "--target", str(self.folder / "source")]
        small = [
            "--max-steps",
            "1",
            "--ngf",
            "4",
            "--n-blocks",
            "1",
            "--ndf",
            "4",
            "--patch-size",
            "16",
            "--workers",
            "0",
        ]
        commands = {
            f"translate to {ending}": ["translate", image, f"{output}/o{ending}", "--model", model, *fixed]
            for ending in (".nii.gz", ".nrrd", ".mha")
        }
        commands["translate with report"] = [*commands["translate to .nrrd"], "--report", f"{output}/r.json"]
        commands["fuse"] = ["fuse", image, str(self.folder / "other.nii.gz"), f"{output}/f.nii.gz"]
        commands["import"] = ["models", "import", model, "--into", output]
        commands["train"] = ["train", *sides, "--output", f"{output}/run", *small, "--workers", "0", "--device", "cpu"]
        return commands


def place(folder: Path, output: Path) -> Place:
    """Make the files that ``Place.commands`` read."""
    (folder / "source").mkdir(parents=True)
    image = sitk.GetImageFromArray(head(shape=(6, 40, 36)))
    for path in (folder / "head.nii.gz", folder / "source" / "a.nii.gz"):
        sitk.WriteImage(image, str(path))
    sitk.WriteImage(sitk.Cast(900 - image, sitk.sitkFloat32), str(folder / "other.nii.gz"))
    output.mkdir(exist_ok=True)
    return Place(folder, output, make_tiny_model(folder), folder / "head.nii.gz")


def small_files() -> None:
    """No file can become larger than 600 bytes, which is how a full disk looks to who writes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))


def little_memory(megabytes: int = 1) -> None:
    """No more address space than there is by now, but for so much."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (megabytes << 20), resource.RLIM_INFINITY))


def commands_under(
    where: Place, fault: Callable[[], None], names: list[str] | None = None, may_succeed: bool = False
) -> Told:
    """Each command in a child in which something is wrong: it ends with a sentence, and leaves what there was."""
    wrong, tries = [], 0
    for name, command in where.commands().items():
        if names is not None and name not in names:
            continue
        tries += 1
        before = _tree(where.output)

        def work(command: list[str] = command) -> None:
            fault()
            sst(command)

        code = waited(forked(work, where.folder))
        said = (where.folder / "said").read_text(errors="replace")
        last = said.strip().splitlines()[-1].removeprefix("sst: ") if said.strip() else ""
        left = _tree(where.output) - before
        # A training keeps its run folder with what was prepared; all else is whole or absent.
        left = {path for path in left if not path.startswith("run")}
        is_refused = code in (1, 2) and is_sentence(last) and not left
        # Memory may do after all, from what the process has had before.
        is_done = code == 0 and may_succeed and not any(part.startswith(".") for part in left)
        if "Traceback" in said or not (is_refused or is_done):
            wrong.append(f"{name}: exit {code}, left {sorted(left)}, {said[-300:]!r}")
        for path in [] if where.output.is_file() else list(where.output.glob("*")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return Told(tries, tries - len(wrong), tuple(wrong))


def _tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} if folder.exists() else set()


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[bool]:
    """A file system in memory at a folder; False where mounting is not permitted."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def two_writers(where: Place, times: int) -> Told:
    """Two processes write one output at the same time: in the end it is what either of them writes."""
    commands, wrong = where.commands(), []
    names = ["translate to .nrrd", "fuse", "import"]
    for _ in range(times):
        for name in names:
            command = [*commands[name], *(["--overwrite"] if name in ("import", "fuse") else [])]
            folders = [where.folder / f"said-{number}" for number in range(2)]
            for folder in folders:
                folder.mkdir(exist_ok=True)
            children = [forked(lambda command=command: sst(command), folder) for folder in folders]
            codes = [waited(child) for child in children]
            said = [(folder / "said").read_text() for folder in folders]
            if codes != [0, 0]:
                wrong.append(f"{name}: exits {codes}, {said}")
    try:
        whole = read_volume(where.output / "o.nrrd"), read_volume(where.output / "f.nii.gz")
        assert all(volume.array.any() for volume in whole)
        load_model(where.output / where.model.name)
    except Exception as error:
        wrong.append(f"not whole: {error}")
    if any(path.startswith(".") for path in _tree(where.output)):
        wrong.append(f"left behind: {_tree(where.output)}")
    tries = times * len(names)
    return Told(tries, tries - len(wrong), tuple(wrong))
