"""Whether PyTorch is here. Trained styles run without it; what does not says so in one sentence."""

from __future__ import annotations

from importlib.util import find_spec

from .errors import InputError


def is_installed() -> bool:
    """Whether torch can be found, without importing it."""
    try:
        return find_spec("torch") is not None
    except (ImportError, ValueError):  # half removed, or forbidden
        return False


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
