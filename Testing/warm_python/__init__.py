"""Python processes that start at once, for tests of what a process does and not of how it starts.

``command()`` takes the place of ``sys.executable`` in the command of a test's process. What it starts is a fork of one
process that has imported the libraries: a process of its own, as fresh as any, without the seconds of imports. Its
arguments, environment, working directory, streams, signals and exit code are those of the command; its process ID, as
behind PythonSlicer, is not the launcher's. It leads a process group of its own, as a command of a shell does.

Not for tests of start-up, of what is imported, of memory or of the environment that libraries read when they are
imported: these start ``sys.executable``. Where nothing can be forked safely, ``command()`` is ``sys.executable`` too.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOCKET = "SST_WARM_PYTHON"  # names the server's socket, for all processes of a test session
# By the programs' names, what is imported besides the server's LIBRARIES.
PROGRAMS = {"PythonSlicer": "", "TrainingPython": "training_cli.training.loop"}


class Server:
    """The process that is forked. It imports nothing before it is first asked."""

    def __init__(self) -> None:
        # Not pytest's folders: a socket's path has at most 107 characters.
        self._folder = tempfile.mkdtemp(prefix="sst-warm-")
        path = str(Path(self._folder) / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(16)
            self._process = subprocess.Popen(
                [sys.executable, str(HERE / "server.py"), str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
        for name, more in PROGRAMS.items():
            program = Path(self._folder) / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{HERE / "launcher.py"}" "{more}" "$@"\n')
            program.chmod(0o700)
        os.environ[SOCKET] = path

    def close(self) -> None:
        """End it, and with it whatever it has started."""
        os.environ.pop(SOCKET, None)
        self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def can_fork() -> bool:
    """Whether the libraries survive a fork: on Linux, and where none of them starts threads when it is imported."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and os.environ.get("OMP_NUM_THREADS") == "1"


def command(training: bool = False) -> str:
    """A program that takes Python's arguments ``-c CODE``, ``-m MODULE`` or ``FILE`` and starts at once.

    Args:
        training: whether it has imported what a training needs, too.
    """
    path = os.environ.get(SOCKET)
    return str(Path(path).with_name("TrainingPython" if training else "PythonSlicer")) if path else sys.executable
