"""Observers of MRML nodes that are taken away together."""

from __future__ import annotations

from collections.abc import Callable


class Observers:
    """Callbacks on events of nodes (or other VTK objects), until they are cleared."""

    def __init__(self) -> None:
        self._tags: list[tuple[object, int]] = []

    def __len__(self) -> int:
        return len(self._tags)

    def add(self, node: object, event: int, callback: Callable[[], None]) -> None:
        """Call back whenever an event happens to a node."""
        self._tags.append((node, node.AddObserver(event, lambda caller, event: callback())))

    def clear(self) -> None:
        """Call back no more."""
        for node, tag in self._tags:
            node.RemoveObserver(tag)
        self._tags = []
