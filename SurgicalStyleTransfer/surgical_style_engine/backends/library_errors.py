"""What the libraries raise, told in one sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from surgical_style_engine.errors import StyleTransferError

# In the words of torch on CPU, CUDA and MPS, of cuDNN, and of OpenVINO and ONNX Runtime.
_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "failed to allocate",
    "alloc_failed",
    "bad_alloc",
)


@contextlib.contextmanager
def library_errors_told(what: str) -> Iterator[None]:
    """Library errors as MemoryError, or as StyleTransferError with one sentence. Each library has kinds of its own.

    Args:
        what: how the sentence begins; the library's first line follows.
    """
    try:
        yield
    except (StyleTransferError, KeyboardInterrupt):
        raise
    except Exception as error:
        text = str(error).strip()
        if isinstance(error, MemoryError) or any(sign in text.lower() for sign in _NO_MEMORY):
            raise MemoryError from None
        reason = text.splitlines()[0].rstrip(".: ") if text else type(error).__name__
        raise StyleTransferError(f"{what}: {reason}.") from None
