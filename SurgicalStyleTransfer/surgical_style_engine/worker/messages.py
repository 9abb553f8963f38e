"""What the panel and the worker say to each other: JSON, one object a line; voxels lie in .npy files.

To the worker: ``{"id": 7, "task": "translate", ...arguments}`` or ``{"cancel": 7}``. From it: one ``ready`` event, then
for every request any number of ``progress`` events and exactly one ``result`` or ``error``, all with the request's id.
Lines are ASCII, so that no platform's encoding can spoil them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

VERSION = 1


def encode(message: dict[str, Any]) -> bytes:
    """A message as one line."""
    return json.dumps(message, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """The message in a line, or None where it is no message: no JSON object, or an id that is no whole number."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    # bool is a kind of int; other kinds cannot be kept in a set, or not be sent back as JSON.
    return message if all(type(message[key]) is int for key in ("id", "cancel") if key in message) else None


def describe(
    path: Path,
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
    direction: np.ndarray,
    *,
    is_2d: bool = False,
    modality: str = "",
    name: str = "",
    synthetic: bool = False,
) -> dict[str, Any]:
    """A volume for a message. path: a .npy file with (c, z, y, x); the geometry is LPS, in mm."""
    return {
        "file": str(path),
        "spacing": [float(value) for value in spacing],
        "origin": [float(value) for value in origin],
        "direction": [[float(value) for value in row] for row in np.asarray(direction)],
        "is_2d": bool(is_2d),
        "modality": modality,
        "name": name,
        "synthetic": bool(synthetic),
    }


def write_array(path: Path, array: np.ndarray) -> None:
    """Store an array so that the other side can map it into memory."""
    np.save(path, np.ascontiguousarray(array))


def read_array(path: Path | str) -> np.ndarray:
    """Map a stored array into memory, read only."""
    return np.load(path, mmap_mode="r", allow_pickle=False)
