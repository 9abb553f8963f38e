"""Reads hostile cases one after the other in a process with little memory, and tells how each ended.

``python -m reliability.batch`` takes names of cases on stdin, one a line, and answers each with a line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TESTING = Path(__file__).resolve().parent.parent
ROOM = 1 << 30  # bytes of address space beyond what the process has when it begins
MOST_SECONDS = 20  # of processor time, after which a case counts as a hang; the clock says nothing on a busy machine
MOST_ASLEEP = 10  # looks in a row, a second apart, at a process that waits for something that does not come
FILLS = ("85", "170")  # what malloc fills new memory with: what was never written differs between them


@dataclass(frozen=True)
class Ending:
    """How a case ended.

    Attributes:
        outcome: "refused" or "read"; "traceback", "died", "hung" or "too much memory" are failures.
        message: The sentence, or what went wrong.
        digest: Of the voxels and their place, where the case was read.
        seconds: Of processor time.
        megabytes: By which the largest resident memory grew.
    """

    outcome: str
    message: str = ""
    digest: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0


def run(names: Iterable[str], fill: str = FILLS[0]) -> dict[str, Ending]:
    """Read cases in child processes; one that dies or hangs is followed by another for what is left.

    Args:
        names: Of the cases.
        fill: What new memory is filled with.
    """
    waiting, endings = list(names), {}
    while waiting:
        with _child(fill) as child:
            while waiting:
                name = waiting.pop(0)
                ending = _ask(child, name)
                endings[name] = ending
                if ending.outcome in ("died", "hung"):
                    child.kill()
                    break
            child.stdin.close()
    return endings


def _child(fill: str) -> subprocess.Popen:
    folders = [TESTING, TESTING.parent, TESTING.parent / "SurgicalStyleTransfer"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "MALLOC_PERTURB_": fill,
        "OMP_NUM_THREADS": "1",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
    }
    command = [sys.executable, "-m", "reliability.batch"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)


def _ask(child: subprocess.Popen, name: str) -> Ending:
    try:
        child.stdin.write(name + "\n")
        child.stdin.flush()
        begun, asleep = None, 0
        while not select.select([child.stdout], [], [], 1)[0]:
            state, seconds = _state(child.pid)
            begun = seconds if begun is None else begun
            asleep = asleep + 1 if state == "S" else 0
            if seconds - begun > MOST_SECONDS or asleep > MOST_ASLEEP:
                return Ending("hung", f"{seconds - begun:.0f} s of processor time, state {state}")
        line = child.stdout.readline()
    except BrokenPipeError:
        line = ""
    if not line:
        return Ending("died", f"exit status {child.wait()}")
    return Ending(**json.loads(line))


def _state(pid: int) -> tuple[str, float]:
    """What a process does (R, S, ...), and the seconds of processor time it has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> Ending:
    from surgical_style_engine.errors import StyleTransferError
    from surgical_style_engine.imageio.read import read_volume
    from surgical_style_engine.volumes.volume import check_volume

    begun = time.process_time()
    before = _resident()
    try:
        volume = read_volume(path)
        check_volume(volume)
        place = repr((volume.spacing, volume.origin, volume.direction.tolist(), volume.array.shape, volume.array.dtype))
        digest = hashlib.sha256(volume.array.tobytes() + place.encode()).hexdigest()[:16]
        ending = Ending("read", digest=digest)
    except StyleTransferError as error:
        constant = re.search("is constant", str(error))  # what it was read as, judged by what follows reading
        ending = Ending("read" if constant else "refused", str(error).replace(str(path.parent), "..."), "constant")
    except MemoryError:
        ending = Ending("too much memory")
    except BaseException:
        ending = Ending("traceback", traceback.format_exc(limit=-2))
    grown = max(0, _resident() - before) / 1e6
    return Ending(ending.outcome, ending.message, ending.digest, round(time.process_time() - begun, 2), round(grown))


def _resident() -> int:
    """The largest resident memory since the last call, bytes."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) << 10


def _serve() -> None:
    """Answer until stdin ends."""
    from reliability.hostile.registry import cases

    known = cases()
    import surgical_style_engine.imageio.read  # noqa: F401

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _read(Path("/nonexistent.nii"))
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM + (1 << 30), resource.RLIM_INFINITY))  # libraries load late
    for line in sys.stdin:
        name = line.strip()
        with tempfile.TemporaryDirectory() as folder:
            ending = _read(known[name].make(Path(folder)))
        answers.write(json.dumps(vars(ending)) + "\n")


if __name__ == "__main__":
    _serve()
