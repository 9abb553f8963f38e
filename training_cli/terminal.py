"""What commands say on a terminal: names and cards come from files, and must not command it."""

from __future__ import annotations

import sys

import typer

from surgical_style_engine.common.clean_text import clean


def echo(text: str, err: bool = False) -> None:
    """Print a text on stdout, or on stderr, as plain text."""
    typer.echo(printable(text, err), err=err)


def printable(text: str, err: bool = False) -> str:
    """The text with what the terminal would obey, or its encoding lacks, replaced."""
    encoding = getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"
    return clean(text, "terminal").encode(encoding, "replace").decode(encoding)
