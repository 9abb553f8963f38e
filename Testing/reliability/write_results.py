"""Writes RESULTS.md: how every hostile file and model ended, and what kills and full disks left.

``python Testing/reliability/write_results.py`` takes some ten minutes of one core.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

TESTING = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTING), str(TESTING.parent), str(TESTING.parent / "SurgicalStyleTransfer")]
# What is forked must have run no threads; nothing is measured, and remembered in the home folder.
os.environ |= {"OMP_NUM_THREADS": "1", "SST_PROBE": "off", "SST_FEATURES": "/nonexistent/features"}

from reliability import batch, faults, models_batch  # noqa: E402
from reliability.hostile.registry import cases  # noqa: E402

WORKER_KILLS, TRAINING_KILLS, WRITERS = 100, 20, 10
HEAD = """# What was tried, and how it ended

Written by `write_results.py`.

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

# Written by hand: what takes hours is not run each time.
NOTES = """
## Memory, fuzzing

Of the seven commands with a megabyte of memory left, `sst fuse` was ended by the system's loader of libraries ("cannot
allocate memory for thread-local data"), before any Python could say so.

atheris 3.0, on two cores shared with twenty other processes, 2026-11-28; seconds of processor and inputs. An hour
each it was not. Two runs ended at a limit of the clock: the NIfTI file takes 0.07 s of the processor alone;
the message to the worker was not kept (it is now).

| | nifti | nifti-gz | meta | nrrd | dicom | png | jpeg | tiff | model.json | protocol |
|---|---|---|---|---|---|---|---|---|---|---|
| s | 9 | 3 | 11 | 9 | 10 | 4 | 3 | 9 | 7 | 17 |
| inputs | 3,445 | 2,956 | 9,424 | 11,376 | 242 | 3,163 | 1,849 | 9,789 | 11,038 | 11,647 |

hypothesis, messages to the worker: 41,000 in 220 s of the processor while they were written, which gave the cases of
`test_generated_messages.py`; the tests draw 60 to 250 each.
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


def main() -> None:
    """Run everything, and write the tables."""
    with tempfile.TemporaryDirectory() as folder:
        rows = fault_rows(Path(folder))
    models = models_batch.table()
    first = batch.run(cases())
    again = batch.run([name for name, ending in first.items() if ending.outcome == "read"], batch.FILLS[1])
    text = HEAD + table(first, again) + MODELS + models + FAULTS + rows + NOTES
    (Path(__file__).parent / "RESULTS.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
