"""What pydantic refuses, in words for people: its own name Python's types, and repeat whatever was given."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

_LONGEST = 80  # characters of a value or of a field's name that are repeated
_KINDS = {
    "string": "text",
    "path": "a path",
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table",
    "model": "a table",
    "finite": "a number, not NaN or infinite",
}


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Tell what is wrong first.

    Args:
        error: Of pydantic.

    Returns:
        The place, field names joined by dots, and the reason, without a full stop.

    Example:
        >>> from pydantic import BaseModel
        >>> class Slices(BaseModel):
        ...     count: int
        >>> try:
        ...     Slices(count="many")
        ... except ValidationError as error:
        ...     first_fault(error)
        ('count', 'it must be a whole number')
    """
    fault = error.errors(include_url=False)[0]
    place = ".".join(shown(part) for part in fault["loc"])
    reason = _reason(fault["type"], fault.get("ctx", {}), fault["msg"])
    return place, " ".join(reason.split())  # it may repeat what was given, line breaks and all


def shown(value: Any) -> str:
    """A value as a sentence can repeat it: in one line, and not all of what is long.

    Example:
        >>> shown("x" * 1000) == "x" * 80 + "..."
        True
    """
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text[: 2 * _LONGEST].split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _reason(kind: str, context: dict[str, Any], message: str) -> str:
    if kind in ("too_short", "too_long"):
        bound = "at least" if kind == "too_short" else "at most"
        limit = context["min_length"] if kind == "too_short" else context["max_length"]
        return f"it must have {bound} {limit} entries"
    if kind == "missing":
        return "it is missing"
    if kind == "extra_forbidden":
        return "nothing of that name is known"
    word = _KINDS.get(kind.partition("_")[0])
    if word and kind != "string_pattern_mismatch":
        return f"it must be {word}"
    return message.removeprefix("Value error, ").replace("Input should", "it must", 1).rstrip(".")
