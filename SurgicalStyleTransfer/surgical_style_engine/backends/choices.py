"""The backends and precisions that can be asked for, by name.

The registry names backends without importing them, so that asking for one loads no other.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel

from .runner import Runner

# (model, direction, device, precision) -> what runs it, or InputError for what this machine or model cannot do
Maker = Callable[[StyleModel, str, str, str], Runner]
# "module:maker" by name. What is not torch or OpenVINO runs in fp32 where it is asked for, or found to be the fastest.
BACKENDS: dict[str, str] = {
    "torch": "surgical_style_engine.backends.torch_runner:torch_runner",
    "openvino": "surgical_style_engine.backends.openvino.runner:OpenVinoRunner",
}
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8", "int8+bf16")
INT8 = {"int8": "fp32", "int8+bf16": "bf16"}  # and what they compute the other layers in, see ``openvino.int8``


def check_choices(precision: str, backend: str) -> None:
    """Raise InputError for names of precisions and backends that do not exist."""
    if precision not in PRECISIONS:
        raise InputError(f"There is no precision '{precision}'; use {', '.join(PRECISIONS)}.")
    if backend != "auto" and backend not in BACKENDS:
        raise InputError(f"There is no backend '{backend}'; use {', '.join(['auto', *BACKENDS])}.")


def runner_maker(backend: str) -> Maker:
    """What makes the runners of a backend."""
    module, _, attribute = BACKENDS[backend].partition(":")
    maker: Maker = getattr(importlib.import_module(module), attribute)
    return maker
