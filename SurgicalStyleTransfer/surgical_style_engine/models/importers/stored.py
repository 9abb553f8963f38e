"""Whether a file of torch holds its tensors as they are, and is not small for what it would become in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from surgical_style_engine.errors import InputError

if TYPE_CHECKING:
    import torch

LARGEST_FILE = 2 << 30  # bytes; the generators that can be imported have some hundred megabytes
_MOST_UNPACKED = 4  # times the file's size; torch stores without compression


def check_file(path: Path) -> None:
    """Refuse a file that is large, or would unpack to far more than it is. Raises InputError."""
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise InputError(f"The file {path} is larger than 2 GB, which no generator is.")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return  # torch's older format, which is read as it lies
    if unpacked > _MOST_UNPACKED * size + (1 << 20):
        raise InputError(f"The file {path} would unpack to far more than it is.")


def check_tensors(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Refuse tensors that are views of less than they seem, or no plain arrays of numbers.

    Args:
        path: For messages.
        state: Tensors by name.

    Raises:
        InputError: Naming the tensor.
    """
    import torch

    for key, value in state.items():
        is_plain = value.layout == torch.strided and not value.is_quantized and value.device.type == "cpu"
        if not is_plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise InputError(f"The file {path} holds a tensor that is not stored whole: {ascii(key)}.")
