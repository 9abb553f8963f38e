"""Writes RESULTS.md: how every hostile file and model ended, what kills and full disks left, what was fuzzed.

``python Testing/reliability/write_results.py`` takes some ten minutes of one core. ``--part files`` (or models, faults,
fuzzing) does that part anew and leaves the others as this script wrote them before; each part has its day.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

TESTING = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTING), str(TESTING.parent), str(TESTING.parent / "SurgicalStyleTransfer")]
# What is forked must have run no threads; nothing is measured, and remembered in the home folder.
os.environ |= {"OMP_NUM_THREADS": "1", "SST_PROBE": "off", "SST_FEATURES": "/nonexistent/features"}

from reliability import batch, faults, fuzz_all, models_batch  # noqa: E402
from reliability.hostile.registry import cases  # noqa: E402

WORKER_KILLS, TRAINING_KILLS, WRITERS = 100, 20, 10
RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """# What was tried, and how it ended

Written by `write_results.py`, nothing by hand.
"""
FILES = """
## Hostile files

Each file is read in a process with 2 GB of address space; those that can be are read twice, with other bytes in fresh
memory. What they should is said by the registry in `hostile/`. Seconds are of the processor.

"""
MODELS = """
## Hostile models

Model folders, archives, weights and pictures for `sst models import` (`hostile_models/`): every one has to be refused
as bad input in one sentence, nothing may run, and no folder of a model may be left.

"""
FAULTS = """
## Kills, full disks, vanished folders, little memory

`faults.py`: what is left has to be whole or absent, with one sentence and exit status 1 or 2 where a command goes on
long enough to say it. After the kills a training has the losses and weights of one that nobody disturbed, to the bit,
and a worker gives the same array.

| | tries | as they should |
|---|---|---|
"""

FUZZED = """
## Fuzzing

`fuzz_all.py` runs the targets of `fuzz.py` (atheris, guided by coverage) and the generated tests (hypothesis, each time
with other examples) for a time of the processor, an hour over all targets of a tool by default, and goes on where it
was. A find is what ended a round: no sentence, a traceback, a crash, more than 10 s or 1 GB. Each is mended, and a case
of the tests.

"""
OF_MEMORY = """
Where a limit (`ulimit -v`) leaves less than 128 MB, `sst` says so and ends before it begins: with less, the system's
loader of libraries ends a process without a word as soon as a thread is started.
"""


def table(first: dict[str, batch.Ending], again: dict[str, batch.Ending]) -> str:
    """Markdown, one row a family."""
    families: dict[str, list[str]] = defaultdict(list)
    for name in first:
        families[name.partition("/")[0]].append(name)
    lines = [
        "| family | files | refused | read | as they should | the same twice | longest, s | most memory, MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for family, names in [*families.items(), ("**all**", list(first))]:
        endings = [first[name] for name in names]
        refused = sum(ending.outcome == "refused" for ending in endings)
        read = [name for name in names if first[name].outcome == "read"]
        known = cases()
        right = sum(first[name].outcome == known[name].expected for name in names)
        same = sum(again[name].digest == first[name].digest for name in read)
        longest, most = max(one.seconds for one in endings), max(one.megabytes for one in endings)
        lines.append(
            f"| {family} | {len(names)} | {refused} | {len(read)} | {right} | {same} of {len(read)} | {longest:.2f} | "
            f"{most:.0f} |"
        )
    return "\n".join(lines) + "\n"


def fault_rows(folder: Path) -> str:
    """A row of Markdown a fault."""
    rows = [
        (
            "a worker killed at any moment of a translation",
            faults.worker_killed(_made(folder / "worker"), WORKER_KILLS),
        ),
        (
            "a training killed, every second time while it writes a checkpoint",
            faults.training_killed(_made(folder / "training"), TRAINING_KILLS),
        ),
    ]
    where = faults.place(folder / "files", folder / "out")
    rows.append(
        ("a full disk (no file over 600 bytes), seven commands", faults.commands_under(where, faults.small_files))
    )
    rows.append(
        ("one megabyte of memory left, seven commands", faults.commands_under(where, faults.little_memory, None, True))
    )
    for megabytes in (130, 200, 400):  # enough to begin
        little = partial(faults.little_memory, megabytes)
        told = faults.commands_under(where, little, None, True)
        rows.append((f"{megabytes} megabytes of memory left, seven commands", told))
    for what, options in (("a full disk (8 KB)", "size=8k"), ("a read-only disk", "ro,size=1m")):
        with faults.mounted(folder / "disk", options) as is_there:
            there = faults.Place(where.folder, folder / "disk", where.model, where.image)
            if is_there:
                rows.append((f"{what}, seven commands", faults.commands_under(there, lambda: None)))
            else:
                rows.append((f"{what}: mounting is not permitted here", faults.Told(0, 0)))

    def vanish() -> None:
        shutil.rmtree(where.output)
        where.output.write_text("a file in the folder's place")

    for name in where.commands():
        told = faults.commands_under(where, vanish, [name])
        where.output.unlink(missing_ok=True)
        where.output.mkdir()
        rows.append((f"the output folder is a file when it is written to: {name}", told))
    rows.append(("two processes write one output", faults.two_writers(where, WRITERS)))
    for what, told in rows:
        print(what, told, flush=True)
    return "".join(f"| {what} | {told.tries} | {told.good} |\n" for what, told in rows)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def files_part() -> str:
    """Hostile files."""
    first = batch.run(cases())
    again = batch.run([name for name, ending in first.items() if ending.outcome == "read"], batch.FILLS[1])
    return FILES + table(first, again)


def faults_part() -> str:
    """Kills, full disks and the like."""
    with tempfile.TemporaryDirectory() as folder:
        return FAULTS + fault_rows(Path(folder)) + OF_MEMORY


PARTS: dict[str, Callable[[], str]] = {
    "files": files_part,
    "models": lambda: MODELS + models_batch.table(),
    "faults": faults_part,
    "fuzzing": lambda: FUZZED + fuzz_all.table(),
}


def written_before() -> list[str]:
    """The parts of RESULTS.md as they are, in their order."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else ""
    return [f"## {part.strip()}" for part in text.split("\n## ")[1:]]


def main() -> None:
    """Run everything, or a part, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one; may be repeated")
    asked = parser.parse_args().part or list(PARTS)
    before = written_before()
    if len(before) != len(PARTS):
        asked = list(PARTS)
    texts = []
    for number, (name, make) in enumerate(PARTS.items()):
        if name in asked:
            heading, _, rest = make().strip().partition("\n")
            texts.append(f"{heading}\n\nRun on {datetime.now(timezone.utc):%Y-%m-%d}.\n\n{rest.strip()}")
        else:
            texts.append(before[number])
    RESULTS.write_text("\n\n".join([HEAD.strip(), *texts]) + "\n", encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
