"""Stands in for a Python process that runs as a fork of the server: passes streams, signals and the exit code on.

Run with ``-I -S``, so that it starts within milliseconds.
"""

import contextlib
import json
import os
import signal
import socket
import sys

# What Python and the libraries read while they start and are imported, which the server has done already.
EARLY = ("PYTHON", "OMP_", "MKL_", "OPENBLAS_", "LD_", "MALLOC_", "GLIBC_", "CUDA_", "ONEDNN_", "DNNL_", "LANG", "LC_")
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def early_of(environment):
    """The part of an environment that a fork could not take over."""
    return {name: value for name, value in environment.items() if name.startswith(EARLY)}


def ask(connection, more, arguments):
    """Have the server import ``more`` and fork; the fork's process ID, or None if it is not as this one would be."""
    request = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd(), "more": more}
    content = json.dumps(request).encode()
    socket.send_fds(connection, [len(content).to_bytes(8, "big")], [0, 1, 2])
    connection.sendall(content)
    answer = connection.recv(8)
    return int.from_bytes(answer, "big") or None


def main():
    """Run the arguments in a fork of the server, or in a new process where that is not the same."""
    more, *arguments = sys.argv[1:]
    connection, pid = socket.socket(socket.AF_UNIX), None
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    if arguments and (arguments[0] in ("-c", "-m") or not arguments[0].startswith("-")):
        with contextlib.suppress(OSError):  # a server that was ended, perhaps for want of memory
            connection.connect(os.environ["SST_WARM_PYTHON"])
            pid = ask(connection, more, arguments)
    if pid is None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        os.execv(sys.executable, [sys.executable, *arguments])
    for number in FORWARDED:
        signal.signal(number, lambda number, frame: os.kill(pid, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    status = int.from_bytes(connection.recv(8), "big")
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) in FORWARDED:
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
