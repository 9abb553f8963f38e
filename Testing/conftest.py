"""Fixtures every test folder shares."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import warm_python

# OpenVINO reports its use over the network unless this module is missing.
sys.modules.setdefault("openvino_telemetry", None)
# Which backend is fastest would be measured, and remembered in the home folder; tests of that turn it on.
os.environ["SST_PROBE"] = "off"
# What the user of this machine has fetched must not decide how a test ends.
os.environ["SST_FEATURES"] = "/nonexistent/features"
# Of small images, ITK's threads wait for each other longer than they compute, the more so beside other test processes.
if os.environ.get("OMP_NUM_THREADS") == "1":
    os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")
# A shell without job control starts what goes on in the background deaf to Ctrl-C, and all that it starts with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
ROOT = Path(__file__).resolve().parent.parent
_warm: list[warm_python.Server] = []


def pytest_configure(config: pytest.Config) -> None:
    """One server for all processes of a test session, which find it in the environment."""
    if warm_python.can_fork() and warm_python.SOCKET not in os.environ:
        _warm.append(warm_python.Server())


def pytest_unconfigure(config: pytest.Config) -> None:
    """It ends with the session."""
    while _warm:
        _warm.pop().close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real images kept beside the clone; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("SST_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real images are not at {folder} (set SST_SHARED_DATA)")
    return folder
