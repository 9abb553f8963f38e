"""Processes that start at once are like those that do not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm_python

pytestmark = pytest.mark.skipif(not warm_python.can_fork(), reason="forks on Linux, with OMP_NUM_THREADS=1")


def run(*arguments, **more):
    return subprocess.run([warm_python.command(), *arguments], capture_output=True, text=True, timeout=300, **more)


def start(code):
    return subprocess.Popen([warm_python.command(), "-c", code], stdout=subprocess.PIPE, text=True)


def test_the_libraries_are_there_and_the_arguments_are_its_own(tmp_path):
    code = "import os, sys; print(sys.argv[1:], os.environ['OWN'], os.getcwd(), 'torch' in sys.modules)"
    said = run("-c", code, "one", "--two", cwd=tmp_path, env=os.environ | {"OWN": "value"}).stdout
    assert said == f"['one', '--two'] value {tmp_path.resolve()} True\n"


def test_a_module_and_a_file(tmp_path):
    assert run("-m", "training_cli.main", "--version").stdout.startswith("sst ")
    (tmp_path / "beside.py").write_text("word = 'found'")
    (tmp_path / "program.py").write_text("import beside, sys\nprint(beside.word, sys.argv[1], __name__)")
    assert run(str(tmp_path / "program.py"), "argument").stdout == "found argument __main__\n"


def test_streams_and_exit_codes():
    ended = run("-c", "import sys; print(sys.stdin.read()); sys.exit(3)", input="a line")
    assert (ended.returncode, ended.stdout) == (3, "a line\n")
    ended = run("-c", "raise SystemExit('why')")
    assert (ended.returncode, ended.stderr) == (1, "why\n")
    ended = run("-c", "raise ValueError('wrong')")
    assert ended.returncode == 1 and ended.stderr.endswith("ValueError: wrong\n")
    ended = run("-c", "import atexit; atexit.register(print, 'last')")
    assert (ended.returncode, ended.stdout) == (0, "last\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_to_the_launcher_ends_the_fork(number):
    process = start("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    pid = int(process.stdout.readline())
    assert pid != process.pid
    process.send_signal(number)
    assert process.wait(60) == -number
    end = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, "the fork lives on"
        time.sleep(0.01)


def test_a_fork_that_is_killed_ends_its_launcher_so():
    process = start("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    os.kill(int(process.stdout.readline()), signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL


def test_a_signal_to_the_group_reaches_what_a_fork_has_started():
    process = start(
        "import os, subprocess; print(os.getpid(), flush=True); subprocess.run(['sh', '-c', 'echo on; sleep 600'])"
    )
    pid, started = process.stdout.readline(), process.stdout.readline()
    os.killpg(int(pid), signal.SIGKILL)
    said, _ = process.communicate(timeout=60)  # until nobody holds the pipe any more
    assert (started, said, process.returncode) == ("on\n", "", -signal.SIGKILL)


def test_forks_know_nothing_of_each_other():
    assert run("-c", "import torch, os; torch.changed = os.environ['CHANGED'] = 'yes'").returncode == 0
    code = "import torch, os; print(hasattr(torch, 'changed'), 'CHANGED' in os.environ)"
    assert run("-c", code).stdout == "False False\n"
    draws = {run("-c", "import random, numpy; print(random.random(), numpy.random.random())").stdout for _ in range(2)}
    assert len(draws) == 2


def test_what_is_read_at_the_start_of_python_starts_one(tmp_path):
    code = "import sys; print('torch' in sys.modules, sys.flags.utf8_mode, sys.flags.optimize)"
    assert run("-c", code, env=os.environ | {"PYTHONUTF8": "1"}).stdout == "False 1 0\n"
    assert run("-O", "-c", code).stdout == f"False {sys.flags.utf8_mode} 1\n"
