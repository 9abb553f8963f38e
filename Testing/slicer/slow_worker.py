"""Commands of a worker whose network is replaced or slowed down."""

from __future__ import annotations

import sys


def worker_with(code: str) -> list[str]:
    """A worker command with something in the engine replaced first."""
    script = (
        "import sys, time\nimport surgical_style_engine.backends.torch_runner as backends\n"
        "run = backends.TorchRunner.run\n"
        f"{code}\nfrom surgical_style_engine.worker.server import main\nmain(sys.argv[1:])\n"
    )
    return [sys.executable, "-c", script]


SLOW_WORKER = worker_with(
    "def slow(self, batch):\n    time.sleep(0.3)\n    return run(self, batch)\nbackends.TorchRunner.run = slow"
)
