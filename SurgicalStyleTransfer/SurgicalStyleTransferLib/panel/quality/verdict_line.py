"""The verdict in words, and behind a fold the metrics beside the ranges of left-out patients."""

from __future__ import annotations

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.metrics_job import Verdict

LEVELS = ("green", "amber", "red", "none")
# Frames that read on light and dark themes; the level also stands there in words.
COLOURS = {"green": "#2e8b57", "amber": "#d08700", "red": "#c0392b", "none": "#888888"}


class VerdictLine:
    """The line above the figures."""

    def __init__(self, ui: object) -> None:
        self._label, self._numbers = ui.verdictLabel, ui.verdictNumbersLabel
        self._fold = ui.verdictCollapsibleButton
        self._level = ""
        self.fill(None)

    def fill(self, verdict: Verdict | None) -> None:
        """Say what the engine says of an image; nothing without a verdict."""
        entry = (verdict.metrics.get("verdict") or {}) if verdict is not None else {}
        frames = verdict.metrics.get("frames") if verdict is not None else None
        if frames:
            entry = worst_of([frame.get("verdict") or {} for frame in frames])
        self._level = entry.get("level", "") if entry.get("sentence") else ""
        self._label.visible = bool(self._level)
        lines = _lines(entry) if self._level else []
        self._fold.visible = bool(lines)
        self._numbers.text = "\n".join(lines)
        if self._level:
            titles = {"green": _("Green"), "amber": _("Amber"), "red": _("Red"), "none": ""}
            self._label.text = f"{titles[self._level]}: {entry['sentence']}".removeprefix(": ")
        self.mark_stale(False)

    def mark_stale(self, is_stale: bool) -> None:
        """Grey as soon as it is not of the image that is chosen now."""
        colour = COLOURS["none" if is_stale or not self._level else self._level]
        self._label.setStyleSheet(f"border-left: 8px solid {colour}; padding: 4px; font-weight: bold;")
        self._label.enabled = not is_stale


def worst_of(entries: list[dict]) -> dict:
    """The gravest verdict of a sequence's frames, the first of these; {} without any."""
    order = ("red", "none", "amber", "green")
    known = [entry for entry in entries if entry.get("level") in order]
    return min(known, key=lambda entry: order.index(entry["level"]), default={})


def _lines(entry: dict) -> list[str]:
    lines = list(entry.get("reasons") or [])[1:]
    lines += [_("{title}: {text}").format(title=row["title"], text=row["text"]) for row in entry.get("compared") or []]
    left_out = entry.get("left_out")
    if lines and left_out:
        if left_out.get("tumour"):
            text = _(
                "Within their tumours {mean:.0%} of the voxels lay within the bound, {worst:.0%} in the worst patient."
            )
            lines.append(text.format(**left_out["tumour"]))
        text = _("Ranges of {patients} patients of {hospitals} hospitals that the judging models had not seen.")
        lines.append(text.format(patients=left_out["patients"], hospitals=left_out["hospitals"]))
    return lines
