"""OpenVINO's package, core and operations, wherever its version keeps them."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from surgical_style_engine.errors import InputError


def openvino_package() -> Any:
    """The package, without its usage statistics.

    It would send some at its import and at every conversion unless the user has objected, and nothing leaves the
    workstation from here. It does without where their package is missing.

    Raises:
        InputError: where it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None forbids an import
    try:
        import openvino
    except ImportError:
        raise InputError("The backend openvino is not installed; run: pip install openvino.") from None
    return openvino


@cache
def core() -> Any:
    """One core for the whole process.

    Each gives the thread a stack for signals; where two are freed in the order they were made, the second one hands
    back the first one's, which is gone, and the next signal (Ctrl-C, the end of a child process) is a segmentation
    fault.
    """
    return openvino_package().Core()


@cache
def operations() -> Any:
    """The module of operation set 13, the newest that every version from 2024.4 on has."""
    try:
        from openvino import opset13
    except ImportError:  # before 2025
        from openvino.runtime import opset13
    return opset13
