"""The list of scans that a style is adapted with."""

from __future__ import annotations

from itertools import zip_longest

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import outputs

from ..context import Context, Section, existing

MOST = 5  # pairs, or scans of a side, as the training takes them


class ScanList(Section):
    """The table of scans, by the IDs of their nodes; it is not saved with the scene.

    Attributes:
        sources: scans of what the style starts with.
        targets: scans of what it makes; of a pair in the same line.
        paired: whether a line is a pair.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sources: list[str] = []
        self.targets: list[str] = []
        self.paired = True
        ui = self.ui
        for column in (0, 1):
            ui.adaptTable.horizontalHeader().setSectionResizeMode(column, qt.QHeaderView.Stretch)
        ui.adaptTable.verticalHeader().visible = False
        ui.adaptAddButton.connect("clicked(bool)", self.on_add)
        ui.adaptRemoveButton.connect("clicked(bool)", self.on_remove)

    def show(self, names: tuple[str, str], is_free: bool) -> None:
        """Show the scans.

        Args:
            names: of the two domains, which head the columns.
            is_free: whether the list may be changed now.
        """
        ui, table = self.ui, self.ui.adaptTable
        table.setHorizontalHeaderLabels(list(names))
        lines = list(zip_longest(self.sources, self.targets, fillvalue=""))
        table.rowCount = len(lines)
        for row, line in enumerate(lines):
            for column, node_id in enumerate(line):
                node = existing(node_id)
                item = qt.QTableWidgetItem(node.GetName() if node is not None else "")
                item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
                table.setItem(row, column, item)
        ui.adaptAddButton.enabled = is_free and not self.why_not_add()
        ui.adaptAddButton.toolTip = self.why_not_add() or _("Put what is selected into the list.")
        ui.adaptRemoveButton.enabled = is_free and bool(lines)
        for widget in (ui.adaptSourceSelector, ui.adaptTargetSelector, ui.adaptKindComboBox):
            widget.enabled = is_free

    def chosen(self) -> tuple[list[str], list[str]]:
        """What would be learned from: the list, or what is selected while it is empty."""
        if self.sources or self.targets:
            return self.sources, self.targets
        if self.why_not_add():
            return [], []
        return self._selected()

    def _selected(self) -> tuple[list[str], list[str]]:
        nodes = self.ui.adaptSourceSelector.currentNode(), self.ui.adaptTargetSelector.currentNode()
        first, second = ([] if node is None else [node.GetID()] for node in nodes)
        return first, second

    def why_not_add(self) -> str:
        """Why what is selected cannot be put into the list; "" where it can."""
        first, second = self._selected()
        if self.paired and not (first and second):
            return _("Select both scans of a pair.")
        if not first and not second:
            return _("Select a scan.")
        for node_id in (*first, *second):
            problem = _why_not(existing(node_id))
            if problem:
                return problem
        if self.paired and first == second:
            return _("A pair is of two different volumes.")
        if set(first) & set(self.sources) or set(second) & set(self.targets):
            return _("This scan is in the list already.")
        if max(len(self.sources) + len(first), len(self.targets) + len(second)) > MOST:
            return _("At most {number} of a kind.").format(number=MOST)
        return ""

    def on_add(self, _checked: bool = False) -> None:
        """Put what is selected into the list."""
        if not self.why_not_add():
            first, second = self._selected()
            self.sources, self.targets = [*self.sources, *first], [*self.targets, *second]
            for selector in (self.ui.adaptSourceSelector, self.ui.adaptTargetSelector):
                selector.setCurrentNode(None)
        self.context.update()

    def on_remove(self, _checked: bool = False) -> None:
        """Take the selected line out, or the last one."""
        count = max(len(self.sources), len(self.targets))
        row = self.ui.adaptTable.currentRow()
        row = row if 0 <= row < count else count - 1
        for ids in (self.sources, self.targets):
            if row < len(ids):
                del ids[row]
        self.context.update()

    def set_paired(self, paired: bool) -> None:
        """Pairs or scans of different patients: the list begins anew."""
        if paired != self.paired:
            self.paired, self.sources, self.targets = paired, [], []

    def node_removed(self, node: object) -> None:
        """A line goes with any of its pair."""
        gone = node.GetID()
        if self.paired:
            left = [pair for pair in zip(self.sources, self.targets, strict=True) if gone not in pair]
            self.sources, self.targets = [a for a, _b in left], [b for _a, b in left]
        else:
            self.sources = [other for other in self.sources if other != gone]
            self.targets = [other for other in self.targets if other != gone]

    def scene_closing(self) -> None:
        """An empty list."""
        self.sources, self.targets = [], []


def _why_not(node: object | None) -> str:
    """Why nothing can be learned from a volume; "" where it can."""
    if node is None or not slicer.mrmlScene.IsNodePresent(node) or node.GetImageData() is None:
        return _("A selected volume is empty.")
    if outputs.is_synthetic(node):
        return _("{name} is synthetic; a style learns from real scans only.").format(name=node.GetName())
    return ""
