"""Text of files, cards and names, made harmless for what it is shown on or written into."""

from __future__ import annotations

import re
from typing import Any, Literal

Surface = Literal["terminal", "html", "header", "card"]
# Controls (C0, DEL, C1), lone surrogates, line ends of Unicode, and what turns the order of letters round.
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_TURNED = "\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_UNWELCOME = re.compile(f"[{_CONTROL}{_TURNED}]")
_BREAKS = re.compile(r"[\t\r\n]+")
_INSTEAD = "\ufffd"
_OF_ONE_LINE = {"header"}


def clean(text: str, surface: Surface) -> str:
    r"""Replace what a surface would obey instead of show.

    Args:
        text: Of whatever origin.
        surface: "terminal" and "card" keep line breaks; "header" (NRRD, MetaImage, NIfTI, DICOM) has one line, since
            the next would be another field; of "html" the template escapes what is markup.

    Returns:
        The text, each such character replaced by U+FFFD; in a header by "?", since not all of them know it.

    Example:
        >>> clean("head\x1b[31m.nii", "header")
        'head?[31m.nii'
    """
    if surface in _OF_ONE_LINE:
        return _UNWELCOME.sub("?", _BREAKS.sub(" ", text))
    return _UNWELCOME.sub(_INSTEAD, text.replace("\r\n", "\n").replace("\r", _INSTEAD))


def clean_all(values: Any, surface: Surface) -> Any:
    """Clean every text in tables and lists, as they come out of JSON; keys, too."""
    if isinstance(values, str):
        return clean(values, surface)
    if isinstance(values, dict):
        return {clean(key, surface): clean_all(value, surface) for key, value in values.items()}
    return [clean_all(value, surface) for value in values] if isinstance(values, list) else values
