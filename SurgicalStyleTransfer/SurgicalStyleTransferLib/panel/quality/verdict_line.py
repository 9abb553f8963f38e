"""The verdict in words on the first screen; in Quality the metrics beside the ranges of left-out patients."""

from __future__ import annotations

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.metrics_job import Verdict

LEVELS = ("green", "amber", "red", "none")
# Frames that read on light and dark themes; the level also stands there in words.
COLOURS = {"green": "#2e8b57", "amber": "#d08700", "red": "#c0392b", "none": "#888888"}


def titles() -> dict[str, str]:
    """What a level is called; nothing where there is no verdict, as its sentence says that."""
    return {"green": _("Green"), "amber": _("Amber"), "red": _("Red"), "none": ""}


def entry_of(metrics: dict) -> dict:
    """The verdict among metrics, of a sequence the gravest of its frames; {} without any."""
    frames = metrics.get("frames")
    if frames:
        return worst_of([frame.get("verdict") or {} for frame in frames])
    return metrics.get("verdict") or {}


class VerdictLine:
    """The line under Apply and its status."""

    def __init__(self, ui: object) -> None:
        self._label, self._numbers = ui.verdictLabel, ui.verdictNumbersLabel
        self._level = self._said = ""
        self.fill(None)

    def fill(self, verdict: Verdict | None) -> None:
        """Say what the engine says of an image; nothing without a verdict."""
        entry = entry_of(verdict.metrics) if verdict is not None else {}
        self._level = entry.get("level", "") if entry.get("sentence") else ""
        self._label.visible = bool(self._level)
        lines = _lines(entry) if self._level else []
        self._numbers.visible = bool(lines)
        self._numbers.text = "\n".join([_("The numbers behind the verdict:"), *lines])
        self._said = f"{titles()[self._level]}: {entry['sentence']}".removeprefix(": ") if self._level else ""
        self.mark_stale(False)

    def mark_stale(self, is_stale: bool, name: str = "") -> None:
        """Grey, and said to be out of date, as soon as it is not of the image that is chosen now.

        Args:
            is_stale: whether something has changed since.
            name: of the image, where another input, style or direction is chosen; "" where it is clear which one is
                meant.
        """
        text = _("Out of date. {verdict}").format(verdict=self._said) if is_stale else self._said
        self._label.text = _("{name}: {verdict}").format(name=name, verdict=text) if name else text
        colour = COLOURS["none" if is_stale or not self._level else self._level]
        # Qt draws no border-left without a border.
        bar = f"border: 0px solid {colour}; border-left: 8px solid {colour};"
        self._label.setStyleSheet(f"{bar} padding: 4px; font-weight: bold;")
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
        if left_out.get("psnr"):
            lines.append(_("Their PSNR was {low:.1f} to {high:.1f} dB.").format(**left_out["psnr"]))
        text = _("Ranges of {patients} patients of {hospitals} hospitals that the judging models had not seen.")
        lines.append(text.format(patients=left_out["patients"], hospitals=left_out["hospitals"]))
    return lines
