"""Members of the stand-ins that do nothing of their own: they keep a value, or hand on to a part."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Property


def kept(name: str, default: object) -> Property:
    """A property of Qt whose value lies in ``self._values``; ``_show`` follows each change."""

    def put(self: object, value: object) -> None:
        self._values[name] = value
        self._show()

    return Property(type(default), lambda self: self._values[name], put)


def of_part(part: str, name: str, kind: type) -> Property:
    """A property of Qt that is the one of the same name of a part."""
    setter = f"set{name[0].upper()}{name[1:]}"
    return Property(
        kind,
        lambda self: getattr(getattr(self, part), name)(),
        lambda self, value: getattr(getattr(self, part), setter)(value),
    )


def giving(part: str) -> Callable[[object], object]:
    """A method that gives a part."""
    return lambda self: getattr(self, part)


def through(part: str, name: str) -> Callable[..., object]:
    """A method that is the one of a part."""
    return lambda self, *arguments: getattr(getattr(self, part), name)(*arguments)
