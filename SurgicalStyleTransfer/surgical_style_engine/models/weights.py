"""The weights of a model folder: tensors by direction in a safetensors file, read without running anything of it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from safetensors import SafetensorError, deserialize, safe_open

from surgical_style_engine.errors import InputError

if TYPE_CHECKING:
    import torch

    from .card import Direction

Shapes = Mapping[str, list[int]]


@dataclass(frozen=True, eq=False)
class StoredWeights:
    """The opened weights of one direction, whose names and shapes are those of a network.

    Attributes:
        path: The file.
        names: Names in the file, by those in the network's state dictionary.
    """

    path: Path
    names: dict[str, str]
    _opened: Any

    def tensors(self) -> dict[str, torch.Tensor]:
        """All in single precision, for a file opened for torch."""
        return {key: self._opened.get_tensor(name).float() for key, name in self.names.items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """All in single precision, for a file opened for numpy."""
        return {key: self._array(name) for key, name in self.names.items()}

    def _array(self, name: str) -> np.ndarray:
        if self._opened.get_slice(name).get_dtype() != "BF16":
            return self._opened.get_tensor(name).astype(np.float32)
        # numpy has no such numbers: they are the upper halves of single precision.
        stored = dict(deserialize(self.path.read_bytes()))[name]
        halves = np.frombuffer(stored["data"], "<u2").astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(stored["shape"])


@contextlib.contextmanager
def open_weights(
    path: Path, direction: Direction, shapes: Shapes, framework: Literal["pt", "np"], model: str
) -> Iterator[StoredWeights]:
    """Open a file of weights for a network, and close it.

    Args:
        path: A safetensors file, names prefixed by "forward." and "backward.".
        direction: Whose weights.
        shapes: Those of the network, by name. They are compared with the file's header before anything is read.
        framework: "pt" for tensors, "np" for arrays without torch.
        model: Its name, for sentences.

    Yields:
        The weights of that direction.

    Raises:
        InputError: If names or shapes differ, and for whatever safetensors and torch raise within the block.
    """
    prefix = direction + "."
    try:
        with safe_open(path, framework=framework) as opened:
            names = {key[len(prefix) :]: key for key in opened.keys() if key.startswith(prefix)}
            stored = {key: opened.get_slice(name).get_shape() for key, name in names.items()}
            difference = first_difference(shapes, stored)
            if difference:
                raise ValueError(difference)
            yield StoredWeights(path, names, opened)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # safetensors and torch raise several kinds
        reason = str(error).splitlines()[0].rstrip(".:")
        raise InputError(f"The weights of {model} do not fit its architecture: {reason}.") from None


def write_weights(path: Path, states: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
    """Write state dictionaries into a safetensors file.

    Args:
        path: The file.
        states: State dictionaries by direction; tensors may share memory.

    Raises:
        OSError: Where the file cannot be written.
    """
    from safetensors.torch import save_file

    tensors = {
        f"{direction}.{key}": value.contiguous().clone()
        for direction, state in states.items()
        for key, value in state.items()
    }
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        # What the system said stands between "I/O error:" and its number.
        reason = str(error).partition("I/O error: ")[2].partition(" (os error")[0] or str(error)
        raise OSError(reason) from None


def first_difference(shapes: Shapes, stored: Shapes) -> str:
    """The first difference between the shapes of a network's weights and of those stored; empty if there is none.

    >>> first_difference({"end.bias": [1]}, {"end.bias": [3]})
    'end.bias is of size [3] instead of [1]'
    """
    for key in sorted(shapes.keys() | stored.keys()):
        if key not in stored:
            return f"{key} is missing"
        if key not in shapes:
            return f"{key} is one too many"
        if shapes[key] != stored[key]:
            return f"{key} is of size {stored[key]} instead of {shapes[key]}"
    return ""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
