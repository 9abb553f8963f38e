"""The worker's scratch folder holds a patient's voxels: it goes with the worker, however that ends."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

PREFIX = "SurgicalStyleTransfer-"
OWNERS = ".owners.json"


def end_at_signals(end: Callable[[int], None]) -> None:
    """End at SIGTERM and SIGHUP at once, also while a library computes; a thread of its own waits for them.

    Args:
        end: Cleans up and ends the process with this exit status.
    """
    if not hasattr(signal, "SIGHUP"):
        return
    # Python's own handlers wait for the main thread, which may be inside a library; the pipe gets the number at once.
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    awaited = (signal.SIGTERM, signal.SIGHUP)
    for number in awaited:
        signal.signal(number, lambda *_: None)

    def wait() -> None:
        while (number := os.read(reading, 1)[0]) not in awaited:
            pass
        end(128 + number)

    threading.Thread(target=wait, daemon=True).start()


def remove_abandoned(scratch: Path) -> None:
    """Mark a scratch folder as ours, and remove those beside it whose worker and its parent were both killed.

    Args:
        scratch: The folder of this worker.
    """
    if not hasattr(os, "getuid"):
        return  # os.kill would end the process it is to ask for
    with contextlib.suppress(OSError):
        (scratch / OWNERS).write_text(json.dumps([os.getpid(), os.getppid()]), encoding="ascii")
        for folder in scratch.parent.glob(f"{PREFIX}*"):
            if folder != scratch and _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return False
        owners = json.loads((folder / OWNERS).read_text(encoding="ascii"))
        return isinstance(owners, list) and bool(owners) and not any(_lives(int(owner)) for owner in owners)
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def _lives(process: int) -> bool:
    if process <= 1:
        return False  # its parent has ended, and it was adopted
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
