"""The weights in an ONNX file, without the package onnx: a reader of the few protobuf fields that hold them.

Only bytes are looked at; nothing of the network is built or run. Field numbers are those of ``onnx.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surgical_style_engine.errors import InputError

_GRAPH, _INITIALIZER = 7, 5  # of ModelProto, and of GraphProto
_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9  # of TensorProto
_FLOAT = 1  # TensorProto.DataType
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf's wire types
_LONGEST_VARINT = 10  # bytes


class _DamagedError(Exception):
    """The bytes are no protobuf message, or end too early."""


def float_weights(content: bytes, where: str = "The file") -> dict[str, np.ndarray]:
    """The initialisers of an ONNX file that are float32 and stored as raw bytes, by name; others are left out.

    Args:
        content: The file.
        where: What a sentence about it begins with.

    Returns:
        Arrays that look into ``content`` and cannot be written to.

    Raises:
        InputError: For what is no ONNX file, or a damaged one.
    """
    view = memoryview(content)
    weights: dict[str, np.ndarray] = {}
    try:
        for number, graph in _fields(view):
            if number != _GRAPH or not isinstance(graph, memoryview):
                continue
            for part, tensor in _fields(graph):
                if part == _INITIALIZER and isinstance(tensor, memoryview):
                    weights |= _tensor(tensor)
    except _DamagedError:
        raise InputError(f"{where} is damaged, or no ONNX file.") from None
    return weights


def _tensor(message: memoryview) -> dict[str, np.ndarray]:
    """{name: array} of a TensorProto; empty where it is not float32 as raw bytes."""
    name, kind, raw = "", 0, None
    shape: list[int] = []
    for number, value in _fields(message):
        if number == _DIMS:
            shape += [value] if isinstance(value, int) else list(_varints(value))
        elif number == _TYPE and isinstance(value, int):
            kind = value
        elif number == _NAME and isinstance(value, memoryview):
            name = bytes(value).decode("utf-8", "replace")
        elif number == _RAW and isinstance(value, memoryview):
            raw = value
    if kind != _FLOAT or raw is None:
        return {}
    size = 1
    for side in shape:
        size *= side
    if size * 4 != len(raw):
        raise _DamagedError
    return {name: np.frombuffer(raw, "<f4").reshape(shape)}


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of every field: a whole number, or the bytes of whatever has a length."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if wire == _BYTES:
            length, place = _varint(message, place)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise _DamagedError
        if length > len(message) - place:
            raise _DamagedError
        yield number, message[place : place + length]
        place += length


def _varints(packed: memoryview) -> Iterator[int]:
    place = 0
    while place < len(packed):
        value, place = _varint(packed, place)
        yield value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """(value, the place behind it)."""
    value = 0
    for index, byte in enumerate(message[place : place + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place + index + 1
    raise _DamagedError
