"""A worker that is told to end, or was killed, leaves no voxels behind."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tiny_models import head
from worker_process import SLOW, stored

from surgical_style_engine.worker.scratch import OWNERS, PREFIX, remove_abandoned

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_remove_the_scratch_folder_even_while_computing(start, tiny, number):
    talk = start(SLOW)
    volume, output = stored(talk, head()), str(talk.scratch / "out.npy")
    talk.send(id=1, task="translate", volume=volume, model=str(tiny), output=output, keep="a", device="cpu")
    while talk.next()["event"] != "progress":
        pass
    begun = time.monotonic()
    talk.process.send_signal(number)
    assert talk.process.wait(timeout=60) == 128 + number
    assert not talk.scratch.exists() and time.monotonic() - begun < 30


def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_killed_workers_left_goes(tmp_path):
    folders = {name: tmp_path / f"{PREFIX}{name}" for name in ("own", "killed", "living", "unknown")}
    for folder in folders.values():
        folder.mkdir()
        (folder / "input.npy").write_bytes(b"voxels")
    (folders["killed"] / OWNERS).write_text(json.dumps([ended(), ended()]))
    (folders["living"] / OWNERS).write_text(json.dumps([ended(), os.getpid()]))
    (tmp_path / f"{PREFIX}link").symlink_to(folders["killed"])
    remove_abandoned(folders["own"])
    left = {folder.name for folder in tmp_path.iterdir()}
    assert left == {f"{PREFIX}{name}" for name in ("own", "living", "unknown", "link")}
    assert json.loads((folders["own"] / OWNERS).read_text()) == [os.getpid(), os.getppid()]


@pytest.mark.parametrize("owners", ["", "{}", "[]", '["x"]', "[null]", "[" * 5000])
def test_an_odd_mark_is_left_alone(tmp_path, owners):
    (tmp_path / f"{PREFIX}odd").mkdir()
    (tmp_path / f"{PREFIX}own").mkdir()
    (tmp_path / f"{PREFIX}odd" / OWNERS).write_text(owners)
    remove_abandoned(tmp_path / f"{PREFIX}own")
    assert (tmp_path / f"{PREFIX}odd").is_dir()
