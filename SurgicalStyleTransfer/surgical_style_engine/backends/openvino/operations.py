"""OpenVINO's operations, wherever its version keeps them."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def operations() -> Any:
    """The module of operation set 13, the newest that every version from 2024.4 on has."""
    try:
        from openvino import opset13
    except ImportError:  # before 2025
        from openvino.runtime import opset13
    return opset13
