"""A sample of what ``write_results.py`` does a hundred times: kills, full disks, vanished folders, little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import warm_python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, limits and memory of Linux")
TESTING = Path(__file__).resolve().parent.parent
PATHS = [str(TESTING), str(TESTING.parent), str(TESTING.parent / "SurgicalStyleTransfer")]
SAMPLE = f"""
import shutil, sys
sys.path[:0] = {PATHS!r}
from pathlib import Path
from reliability import faults

folder = Path(sys.argv[1])
for name in ("worker", "training", "files", "writers"):
    (folder / name).mkdir()
told = {{"worker killed": faults.worker_killed(folder / "worker", 2)}}
told["training killed"] = faults.training_killed(folder / "training", 2)
where = faults.place(folder / "files", folder / "files" / "out")
told["disk full"] = faults.commands_under(where, faults.small_files, ["translate to .nii.gz", "import"])
told["vanished"] = faults.commands_under(where, lambda: shutil.rmtree(where.output), ["fuse"])
told["little memory"] = faults.commands_under(where, faults.little_memory, ["translate to .nrrd", "fuse"], True)
where.output.mkdir(exist_ok=True)
told["two writers"] = faults.two_writers(where, 1)
for what, one in told.items():
    print(what, one.tries, one.good, *one.wrong, sep="|")
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, list[str]]:
    """What was tried, how often, how often it was good, and what was not."""
    # A process of its own: what is forked must have run no threads.
    done = subprocess.run(
        [warm_python.command(training=True), "-c", SAMPLE, str(tmp_path_factory.mktemp("faults"))],
        env=os.environ | {"OMP_NUM_THREADS": "1", "SST_PROBE": "off"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {line.split("|")[0]: line.split("|")[1:] for line in done.stdout.splitlines() if "|" in line}


@pytest.mark.parametrize(
    "what", ["worker killed", "training killed", "disk full", "vanished", "little memory", "two writers"]
)
def test_nothing_half_is_left(told, what):
    tries, good, *wrong = told[what]
    assert int(tries) > 0 and tries == good and not wrong, told[what]
