"""What the sections share: durations in words, combo boxes filled and set without telling anybody, timers, colours."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

WARNING_STYLE = "padding: 6px; border: 1px solid #c90; border-radius: 3px; background: #fff4d6; color: #3a2c00;"
ERROR_STYLE = "padding: 6px; border: 1px solid #b33; border-radius: 3px; background: #fde4e1; color: #4a0d08;"


def duration(seconds: float) -> str:
    """'8 s', '3 min 20 s', '1 h 5 min'."""
    whole = max(1, round(seconds))
    if whole < 60:
        return _("{seconds} s").format(seconds=whole)
    if whole < 3600:
        return _("{minutes} min {seconds} s").format(minutes=whole // 60, seconds=whole % 60)
    return _("{hours} h {minutes} min").format(hours=whole // 3600, minutes=whole % 3600 // 60)


def fill(combo: object, entries: list[tuple[str, str]]) -> None:
    """Other entries (text, data) in a combo box, if they differ; nobody is told."""
    now = [(combo.itemText(index), combo.itemData(index)) for index in range(combo.count)]
    if now == entries:
        return
    blocked = combo.blockSignals(True)
    combo.clear()
    for text, data in entries:
        combo.addItem(text, data)
    combo.blockSignals(blocked)


def select(combo: object, data: str) -> None:
    """Make the entry with some data current; nobody is told."""
    blocked = combo.blockSignals(True)
    combo.currentIndex = combo.findData(data)
    combo.blockSignals(blocked)


def single_shot_timer(callback: Callable[[], None]) -> object:
    """A timer that calls back once after each ``start(milliseconds)``."""
    timer = qt.QTimer()
    timer.singleShot = True
    timer.connect("timeout()", callback)
    return timer
