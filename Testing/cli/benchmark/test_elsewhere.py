"""The plain way runs in a process of its own and keeps its state there."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from training_cli.benchmark.elsewhere import Elsewhere


class Counting:
    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, 0

    def count(self) -> None:
        import torch

        self.calls += 1
        (self.folder / str(self.calls)).write_text(f"{os.getpid()} {torch.get_num_threads()}")


def fail(folder: Path) -> None:
    raise KeyError("no")


def test_one_other_process_from_call_to_call(tmp_path):
    import torch

    with Elsewhere(Counting(tmp_path).count) as way:
        for _ in range(3):
            assert way() is None
    told = {path.read_text() for path in tmp_path.iterdir()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "3"] and len(told) == 1
    process, threads = map(int, told.pop().split())
    assert process != os.getpid() and threads == torch.get_num_threads()


def test_what_goes_wrong_there_is_told_here(tmp_path):
    with Elsewhere(partial(fail, tmp_path)) as way, pytest.raises(KeyError):
        way()


@pytest.mark.skipif(os.name == "nt", reason="looks at processes as POSIX has them")
def test_it_ends_when_this_process_is_killed(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, time\n"
        "from functools import partial\n"
        "from training_cli.benchmark.elsewhere import Elsewhere\n"
        "if __name__ == '__main__':\n"
        "    with Elsewhere(partial(os.system, 'echo $PPID > other')) as way:\n"
        "        way()\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
    )
    path = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, str(program)], cwd=tmp_path, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
    ) as parent:
        assert parent.stdout.readline() == b"ready\n"
        other = int((tmp_path / "other").read_text())
        os.kill(other, 0)
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        try:
            os.kill(other, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the other process is still there")
