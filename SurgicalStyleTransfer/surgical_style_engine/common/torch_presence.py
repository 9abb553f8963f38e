"""Whether PyTorch is here. Trained styles run without it; what does not says so in one sentence."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.util import find_spec

from surgical_style_engine.errors import InputError

OLDEST = (2, 4)  # older ones go with numpy 1 only, and may be imported beside numpy 2 without working


def is_installed() -> bool:
    """Whether a torch that is new enough can be found, without importing it."""
    try:
        return find_spec("torch") is not None and not _is_too_old()
    except (ImportError, ValueError):  # half removed, or forbidden
        return False


def _is_too_old() -> bool:
    try:
        version = re.match(r"(\d+)\.(\d+)", metadata.version("torch") or "")  # None where it is damaged
    except metadata.PackageNotFoundError:  # built from source
        return False
    return version is not None and (int(version[1]), int(version[2])) < OLDEST


def has_torch() -> bool:
    """Whether torch can be imported; to find out, it is, which takes a second or two where it is there."""
    if not is_installed():
        return False
    try:
        import torch  # noqa: F401
    except (ImportError, OSError):  # OSError: one of its libraries does not load
        return False
    return True


def check_torch(what: str) -> None:
    """Raise InputError, a sentence that begins with ``what``, where torch cannot be imported."""
    if not has_torch():
        raise InputError(f"{what} needs PyTorch, which is not installed.")
