"""The list of the worst slices; a click goes there."""

from __future__ import annotations

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.metrics_job import Verdict
from SurgicalStyleTransferLib.mrml.slice_views import center_on

from ..context import existing


class WorstSlices:
    """The slices that a verdict names, worst first."""

    def __init__(self, ui: object) -> None:
        self._label, self._list = ui.worstLabel, ui.worstList
        self._output_id = ""
        self._entries: list[dict] = []
        self._list.connect("itemClicked(QListWidgetItem*)", self._go_to)
        self._list.connect("itemActivated(QListWidgetItem*)", self._go_to)

    def fill(self, verdict: Verdict | None) -> None:
        """List what a verdict names; nothing without one."""
        self._output_id = verdict.judged.output_id if verdict is not None else ""
        self._entries = list(verdict.metrics.get("worst") or []) if verdict is not None else []
        self._list.clear()
        planes = {"axial": _("Axial"), "coronal": _("Coronal"), "sagittal": _("Sagittal")}
        names = {
            "semantic_consistency": (_("structure kept"), _("Semantic Consistency")),
            "look_ahead": (_("lost there and back"), _("Look-Ahead error")),
            "psnr": (_("PSNR"), _("Peak signal-to-noise ratio against the reference")),
        }
        for entry in self._entries:
            name, term = names.get(entry["figure"], (entry["figure"], ""))
            self._list.addItem(
                _("{plane} slice {number}: {figure} {value:.3g}").format(
                    plane=planes.get(entry["plane"], entry["plane"]),
                    number=entry["slice"] + 1,
                    figure=name,
                    value=entry["value"],
                )
            )
            self._list.item(self._list.count - 1).setToolTip(term)
        self._label.visible = self._list.visible = bool(self._entries)

    def _go_to(self, item: object) -> None:
        """Centre the slice views on the slice that was clicked."""
        row, node = self._list.row(item), existing(self._output_id)
        if node is not None and 0 <= row < len(self._entries):
            center_on(node, self._entries[row]["position_lps"])
