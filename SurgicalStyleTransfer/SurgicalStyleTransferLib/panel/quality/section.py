"""The section Quality: the metrics of the image that is shown, what they are of, and whether they still are."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs import judged
from SurgicalStyleTransferLib.jobs.engine import QUICK_SLICES
from SurgicalStyleTransferLib.jobs.job import Listener, Progress
from SurgicalStyleTransferLib.jobs.metrics_job import Verdict
from SurgicalStyleTransferLib.jobs.style_job import Result
from SurgicalStyleTransferLib.mrml import outputs

from .. import metrics_table
from ..context import Context, Section, existing
from ..tools import WARNING_STYLE, fill
from .bound_map import BoundMap
from .verdict_line import VerdictLine
from .watched import Watched
from .worst_slices import WorstSlices

STALE_COLOUR = "#888"
TRANSLATIONS = 7  # of a frame: the steps of the worker's progress before it has told any


class QualitySection(Section):
    """Judges the latest result after a run or on request, and marks the table as soon as something has changed.

    Attributes:
        verdict: the metrics in the table and what they are of; None for an empty table.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.verdict: Verdict | None = None
        self._wants_judging = False  # as soon as what is being blended is there
        self._with_figures = True  # of what is judged now or as soon as it is there; else the verdict alone
        self._is_stopping = False
        self._said = ""
        self._plot: dict[str, str] = {}
        self._map_id = ""
        self._map_shown = False
        self._worst = WorstSlices(self.ui)
        self._line = VerdictLine(self.ui)
        self._bound = BoundMap(self.ui)
        self._watched = Watched(self._mark_stale)
        self._prepare_widgets()
        context.bind(self.ui.figuresComboBox, "figures")
        context.run_starting.connect(self._cancel)
        context.translated.connect(self._on_translated)
        context.adjusted.connect(self._on_adjusted)
        self._fill_table()

    def _prepare_widgets(self) -> None:
        ui = self.ui
        fill(
            ui.figuresComboBox,
            [
                (_("Verdict after every run, figures on request"), "verdict"),
                (_("Figures after every run, at most {count} slices").format(count=QUICK_SLICES), "quick"),
                (_("Figures after every run, all slices"), "all"),
                (_("Only on request"), "off"),
            ],
        )
        ui.figuresTable.setHorizontalHeaderLabels([_("Figure"), _("Value")])
        header = ui.figuresTable.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(1, qt.QHeaderView.Stretch)
        ui.figuresTable.verticalHeader().visible = False
        ui.computeButton.connect("clicked(bool)", self.on_compute)
        ui.plotButton.connect("clicked(bool)", self.on_plot)
        ui.exportButton.connect("clicked(bool)", self.on_export)

    # Hooks

    def update(self) -> None:
        """Show what can be done with the metrics, and whether they are out of date."""
        ui, has_map = self.ui, existing(self._map_id) is not None
        ui.plotButton.enabled = ui.exportButton.enabled = self.verdict is not None
        ui.mapCheckBox.enabled = has_map
        ui.mapCheckBox.toolTip = (
            _("Difference of the input to itself translated there and back (cycle error |F(G(x)) - x|), as overlay.")
            if has_map
            else _("Compute the figures first.")
        )
        self._bound.update()
        self._watched.watch(self.parameters.referenceVolume, self.parameters.region)
        self._mark_stale()

    def update_buttons(self) -> None:
        """Compute or Stop, and why not."""
        button, engine = self.ui.computeButton, self.engine
        result = self.parameters.resultVolume if self.parameters is not None else None
        known = engine.results.get(result.GetID()) if result is not None else None
        is_known = known is not None and bool(known.keys)
        is_running = engine.metrics_job is not None or self._wants_judging
        is_busy = engine.style_job is not None or engine.fusion_job is not None
        button.enabled = (is_running or is_known) and not is_busy
        button.text = _("Stop") if is_running else _("Compute")
        if is_known:
            button.toolTip = _(
                "Judge the latest result by all figures, which runs the network again (six translations)."
            )
        elif known is not None:
            button.toolTip = _("A look runs no network, and no bound of it is calibrated: there are no figures.")
        else:
            button.toolTip = _("The translation is no longer in memory; press Apply first.")

    def follow(self) -> None:
        """Show or hide the maps; of both, the error bound."""
        self._bound.follow(self.parameters)
        node = existing(self._map_id)
        is_wanted = node is not None and self.parameters.showErrorMap and not self._bound.is_shown
        if is_wanted != self._map_shown:
            self._map_shown = is_wanted
            if is_wanted:
                metrics_table.show_map(node, self.parameters.resultVolume)
            else:
                metrics_table.hide_map(self._map_id)

    def node_removed(self, node: object) -> None:
        """Metrics go with their image."""
        node_id, job = node.GetID(), self.engine.metrics_job
        if job is not None and job.judged.output_id == node_id:
            job.abandon("")
        if self.verdict is not None and self.verdict.judged.output_id == node_id:
            self.verdict = None
            self._fill_table()
        if node_id == self._map_id:
            self._map_id = ""
        self._bound.node_removed(node_id)

    def scene_closing(self) -> None:
        """Judge no more, and an empty table."""
        self._stop()
        self._watched.watch()
        self.verdict, self._plot, self._map_id, self._map_shown = None, {}, "", False
        self._bound.clear()
        self._fill_table()

    def close(self) -> None:
        """Judge no more."""
        self._stop()
        self._watched.watch()
        self._bound.clear()

    # Judging

    def on_compute(self, _checked: bool = False) -> None:
        """Judge the latest result, or stop that."""
        if self._wants_judging or self.engine.metrics_job is not None:
            self._cancel()
            self.context.update_buttons()
        else:
            self._judge(with_figures=True)

    def _cancel(self) -> None:
        self._wants_judging, self._is_stopping = False, True
        if self.engine.metrics_job is not None:
            self.engine.metrics_job.cancel()

    def _stop(self) -> None:
        """At once, for what was to be judged goes."""
        self._wants_judging, self._is_stopping = False, True
        if self.engine.metrics_job is not None:
            self.engine.metrics_job.abandon("")

    def _on_translated(self, result: Result) -> None:
        if not result.keys:
            self._forget()
        elif self.parameters.figures != "off":
            self._judge(with_figures=self.parameters.figures != "verdict")

    def _on_adjusted(self) -> None:
        if self._wants_judging:
            self._wants_judging = False
            self._judge(self._with_figures)

    def _judge(self, with_figures: bool) -> None:
        """The verdict and what costs no run of the network; with figures, everything, and the status line says so."""
        self._with_figures = with_figures
        node = self.parameters.resultVolume
        result = self.engine.results.get(node.GetID()) if node is not None else None
        if result is None or not result.keys:
            return
        if self.engine.adjust_job is not None:
            self._wants_judging = True
            self.context.update_buttons()
            return
        self._is_stopping, self._said = False, ""
        limit = None if self.parameters.figures == "all" else QUICK_SLICES
        before = self.context.status.text

        def done(verdict: Verdict) -> None:
            self._say_no_more(before)
            if self.parameters is not None and existing(verdict.judged.output_id) is not None:
                self._show_verdict(verdict)

        def failed(code: str, message: str) -> None:
            self._say_no_more(before)
            if code not in ("cancelled", "abandoned"):
                self.context.status.show(message, error=code != "stopped")
            if code == "cancelled" and not self._is_stopping:
                # Ended because the image is blended anew; the next one is judged instead.
                self._judge(with_figures)
            self.context.update()

        def progressed(progress: Progress) -> None:
            if with_figures:
                self._say(progress, before)

        listener, reference = Listener(done, failed, progressed), self.parameters.referenceVolume
        sampled = limit is not None
        self.engine.judge(node.GetID(), reference, limit, listener, sampled=sampled, cycle=with_figures)
        if with_figures and self.engine.metrics_job is not None:
            self._say(Progress("figures", 0, TRANSLATIONS), before)
        self.context.update()

    def _is_alone(self) -> bool:
        """Whether the status line is free for judging; jobs that somebody waits for come first."""
        return self.engine.style_job is None and self.engine.fusion_job is None and not self.context.installing

    def _say(self, progress: Progress, before: str) -> None:
        if self._is_alone():
            step, total = progress.total * (progress.frame - 1) + progress.done, progress.total * progress.frames
            text = _("{before} Judging it: translation {done} of {total}.")
            self._said = text.format(before=before, done=step, total=total).strip()
            self.context.status.show(self._said)
            self.context.status.show_progress(step, total)

    def _say_no_more(self, before: str) -> None:
        if self._is_alone():
            self.context.status.hide_progress()
        if self.context.status.text == self._said:
            self.context.status.show(before)

    # Showing

    def _show_verdict(self, verdict: Verdict) -> None:
        self.verdict = verdict
        node = existing(verdict.judged.output_id)
        source = node.GetNodeReference(outputs.INPUT_ROLE)
        if verdict.error_map is not None and source is not None:
            self._map_id = metrics_table.write_map(verdict.error_map, node, source, self._map_id).GetID()
        else:
            self._remove_map()
        self._bound.take(verdict, node, source)
        self._fill_table()
        self.context.update()

    def _forget(self) -> None:
        """Nothing is said of an image that is not judged: what another one's was would be taken for this one's."""
        self.verdict = None
        self._remove_map()
        self._bound.remove()
        self._fill_table()

    def _remove_map(self) -> None:
        """That of an earlier image would be taken for this one's."""
        node = existing(self._map_id)
        if node is not None:
            if self._map_shown:
                metrics_table.hide_map(self._map_id)
            self._map_id, self._map_shown = "", False
            outputs.remove_volume(node)

    def _fill_table(self) -> None:
        table = self.ui.figuresTable
        entries = metrics_table.rows(self.verdict.metrics) if self.verdict is not None else []
        table.rowCount, plain = len(entries), metrics_table.plain_names()
        for row, (name, value, meaning) in enumerate(entries):
            for column, text in enumerate((name, value)):
                item = qt.QTableWidgetItem(plain.get(name, text) if column == 0 else text)
                item.setToolTip(f"{name}: {meaning}" if name in plain else meaning)
                table.setItem(row, column, item)
        table.resizeRowsToContents()
        self._worst.fill(self.verdict)
        self._line.fill(self.verdict)
        self._mark_stale()

    def _changes(self) -> list[str]:
        """What has changed since the table was filled, in words."""
        if self.verdict is None or self.parameters is None:
            return []
        before = self.verdict.judged
        return before.changes_until(judged.of_parameters_now(self.parameters, self.engine.results, before))

    def _mark_stale(self) -> None:
        """Say under the table what it is of; grey, with what has changed, as soon as it is not what is chosen now."""
        label, table = self.ui.judgedLabel, self.ui.figuresTable
        label.visible = self.verdict is not None
        if self.verdict is None:
            return
        changes, judged_image = self._changes(), self.verdict.judged
        details = "; ".join(f"{title}: {text}" for title, text in judged_image.about().items())
        text = _("Of {name}. {details}.").format(name=judged_image.name, details=details)
        if changes:
            text = _("Out of date: {changes} changed since. {text}").format(changes=", ".join(changes), text=text)
        label.text = text
        label.setStyleSheet(WARNING_STYLE if changes else "")
        self._line.mark_stale(bool(changes), judged_image.name if self._is_of_another_choice() else "")
        brush = qt.QBrush(qt.QColor(STALE_COLOUR)) if changes else qt.QBrush()
        for row in range(table.rowCount):
            for column in range(2):
                table.item(row, column).setForeground(brush)

    def _is_of_another_choice(self) -> bool:
        """Whether another input, style or direction is chosen than those of what was judged."""
        output_id = self.verdict.judged.output_id
        node, parameters = existing(output_id), self.parameters
        if node is None or parameters is None:
            return False
        chosen, result, card = parameters.inputVolume, self.engine.results.get(output_id), self.context.card()
        if chosen is not None and node.GetNodeReference(outputs.INPUT_ROLE) is not chosen:
            return True
        if result is None or card is None:
            return False
        return (card.name, parameters.direction) != (result.plan.card.name, result.plan.direction)

    # Plot and export

    def on_plot(self, _checked: bool = False) -> None:
        """Show the metrics of every slice in a plot view."""
        if self.verdict is not None:
            self._plot = metrics_table.show_plot(self.verdict.metrics, self.verdict.judged.name, self._plot)

    def on_export(self, _checked: bool = False) -> None:
        """Ask for a file and write the metrics into it."""
        name = f"{self.verdict.judged.name}.csv"
        path = str(
            qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), _("Export figures"), name, _("Tables (*.csv)"))
            or ""
        )
        if path:
            self.export(path)

    def export(self, path: str) -> None:
        """Write the metrics as CSV, with what they are of and whether that has changed since, and say so."""
        image, changes = self.verdict.judged, self._changes()
        about = {
            _("Volume"): image.name,
            _("Description"): image.description,
            **image.about(),
            _("Changed since"): ", ".join(changes) or _("nothing"),
        }
        status = self.context.status
        try:
            metrics_table.export_csv(path, self.verdict.metrics, about)
        except OSError as error:
            status.show(_("The file cannot be written: {reason}.").format(reason=error.strerror or error), True)
        else:
            status.show(_("Figures saved to {path}.").format(path=path))
