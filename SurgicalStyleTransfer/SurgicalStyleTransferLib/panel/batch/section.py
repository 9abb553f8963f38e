"""The section Several volumes: which ones, how the results are called, and how far each is."""

from __future__ import annotations

import functools
import html

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.style_job import Result, plan_for
from SurgicalStyleTransferLib.mrml import outputs, volume_groups
from SurgicalStyleTransferLib.setup import dependencies
from SurgicalStyleTransferLib.setup.model_cards import Card

from ..apply_rules import why_not_style
from ..context import Context, Section, Status, existing
from ..dialogs.packages import provide
from ..quality.verdict_line import COLOURS, titles
from ..tools import fill, select
from .runner import BatchRunner, State

MARK = "synthetic"  # no name of a result without it


class BatchSection(Section):
    """Turns the checked volumes into plans, and shows a line for each.

    Attributes:
        runner: the latest batch; None before the first.
        status: the section's own line and progress bar.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.runner: BatchRunner | None = None
        self.status = Status(self.ui.batchStatusLabel, self.ui.batchProgressBar)
        self._latest: Result | None = None  # which was named and shown
        self._listed: list[str] = []
        self._rows: list[int] = []  # of the table, by the number of their plan
        ui = self.ui
        ui.batchTable.setHorizontalHeaderLabels([_("Volume"), _("State"), _("Verdict")])
        header = ui.batchTable.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        ui.batchTable.verticalHeader().visible = False
        ui.batchNameLineEdit.text = _("{volume} {domain} (synthetic)")
        ui.batchGroupComboBox.connect("currentIndexChanged(int)", self._on_group)
        ui.batchTable.connect("cellClicked(int,int)", self._on_row)
        ui.batchButton.connect("clicked(bool)", self.on_apply)
        ui.batchCollapsibleButton.connect("contentsCollapsed(bool)", lambda collapsed: self.update())

    # Hooks

    def update(self) -> None:
        """Show the groups and their volumes; not while the section is closed, as scenes may be large."""
        if self.ui.batchCollapsibleButton.collapsed or self.parameters is None or self._is_running():
            return
        whole, combo = _("All volumes of the scene"), self.ui.batchGroupComboBox
        chosen = combo.currentData
        fill(combo, [(name or whole, str(item)) for name, item in volume_groups.groups()])
        select(combo, chosen if combo.findData(chosen) >= 0 else combo.itemData(0))
        self._list_volumes()
        self.update_buttons()

    def update_buttons(self) -> None:
        """Apply or Cancel, and why not."""
        button, reason = self.ui.batchButton, ""
        button.text = _("Cancel") if self._is_running() else _("Apply to the checked volumes")
        if not self._is_running():
            reason = self._why_not()
        button.enabled = not reason
        button.toolTip = reason or _("One volume after the other; what fails does not stop the rest.")

    def scene_closing(self) -> None:
        """End a batch, and forget it."""
        if self._is_running():
            self.runner.abandon()
        self.runner, self._latest, self._listed = None, None, []
        self.ui.batchTable.rowCount = 0
        self.status.show("")
        self.status.hide_progress()

    def close(self) -> None:
        """End a batch."""
        if self._is_running():
            self.runner.abandon()

    # The list

    def _is_running(self) -> bool:
        return self.runner is not None and self.runner.is_running

    def _on_group(self, _index: int) -> None:
        if not self.context.is_updating and not self._is_running():
            self._list_volumes()
            self.context.update_buttons()

    def _list_volumes(self) -> None:
        data = self.ui.batchGroupComboBox.currentData
        nodes = volume_groups.volumes_in(int(data)) if data else []
        ids = [node.GetID() for node in nodes]
        table = self.ui.batchTable
        if ids != self._listed:
            self._listed = ids
            if self.runner is not None:
                self.runner = None
                self.status.show("")
            table.rowCount = 0
            table.rowCount = len(nodes)
            for row in range(len(nodes)):
                item = qt.QTableWidgetItem("")
                item.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled)
                item.setCheckState(qt.Qt.Checked)
                table.setItem(row, 0, item)
                for column in (1, 2):
                    table.setItem(row, column, qt.QTableWidgetItem(""))
        for row, node in enumerate(nodes):
            table.item(row, 0).setText(node.GetName())

    def _checked_ids(self) -> list[str]:
        table = self.ui.batchTable
        return [node_id for row, node_id in enumerate(self._listed) if table.item(row, 0).checkState() == qt.Qt.Checked]

    def _why_not(self) -> str:
        if self.parameters is None:
            return _("There is no scene.")
        if self.context.installing:
            return _("Packages are being installed.")
        if self.engine.style_job is not None:
            return _("A style is being applied.")
        if not self._listed:
            return _("There are no acquired volumes here.")
        problem = self.context.route_problem
        return why_not_style(self.parameters, self.context.card(), bool(self.context.cards)) or problem

    # The run

    def on_apply(self, _checked: bool = False) -> None:
        """Apply the style to what is checked, or cancel that."""
        if self._is_running():
            self.status.show(_("Cancelling..."))
            self.runner.cancel()
            return
        ids, context = self._checked_ids(), self.context
        if not ids:
            self.status.show(_("Check at least one volume."), error=True)
            return
        card = context.card()
        context.run_starting.emit()
        if not context.has_packages(lambda: provide(**dependencies.needs_of(card))):
            context.packages_missing.emit(card)
            return
        context.features.settle(card.features, functools.partial(self._start, card, ids))

    def _start(self, card: Card, ids: list[str]) -> None:
        nodes = [existing(node_id) for node_id in ids]
        if self.parameters is None or self.context.card() != card or None in nodes:
            return  # the scene was changed while something was installed
        rows = [self._listed.index(node_id) for node_id in ids]
        plans = [plan_for(self.parameters, card, node) for node in nodes]
        for row in range(len(self._listed)):
            self.ui.batchTable.item(row, 1).setText("")
            self._show_verdict(row, {})
        is_judged = self.parameters.figures != "off"
        self.runner = BatchRunner(self.engine, plans, lambda number: self._show(number, rows), is_judged)
        self._rows = rows
        self.runner.start()
        self.context.update_buttons()

    def _show(self, number: int, rows: list[int]) -> None:
        runner = self.runner
        if runner is None:
            return  # the scene was closed
        state = runner.states[number]
        if state.kind in ("judging", "done") and self.parameters is not None and state.result is not self._latest:
            self._latest = state.result
            self._rename(state)
            self.parameters.resultVolume = existing(state.result.output_id)
        if rows[number] < self.ui.batchTable.rowCount:
            item = self.ui.batchTable.item(rows[number], 1)
            item.setText(_text(state))
            item.setToolTip(html.escape(state.reason))
            self._show_verdict(rows[number], state.verdict or {})
        done = sum(entry.kind == "done" for entry in runner.states)
        failed = sum(entry.kind == "failed" for entry in runner.states)
        text = _("{done} of {total} volumes done.").format(done=done, total=len(rows))
        if failed:
            text = _("{text} {failed} failed; the table says why.").format(text=text, failed=failed)
        self.status.show(text, error=bool(failed) and not runner.is_running)
        share = sum(1.0 if entry.kind in ("done", "failed", "left") else entry.share for entry in runner.states)
        if runner.is_running:
            self.status.show_progress(round(100 * share), 100 * len(rows))
        else:
            self.status.hide_progress()
            self.context.update()

    def _show_verdict(self, row: int, entry: dict) -> None:
        """Its colour as a word in that colour; the sentence in the tool tip."""
        item, level = self.ui.batchTable.item(row, 2), entry.get("level", "")
        item.setText(titles().get(level) or (_("none") if level else ""))
        item.setToolTip(html.escape(entry.get("sentence", "")))
        item.setForeground(qt.QBrush(qt.QColor(COLOURS[level])) if level in COLOURS else qt.QBrush())

    def _rename(self, state: State) -> None:
        """The result is called as the line says, and always says that it is synthetic."""
        plan, node = state.result.plan, existing(state.result.output_id)
        source = existing(plan.input_id)
        if node is None or source is None:
            return
        name = str(self.ui.batchNameLineEdit.text).strip()
        for key, value in (
            ("{volume}", source.GetName()),
            ("{domain}", plan.card.ends_in(plan.direction).name),
            ("{style}", plan.card.name),
        ):
            name = name.replace(key, value)
        if MARK not in name.lower():
            name = f"{name} ({MARK})".strip()
        if name != node.GetName():
            taken = slicer.mrmlScene.GetFirstNodeByName(name) is not None
            node.SetName(slicer.mrmlScene.GenerateUniqueName(name) if taken else name)

    def _on_row(self, row: int, _column: int) -> None:
        """A click on a line that is done shows its result."""
        if self.runner is None or row not in self._rows or self.parameters is None:
            return
        state = self.runner.states[self._rows.index(row)]
        node = existing(state.result.output_id) if state.result is not None else None
        if node is not None:
            self.parameters.resultVolume = node
            outputs.show_in_slices(node)


def _text(state: State) -> str:
    if state.kind == "running":
        return _("{percent:.0f} %").format(percent=100 * state.share)
    texts = {"waiting": "", "judging": _("judging"), "done": _("done"), "failed": _("failed"), "left": _("not done")}
    return texts[state.kind]
