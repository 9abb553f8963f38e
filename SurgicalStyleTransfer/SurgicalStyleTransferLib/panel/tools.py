"""What the panel's sections share: durations in words, combo boxes filled and set without telling anybody."""

from __future__ import annotations

from slicer.i18n import tr as _


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
