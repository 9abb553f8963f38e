"""The names of backends and precisions that can be asked for."""

from __future__ import annotations

from surgical_style_engine.errors import InputError

BACKENDS = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8", "int8+bf16")
INT8 = {"int8": "fp32", "int8+bf16": "bf16"}  # and what they compute the other layers in, see ``openvino.int8``


def check_choices(precision: str, backend: str) -> None:
    """Raise InputError for names of precisions and backends that do not exist."""
    if precision not in PRECISIONS:
        raise InputError(f"There is no precision '{precision}'; use {', '.join(PRECISIONS)}.")
    if backend not in BACKENDS:
        raise InputError(f"There is no backend '{backend}'; use {', '.join(BACKENDS)}.")
