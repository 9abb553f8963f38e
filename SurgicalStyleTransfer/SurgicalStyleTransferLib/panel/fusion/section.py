"""The section Fusion: the method, Fuse, and the metrics of what came of it."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.fusion_job import FusionPlan, FusionResult, why_not
from SurgicalStyleTransferLib.jobs.job import Listener, Progress
from SurgicalStyleTransferLib.setup.model_cards import Card

from ..context import Context, Section, Status, existing
from ..dialogs.packages import provide
from ..tools import duration, fill
from .metrics_rows import metrics_rows
from .volumes import FusionVolumes

MODEL = "model:"  # before the name of a model, among the methods


class FusionSection(Section):
    """Turns the list of volumes into a plan, and the engine's result into the latest one of the scene.

    Attributes:
        volumes: the list of volumes and weights.
        status: the section's own line and progress bar, beside its button.
        result: whose metrics are in the table; None for an empty table.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.result: FusionResult | None = None
        self._is_mine = False  # the fusion under way was started here, and not in another widget of the module
        self.status = Status(self.ui.fusionStatusLabel, self.ui.fusionProgressBar)
        self.volumes = FusionVolumes(context, self.status)
        self._prepare_tables()
        context.bind(self.ui.fusionMethodComboBox, "fusionMethod")
        self.ui.fusionButton.connect("clicked(bool)", self.on_fuse)

    def _prepare_tables(self) -> None:
        ui = self.ui
        ui.fusionFiguresTable.setHorizontalHeaderLabels([_("Figure"), _("Fused"), _("Reference"), _("Average")])
        for table in (ui.fusionTable, ui.fusionFiguresTable):
            header = table.horizontalHeader()
            header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
            for column in range(1, table.columnCount):
                header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
            table.verticalHeader().visible = False
        for column, tip in (
            (2, _("The reference alone, without any fusion: what a fusion should beat.")),
            (3, _("The plain average of all volumes: what a better method should beat.")),
        ):
            ui.fusionFiguresTable.horizontalHeaderItem(column).setToolTip(tip)
        self._show(None)

    # Hooks

    def update(self) -> None:
        """Show the methods and the list."""
        self._fill_methods()
        self.volumes.update()

    def update_buttons(self) -> None:
        """Fuse or Cancel, and why not."""
        button, is_applying = self.ui.fusionButton, self.engine.style_job is not None
        button.text = _("Fuse") if self.engine.fusion_job is None else _("Cancel")
        button.enabled = not is_applying and not self.context.installing
        if self.engine.fusion_job is not None:
            button.toolTip = _("Stop. The scene stays as it was.")
        elif self.context.installing:
            button.toolTip = _("Packages are being installed.")
        elif is_applying:
            button.toolTip = _("A style is being applied.")
        else:
            button.toolTip = _("Fuse the volumes of the list into a new volume on the reference's grid.")

    def node_removed(self, node: object) -> None:
        """End a fusion that needs the node, and take it out of the list."""
        job, node_id = self.engine.fusion_job, node.GetID()
        if job is not None and node_id in job.plan.node_ids:
            job.abandon(_("{name} was deleted during the fusion; nothing was written.").format(name=node.GetName()))
        self.volumes.node_removed(node)
        if self.result is not None and node_id == self.result.output_id:
            self._show(None)

    def scene_closing(self) -> None:
        """End a fusion, and forget the list."""
        if self.engine.fusion_job is not None:
            self.engine.fusion_job.abandon(_("The scene was closed; nothing was written."))
        self._show(None)
        self.volumes.scene_closing()

    def close(self) -> None:
        """End a fusion that was started here."""
        if self.engine.fusion_job is not None and self._is_mine:
            self.engine.fusion_job.abandon("")

    # The method

    def _models(self) -> list[Card]:
        return [card for card in self.context.cards if card.inputs]

    def _fill_methods(self) -> None:
        """The rules, then the models that take several modalities."""
        methods = [
            (
                _("Sharpest at every scale (pyramid)"),
                "pyramid",
                _("At every size of detail, whichever volume shows the most; a good first choice."),
            ),
            (
                _("Along the edges (guided filter)"),
                "guided",
                _("Every region from the volume that shows the most there; the borders follow the edges."),
            ),
            (
                _("All detail (maximum detail)"),
                "detail",
                _("The sharpest and the noisiest: the strongest detail of any volume, voxel by voxel."),
            ),
            (
                _("Average (weighted mean)"),
                "weighted",
                _("Free of artefacts, and flat where the contrasts of the volumes are opposite."),
            ),
        ]
        for card in self._models():
            tip = _("A trained network. Its inputs in this order, the reference first: {inputs}. Weights do not count.")
            methods.append((card.title, MODEL + card.name, tip.format(inputs=", ".join(card.inputs))))
        combo = self.ui.fusionMethodComboBox
        fill(combo, [(text, data) for text, data, _tip in methods])
        for index, (_text, _data, tip) in enumerate(methods):
            combo.setItemData(index, tip, qt.Qt.ToolTipRole)

    # The run

    def on_fuse(self, _checked: bool = False) -> None:
        """Fuse what is listed, or cancel that."""
        context, status = self.context, self.status
        if self.engine.fusion_job is not None:
            self.ui.fusionButton.enabled = False
            status.show(_("Cancelling..."))
            self.engine.fusion_job.cancel()
            return
        if self.parameters is None:
            return
        nodes, weights = self._chosen()
        reason = why_not(nodes, weights)
        card, method = None, self.parameters.fusionMethod
        if not reason and method.startswith(MODEL):
            card = next((card for card in self._models() if MODEL + card.name == method), None)
            if card is None:
                reason = _("The style of this fusion is not on this machine; choose another method.")
        if reason:
            status.show(reason, error=True)
            return
        status.show("")
        openvino = card is not None and card.runs_in_openvino
        context.run_starting.emit()
        if not context.has_packages(lambda: provide(torch=card is not None, openvino=openvino)):
            return
        if self.parameters is None or not all(slicer.mrmlScene.IsNodePresent(node) for node in nodes):
            return  # the scene was changed while packages were installed
        plan = FusionPlan(
            node_ids=[node.GetID() for node in nodes],
            weights=weights,
            method=method if card is None else "learned",
            register=self.parameters.fusionRegister,
            model="" if card is None else str(card.folder),
        )
        status.show_progress()
        status.show(_("Starting..."))
        self._is_mine = True
        self.engine.fuse(plan, Listener(self._on_done, self._on_failed, self._on_progress))
        context.update()

    def _chosen(self) -> tuple[list[object | None], list[float]]:
        """The volumes, the reference first, and their weights."""
        others = self.volumes.others()
        nodes = [self.parameters.inputVolume, *(node for node, _weight in others)]
        return nodes, [self.volumes.reference_weight(), *(weight for _node, weight in others)]

    def _on_progress(self, progress: Progress) -> None:
        status = self.status
        if progress.stage == "figures":
            status.show_progress()
            status.show(_("Judging the fusion..."))
            return
        status.show_progress(progress.done, progress.total if progress.done else 0)
        text = _("Fusing, {percent:.0f} %...")
        if self.engine.fusion_job.plan.register:
            text = _("Registering and fusing, {percent:.0f} %...")
        status.show(text.format(percent=100 * progress.done / max(progress.total, 1)))

    def _on_done(self, result: FusionResult) -> None:
        context, self._is_mine = self.context, False
        self.status.hide_progress()
        if self.parameters is None:
            context.update_buttons()
            return
        self._show(result)
        context.fused.emit(result)
        sentence = _("{name}: {count} volumes fused in {time}.").format(
            name=existing(result.output_id).GetName(),
            count=len(result.plan.node_ids),
            time=duration(result.seconds),
        )
        self.status.show(" ".join([sentence, *result.warnings]))
        context.update()

    def _on_failed(self, code: str, message: str) -> None:
        self._is_mine = False
        self.status.hide_progress()
        self.status.show_failure(code, message)
        self.context.update()

    def _show(self, result: FusionResult | None) -> None:
        """The metrics of a fusion in the table; without any it is hidden."""
        self.result = result
        table = self.ui.fusionFiguresTable
        rows = metrics_rows(result.metrics) if result is not None and result.metrics else []
        table.visible = bool(rows)
        table.rowCount = len(rows)
        for row, (texts, meaning) in enumerate(rows):
            for column, text in enumerate(texts):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(meaning)
                table.setItem(row, column, item)
        table.resizeRowsToContents()
