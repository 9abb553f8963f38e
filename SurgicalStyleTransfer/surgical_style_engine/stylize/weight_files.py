"""Whether a file holds the very weights that were published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import safe_open

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.weights import sha256_of

from .published import PRETRAINED, PublishedVgg, Wheel


def check_digest(path: Path, published: PublishedVgg) -> None:
    """Raise InputError unless a file is the very one that torchvision published."""
    if not sha256_of(path).startswith(published.sha256_prefix):
        raise InputError(f"The file {path} is damaged, or not torchvision's {published.file}.")


def tensors_digest(tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of arrays with their names, types and shapes, whatever file they lie in.

    >>> tensors_digest({"a": np.zeros(2, np.float32)})[:8]
    '9179530e'
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def read_tensors(path: Path, wheel: Wheel, what: str) -> dict[str, np.ndarray]:
    """The arrays in a safetensors file.

    Args:
        path: The file.
        wheel: What they were taken from.
        what: What they should be, for the sentence.

    Raises:
        InputError: For other arrays, and for what is no such file.
    """
    try:
        with safe_open(path, framework="np") as stored:
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}
    except Exception:  # safetensors raises several kinds
        raise InputError(f"The file {path} is damaged, or holds no weights.") from None
    if tensors_digest(tensors) != wheel.tensors_sha256:
        raise InputError(f"The file {path} is damaged, or does not hold {what}.")
    return tensors


def network_of(file: Path) -> str:
    """The network of ``PRETRAINED`` whose published weights a file holds; the first where it holds none."""
    first = next(iter(PRETRAINED))
    if len(PRETRAINED) == 1 or not file.is_file():
        return first
    digest, tensors = sha256_of(file), _digest_of_tensors(file)
    for name, published in PRETRAINED.items():
        if published.wheel is None and digest.startswith(published.sha256_prefix):
            return name
        if published.wheel is not None and tensors == published.wheel.tensors_sha256:
            return name
    return first


def _digest_of_tensors(file: Path) -> str:
    try:
        with safe_open(file, framework="np") as stored:
            return tensors_digest({key: stored.get_tensor(key) for key in stored.keys()})
    except Exception:  # of any other kind of file
        return ""
