"""pydicom without its warnings, and what it raises for files that are not as DICOM has it."""

from __future__ import annotations

import contextlib
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator

from surgical_style_engine.errors import InputError

_USUAL = (
    OSError,
    ValueError,
    ArithmeticError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    struct.error,
)


def failures() -> tuple[type[Exception], ...]:
    """What pydicom raises for a damaged file, while it reads it or when an element is looked at later."""
    from pydicom import errors

    return (*_USUAL, errors.InvalidDicomError, errors.BytesLengthException)


@contextlib.contextmanager
def silent_pydicom() -> Iterator[None]:
    """Without pydicom's warnings, which repeat the values they are about.

    Raises:
        InputError: Where a value is looked at that has not the length of its kind, and nobody within expects that.
    """
    logger = logging.getLogger("pydicom")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        if isinstance(error, struct.error) or type(error).__name__ == "BytesLengthException":
            raise InputError("The DICOM header is damaged: a value has not the length of its kind.") from None
        raise
    finally:
        logger.setLevel(before)
