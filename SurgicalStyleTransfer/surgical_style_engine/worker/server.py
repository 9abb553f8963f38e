"""The child process that computes for the panel: ``python -m surgical_style_engine.worker --scratch FOLDER``.

It reads requests from stdin and answers on stdout (see ``messages``), keeps models and the latest translations
in memory, and ends itself when stdin closes: killing the launcher that started it would not reach it.

``--tasks MODULE`` serves the tasks of another package by the same conversation: its ``Tasks`` has a ``run`` like that
of ``tasks.Tasks``.
"""

from __future__ import annotations

import argparse
import importlib
import os
import queue
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from surgical_style_engine.common.cancelling import cancellable
from surgical_style_engine.common.plain_reasons import shown
from surgical_style_engine.common.version import __version__
from surgical_style_engine.errors import Cancelled, StyleTransferError

from .messages import VERSION, decode, encode
from .scratch import end_at_signals, remove_abandoned

OWN_TASKS = "surgical_style_engine.worker.tasks"


class Requests:
    """The requests from a stream, read by a thread of its own so that ``cancel`` arrives while a network runs."""

    def __init__(self, stream: BinaryIO, at_end: Callable[[], None]) -> None:
        self._stream, self._at_end = stream, at_end
        self._waiting: queue.Queue[dict] = queue.Queue()
        self._cancelled: set[int | None] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> dict:
        """The next request; waits for one."""
        return self._waiting.get()

    def is_cancelled(self, number: int | None) -> bool:
        """Whether a request is to stop."""
        return number in self._cancelled

    def finished(self, number: int | None) -> None:
        """Forget a request's cancellation."""
        self._cancelled.discard(number)

    def _read(self) -> None:
        try:
            for line in self._stream:
                message = decode(line)
                if message is None:
                    print(f"Not a message: {line[:200]!r}", file=sys.stderr, flush=True)
                elif "cancel" in message:
                    self._cancelled.add(message["cancel"])
                else:
                    self._waiting.put(message)
        except Exception:
            traceback.print_exc()
        finally:
            # Without its reader the process would neither answer nor ever end.
            self._at_end()


class Worker:
    """Answers one request after the other.

    Args:
        requests: where they come from.
        answers: where answers go.
        module: whose ``Tasks`` does what is asked.
    """

    def __init__(self, requests: Requests, answers: BinaryIO, module: str = OWN_TASKS) -> None:
        self._requests, self._answers, self._module = requests, answers, module
        self._tasks: Any = None

    def run(self) -> None:
        """Answer for ever: the end of the stream ends the process."""
        self._say({"event": "ready", "protocol": VERSION, "version": __version__, "pid": os.getpid()})
        while True:
            self._answer(self._requests.next())

    def _answer(self, request: dict) -> None:
        number: int | None = request.get("id")

        def progress(stage: str, done: int, total: int) -> None:
            self._say({"id": number, "event": "progress", "stage": stage, "done": done, "total": total})

        def cancelled() -> bool:
            return self._requests.is_cancelled(number)

        try:
            if cancelled():
                raise Cancelled("The request was cancelled.")
            if self._tasks is None:
                self._tasks = importlib.import_module(self._module).Tasks()  # what fails in it is answered
            with cancellable(cancelled):
                result = self._tasks.run(request, progress, cancelled)
            self._say({"id": number, "event": "result", **result})
        except StyleTransferError as error:
            # One sentence on one line, whatever the names in it hold; the sst command does the same.
            message = " ".join(str(error).split())
            self._say({"id": number, "event": "error", "code": error.code, "message": message})
        except MemoryError:
            self._fail(number, "out_of_memory", "There is too little memory; close other programs or volumes.")
        except ImportError as error:
            self._fail(number, "missing_package", f"A Python package is missing or broken: {error}.")
        except OSError as error:
            place = f"{shown(str(error.filename))}: " if error.filename else ""
            self._fail(number, "failed", f"{place}{error.strerror or error}.")
        except Exception as error:
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            self._fail(number, "internal", f"The engine failed unexpectedly: {reason}. The worker log says more.")
        finally:
            self._requests.finished(number)

    def _fail(self, number: int | None, code: str, message: str) -> None:
        traceback.print_exc()
        sys.stderr.flush()
        self._say({"id": number, "event": "error", "code": code, "message": message})

    def _say(self, message: dict) -> None:
        self._answers.write(encode(message))
        self._answers.flush()


def main(arguments: list[str] | None = None) -> None:
    """Serve until stdin closes. Removes the scratch folder then, in case its owner cannot any more."""
    parser = argparse.ArgumentParser(prog="surgical_style_engine.worker", description=__doc__)
    parser.add_argument("--scratch", type=Path, help="folder of the exchanged arrays, removed at the end")
    parser.add_argument("--tasks", default=OWN_TASKS, metavar="MODULE", help="whose Tasks are served")
    parser.add_argument("--path", default="", help="folder in which Python looks for that module, too")
    options = parser.parse_args(arguments)
    if options.path:
        sys.path.append(options.path)

    def end(code: int = 0) -> None:
        if options.scratch is not None:
            shutil.rmtree(options.scratch, ignore_errors=True)
        # Not sys.exit: this is not the main thread, and whatever that computes has lost its reader.
        os._exit(code)

    end_at_signals(end)
    if options.scratch is not None:
        remove_abandoned(options.scratch)
    try:
        # Only messages go to the real stdout; what libraries print there joins the log on stderr.
        answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        if hasattr(os, "nice"):
            os.nice(5)  # Slicer's own threads come first
        Worker(Requests(sys.stdin.buffer, end), answers, options.tasks).run()
    except (BrokenPipeError, KeyboardInterrupt):
        end()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        end(1)
