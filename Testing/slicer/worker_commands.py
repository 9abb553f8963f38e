"""Commands of a worker whose network or fusion is replaced or slowed down."""

from __future__ import annotations

import warm_python


def worker_with(code: str) -> list[str]:
    """A worker command with something in the engine replaced first."""
    script = (
        "import sys, time\nimport surgical_style_engine.backends.torch_runner as backends\n"
        "run = backends.TorchRunner.run\n"
        f"{code}\nfrom surgical_style_engine.worker.server import main\nmain(sys.argv[1:])\n"
    )
    return [warm_python.command(), "-c", script]


SLOW_WORKER = worker_with(
    "def slow(self, batch):\n    time.sleep(0.3)\n    return run(self, batch)\nbackends.TorchRunner.run = slow"
)
SLOW_FUSION = worker_with(
    "import surgical_style_engine.fusion.fuse as fuse\nmethod = fuse.METHODS['pyramid']\n"
    "def slow(inputs, tick):\n    for part in range(200):\n        time.sleep(0.05)\n        tick(part / 200)\n"
    "    return method(inputs, tick)\nfuse.METHODS['pyramid'] = slow"
)
