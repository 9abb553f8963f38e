"""A running worker for tests: what it is told and what it says."""

import queue
import subprocess
import threading

import numpy as np
import warm_python

from surgical_style_engine.worker import messages as protocol

PATIENCE = 90  # seconds after which a test gives up; no speed is asserted
SLOW = """
import sys, time
import surgical_style_engine.backends.torch_runner as backends
run = backends.TorchRunner.run
def slow(self, batch):
    time.sleep(0.4)
    return run(self, batch)
backends.TorchRunner.run = slow
from surgical_style_engine.worker.server import main
main(sys.argv[1:])
"""
NO_MEMORY = SLOW.replace("time.sleep(0.4)", "raise MemoryError")
BROKEN = SLOW.replace("time.sleep(0.4)", "raise ZeroDivisionError('surprise\\nin two lines')")


class Talk:
    """A running worker and the messages it said."""

    def __init__(self, scratch, code=None, python=None):
        self.scratch = scratch
        start = ["-c", code] if code else ["-m", "surgical_style_engine.worker"]
        self.process = subprocess.Popen(
            [python or warm_python.command(), *start, "--scratch", str(scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.said = queue.Queue()
        self.log = []
        threading.Thread(target=lambda: [self.said.put(line) for line in self.process.stdout], daemon=True).start()
        threading.Thread(target=lambda: [self.log.append(line) for line in self.process.stderr], daemon=True).start()

    def send(self, **message):
        self.process.stdin.write(protocol.encode(message))
        self.process.stdin.flush()

    def next(self):
        message = protocol.decode(self.said.get(timeout=PATIENCE))
        assert message is not None, "stdout holds nothing but messages"
        return message

    def answer(self, number, progress=None):
        """The result or error of a request; its progress events go into a list."""
        while True:
            message = self.next()
            if message.get("id") == number and message["event"] != "progress":
                return message
            if progress is not None and message["event"] == "progress":
                progress.append(message)

    def close(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


def stored(talk, array, name="in.npy", spacing=(2.0, 2.0, 4.0), **more):
    path = talk.scratch / name
    protocol.write_array(path, array if array.ndim == 4 else array[None])
    return protocol.describe(path, spacing, (1.0, 2.0, 3.0), np.eye(3), **more)
