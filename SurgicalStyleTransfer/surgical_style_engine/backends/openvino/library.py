"""OpenVINO's package, core and operations, wherever its version keeps them."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Any

from surgical_style_engine.errors import InputError

_CONVERTER = "openvino.tools.ovc"


def openvino_package() -> Any:
    """The package, without its usage statistics, and without its converter as long as nothing is converted.

    It would send some at its import and at every conversion unless the user has objected, and nothing leaves the
    workstation from here. It does without where their package is missing. The converter takes more than half of the
    import's time.

    Raises:
        InputError: where it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None forbids an import
    is_first = "openvino" not in sys.modules
    if is_first:
        sys.modules.setdefault(_CONVERTER, None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise InputError("The backend openvino is not installed; run: pip install openvino.") from None
    finally:
        if is_first and sys.modules[_CONVERTER] is None:
            del sys.modules[_CONVERTER]
    if not hasattr(openvino, "convert_model"):
        openvino.convert_model = _convert_model
    return openvino


def _convert_model(*arguments: Any, **named: Any) -> Any:
    return importlib.import_module(_CONVERTER).convert_model(*arguments, **named)


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
