"""Every failure has an exit code for the shell and a code for programs."""

import pytest

from surgical_style_engine.errors import Cancelled, InputError, OutOfMemoryError, StyleTransferError


@pytest.mark.parametrize(
    ("kind", "exit_code", "code"),
    [
        (StyleTransferError, 1, "failed"),
        (InputError, 2, "bad_input"),
        (OutOfMemoryError, 1, "out_of_memory"),
        (Cancelled, 1, "cancelled"),
    ],
)
def test_codes(kind, exit_code, code):
    error = kind("One sentence.")
    assert isinstance(error, StyleTransferError) and str(error) == "One sentence."
    assert (error.exit_code, error.code) == (exit_code, code)


def test_only_bad_input_is_the_users():
    assert not issubclass(OutOfMemoryError, InputError) and not issubclass(Cancelled, InputError)
    # A failed translation must not be taken for one of the interpreter's own memory errors, which are retried smaller.
    assert not issubclass(OutOfMemoryError, MemoryError)
