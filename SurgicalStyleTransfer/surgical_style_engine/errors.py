"""Failures a person can act on: one clear sentence each, with a code for programs and an exit code for the shell."""

from __future__ import annotations


class StyleTransferError(Exception):
    """Something failed although the input was fine."""

    exit_code = 1
    code = "failed"


class InputError(StyleTransferError):
    """Bad input or wrong usage."""

    exit_code = 2
    code = "bad_input"


class MisfitError(InputError):
    """The image is not of the kind that this was made for, such as another modality; of a cohort it is left out."""


class OutOfMemoryError(StyleTransferError):
    """The device has too little memory, even for the smallest batch."""

    code = "out_of_memory"


class Cancelled(StyleTransferError):
    """The caller asked to stop."""

    code = "cancelled"
