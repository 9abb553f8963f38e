"""One command from a fresh clone: makes .venv beside this clone, installs the project into it and runs something.

    python3 training_cli/bootstrap.py demo        install with the demo's data, then `sst demo`
    python3 training_cli/bootstrap.py test        install with the test tools, then the whole test suite
    python3 training_cli/bootstrap.py -- ARGS     install, then `sst ARGS`

Uses nothing but the standard library. An existing .venv is used again.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("SST_VENV", ROOT / ".venv"))


def main(arguments: list[str]) -> int:
    """Install, then run the task; its exit code."""
    if sys.version_info < (3, 10):  # noqa: UP036 - whatever Python the person has runs this file
        return fail(f"Python 3.10 or newer is needed; this is {sys.version.split()[0]}.")
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        return fail("PyTorch is not made for Intel Macs any more; on Apple silicon, use a Python for arm64.")
    if not arguments or arguments[0] not in ("demo", "test", "--"):
        return fail("Use: bootstrap.py demo [VOLUME] | test [PYTEST ARGUMENTS] | -- SST ARGUMENTS")
    task, rest = arguments[0], arguments[1:]
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        creation = subprocess.run([sys.executable, "-m", "venv", str(VENV)])
        if creation.returncode:
            return fail("The virtual environment could not be made (on Debian and Ubuntu: apt install python3-venv).")
    extras = {"demo": "[demo]", "test": "[test]", "--": ""}[task]
    install = [str(python), "-m", "pip", "install", "--quiet", "--editable", f"{ROOT}{extras}"]
    if subprocess.run(install).returncode:
        return fail("The installation failed; the messages above say why.")
    if task == "test":
        # Three calls, since torch, OpenVINO, Qt and VTK need not get along in one process. The small parts run with the
        # command's, and the long files first, so that no core waits for one of them at the end.
        small = ("compatibility", "cli", "reliability", "test_structure.py")
        folders = (small, ("engine",), ("slicer",))
        parts = [rest] if rest else [[str(ROOT / "Testing" / name) for name in names] for names in folders]
        if not rest:
            parts[0] += ["--no-loadscope-reorder"]
            # They wait for the worker's process at times: twice as many keep the cores busy.
            parts[-1] += ["--numprocesses", str(2 * (os.cpu_count() or 1))]
        # A test process a core, and each with one thread of its own: together they are faster than one with all cores.
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        command = [str(python), "-m", "pytest", "--numprocesses", "auto", "--dist", "loadfile"]
        return max([subprocess.run([*command, *part], cwd=ROOT, env=environment).returncode != 0 for part in parts])
    command = [str(python), "-m", "training_cli.main", *(["demo"] if task == "demo" else []), *rest]
    return subprocess.run(command).returncode


def fail(sentence: str) -> int:
    """Say why it cannot be done; the exit code of that."""
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
