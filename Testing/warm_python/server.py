"""The process that has imported the libraries, and forks for every launcher that asks."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
from pathlib import Path

from launcher import early_of

# None of them starts a thread: what is forked must have one only.
LIBRARIES = ("numpy", "SimpleITK", "pydicom", "torch", "openvino", "surgical_style_engine.worker.tasks")


class Forks:
    """Answers launchers until it has to fork."""

    def __init__(self, listener: socket.socket) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = listener
        self._running: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor of the process
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin, selectors.EVENT_READ, self._end_all)
        self._environment = early_of(os.environ)

    def next(self) -> dict:
        """Serve; returns in forks only, with the request that one is for."""
        while True:
            for key, _ in self._selector.select():
                if key.fd not in self._selector.get_map():
                    continue  # of a fork whose end came in the same round
                request = key.data(key.fileobj)
                if request is not None:
                    return request

    def _accept(self, listener: socket.socket) -> dict | None:
        connection, _ = listener.accept()
        head, streams, _, _ = socket.recv_fds(connection, 8, 3)
        content = bytearray()
        while len(content) < int.from_bytes(head, "big") and (part := connection.recv(1 << 20)):
            content += part
        if not content or len(content) < int.from_bytes(head, "big"):
            connection.close()  # the launcher was killed before it had said what it wants
            for stream in streams:
                os.close(stream)
            return None
        request = json.loads(content)
        if early_of(request["environment"]) != self._environment:
            connection.sendall(bytes(8))
            connection.close()
        else:
            import_libraries(request["more"])
            gc.freeze()
            pid = os.fork()
            if not pid:
                connection.close()
                self._leave(streams)
                return request
            process = os.pidfd_open(pid)
            with contextlib.suppress(OSError):  # a launcher that is gone already is seen below
                connection.sendall(pid.to_bytes(8, "big"))
            self._running[process] = (pid, connection)
            self._selector.register(process, selectors.EVENT_READ, self._ended)
            self._selector.register(connection, selectors.EVENT_READ, lambda _: self._kill(process))
        for stream in streams:
            os.close(stream)
        return None

    def _leave(self, streams: list[int]) -> None:
        """In a fork: keep nothing of the server's but what it has imported."""
        os.setpgid(0, 0)
        self._selector.close()
        self._listener.close()
        for process, (_, other) in self._running.items():
            os.close(process)
            other.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)

    def _ended(self, process: int) -> None:
        pid, connection = self._running.pop(process)
        self._selector.unregister(process)
        self._selector.unregister(connection)
        os.close(process)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):
            connection.sendall(status.to_bytes(8, "big"))
        connection.close()

    def _kill(self, process: int) -> None:
        """End a fork whose launcher is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)

    def _end_all(self, _: object) -> None:
        """The test session is over."""
        for process in self._running:
            self._kill(process)
        os._exit(0)


def import_libraries(more: str) -> None:
    """Import those that are installed, and a module more if it has a name."""
    sys.modules.setdefault("openvino_telemetry", None)
    for name in (*LIBRARIES, more):
        if name and name not in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def become(request: dict) -> None:
    """Run a request's arguments as Python would, and end."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.modules["numpy"].random.seed()
    first, *rest = request["arguments"]
    if first == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
    elif first == "-m":
        sys.argv = ["-m", *rest[1:]]
        sys.path.insert(0, request["folder"])
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        sys.path.insert(0, str(Path(first).resolve().parent))
        runpy.run_path(first, run_name="__main__")


def end(error: BaseException | None) -> None:
    """End this process as Python would, but for freeing every object: that would copy the memory of all libraries."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    elif error is not None:
        code = 1
        sys.excepthook(type(error), error, error.__traceback__)
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if isinstance(error, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code & 0xFF)


def main() -> None:
    """Serve; what is forked comes back to run its request."""
    sys.path.pop(0)
    request = Forks(socket.socket(fileno=int(sys.argv[1]))).next()
    try:
        become(request)
    except BaseException as error:
        end(error)
    end(None)


if __name__ == "__main__":
    main()
