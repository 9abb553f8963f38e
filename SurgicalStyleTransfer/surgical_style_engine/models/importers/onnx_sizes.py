"""Whether an ONNX graph makes arrays out of nothing that are larger than any image: a bomb of a few bytes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.errors import InputError

_MOST_VALUES = 1 << 26  # of an array whose shape the file states; a batch of features has less
_MAKERS = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1, "Resize": 3, "RandomNormal": None, "RandomUniform": None}


def check_sizes(model: Any, path: Path) -> None:
    """Refuse a graph with a node that makes a huge array by a shape which the file states.

    Args:
        model: The onnx.ModelProto.
        path: For messages.

    Raises:
        InputError: Naming the kind of node.
    """
    for graph in (model.graph, *model.functions):
        _check(graph, path)


def _check(graph: Any, path: Path) -> None:
    shapes = {tensor.name: tensor for tensor in getattr(graph, "initializer", ())}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t") and node.op_type == "Constant":
                shapes[node.output[0]] = attribute.t
            for inner in (attribute.g, *attribute.graphs):
                _check(inner, path)
        if _values(node, shapes) > _MOST_VALUES:
            raise InputError(f"The ONNX model {path} makes an array larger than any image ({node.op_type}).")


def _values(node: Any, shapes: dict[str, Any]) -> int:
    """How many values the node makes at least, by what the file states; 0 where that follows from the input."""
    if node.op_type not in _MAKERS:
        return 0
    place = _MAKERS[node.op_type]
    if place is None:
        listed = [size for attribute in node.attribute if attribute.name == "shape" for size in attribute.ints]
    else:
        tensor = shapes.get(node.input[place]) if place < len(node.input) else None
        listed = [] if tensor is None else _numbers(tensor)
    return math.prod(max(1, size) for size in listed) if listed else 0


def _numbers(tensor: Any) -> list[int]:
    """The whole numbers of a small tensor, as a shape is; none for others."""
    if math.prod(tensor.dims) > 16 or tensor.data_type != 7:  # 7: int64
        return []
    if tensor.raw_data:
        return np.frombuffer(tensor.raw_data, "<i8").tolist() if len(tensor.raw_data) % 8 == 0 else []
    return list(tensor.int64_data)
