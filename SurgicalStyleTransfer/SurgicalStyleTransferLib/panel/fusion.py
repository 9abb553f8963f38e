"""The panel's section Fusion: the input volume as reference, a list of other volumes with weights, Fuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.fusion_job import FusionPlan, FusionResult, FusionRun, why_not
from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.setup import dependencies

from .tools import duration, fill, select

if TYPE_CHECKING:
    from SurgicalStyleTransferLib.setup.model_cards import Card

    from .panel import Panel

MOST_WEIGHT = 10.0
MODEL = "model:"  # before the name of a model, among the methods


class FusionPanel:
    """The section's widgets, their parameters, and the run under way (None if there is none)."""

    def __init__(self, panel: Panel) -> None:
        self.panel, self.ui = panel, panel.ui
        self.run: FusionRun | None = None
        self.latest_id = ""  # of the fused volume, as long as nothing was translated since
        self.figures: dict = {}
        self._figures_of = ""
        self._rows: list[str] = []
        self._boxes: list[object] = []
        self._fill_fixed()
        ui = self.ui
        ui.fusionAddButton.connect("clicked(bool)", self.on_add)
        ui.fusionRemoveButton.connect("clicked(bool)", self.on_remove)
        ui.fusionButton.connect("clicked(bool)", self.on_fuse)
        ui.fusionMethodComboBox.connect("currentIndexChanged(int)", self._on_method)

    def _fill_methods(self) -> None:
        """The rules, then the models that take several modalities."""
        ui = self.ui
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
        fill(ui.fusionMethodComboBox, [(text, data) for text, data, _tip in methods])
        for index, (_text, _data, tip) in enumerate(methods):
            ui.fusionMethodComboBox.setItemData(index, tip, qt.Qt.ToolTipRole)

    def _models(self) -> list[Card]:
        return [card for card in self.panel._cards if card.inputs]

    def _fill_fixed(self) -> None:
        ui = self.ui
        self._fill_methods()
        ui.fusionTable.setHorizontalHeaderLabels([_("Volume"), _("Weight")])
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
        self._fill_figures()

    # Parameters

    def _others(self) -> list[tuple[object, float]]:
        """The other volumes that are still there, each with its weight."""
        nodes, weights = list(self.panel.parameters.fusionVolumes), self._weights()
        weights += [1.0] * (len(nodes) + 1 - len(weights))
        return [
            (node, weight)
            for node, weight in zip(nodes, weights[1:], strict=False)
            if node is not None and slicer.mrmlScene.IsNodePresent(node)
        ]

    def _weights(self) -> list[float]:
        """The reference's weight and those of the others."""
        try:
            found = [float(weight) for weight in json.loads(self.panel.parameters.fusionWeights)]
        except (ValueError, TypeError):
            found = []
        return found or [1.0]

    def _store(self, reference_weight: float, others: list[tuple[object, float]]) -> None:
        parameters = self.panel.parameters
        nodes = [node for node, _weight in others]
        with slicer.util.NodeModify(parameters):
            parameters.fusionWeights = json.dumps([reference_weight, *(weight for _node, weight in others)])
            if nodes != list(parameters.fusionVolumes):
                parameters.fusionVolumes = nodes

    def _on_method(self, _index: int) -> None:
        if not self.panel._updating and self.panel.parameters is not None:
            self.panel.parameters.fusionMethod = self.ui.fusionMethodComboBox.currentData

    def _on_weight(self, row: int, value: float) -> None:
        if self.panel._updating or self.panel.parameters is None:
            return
        reference_weight, others = self._weights()[0], self._others()
        if row == 0:
            reference_weight = value
        elif row <= len(others):
            others[row - 1] = (others[row - 1][0], value)
        self._store(reference_weight, others)

    # What the panel tells

    def update(self) -> None:
        """Everything in the section that follows from parameters, scene and engine."""
        ui, parameters = self.ui, self.panel.parameters
        self._fill_methods()
        select(ui.fusionMethodComboBox, parameters.fusionMethod)
        reference = parameters.inputVolume
        others = self._others()
        entries = [(reference, self._weights()[0]), *others]
        rows = ["" if node is None else node.GetID() for node, _weight in entries]
        if rows != self._rows:
            self._make_rows(rows)
        table = ui.fusionTable
        for row, (node, weight) in enumerate(entries):
            name = _("no input volume") if node is None else node.GetName()
            table.item(row, 0).setText(name if row else _("{name} (reference)").format(name=name))
            if self._boxes[row].value != weight:
                self._boxes[row].value = weight
        ui.fusionRemoveButton.enabled = bool(others)
        if self.run is not None:
            ui.computeButton.enabled = False

    def update_button(self) -> None:
        """What Fuse says, with what else is under way."""
        ui = self.ui
        applying = self.panel.engine.run is not None
        ui.fusionButton.enabled = not applying and not self.panel.installing
        if self.run is not None:
            ui.fusionButton.toolTip = _("Stop. The scene stays as it was.")
        elif self.panel.installing:
            ui.fusionButton.toolTip = _("Packages are being installed.")
        elif applying:
            ui.fusionButton.toolTip = _("A style is being applied.")
        else:
            ui.fusionButton.toolTip = _("Fuse the volumes of the list into a new volume on the reference's grid.")

    def _make_rows(self, rows: list[str]) -> None:
        table = self.ui.fusionTable
        self._rows, self._boxes = rows, []
        table.rowCount = 0
        table.rowCount = len(rows)
        for row in range(len(rows)):
            item = qt.QTableWidgetItem("")
            if row == 0:
                item.setToolTip(_("The input volume above: the result has its grid and its range of values."))
            table.setItem(row, 0, item)
            box = qt.QDoubleSpinBox()
            box.keyboardTracking = False
            box.maximum = MOST_WEIGHT
            box.decimals = 2
            box.singleStep = 0.1
            box.toolTip = _("How much this volume counts beside the others; 0 leaves it out.")
            box.connect("valueChanged(double)", lambda value, row=row: self._on_weight(row, value))
            table.setCellWidget(row, 1, box)
            self._boxes.append(box)

    def node_removed(self, node: object) -> None:
        """A node leaves the scene; whatever depends on it ends."""
        node_id = node.GetID()
        if self.run is not None and node_id in self.run.plan.node_ids:
            self.run.abandon(
                _("{name} was deleted during the fusion; nothing was written.").format(name=node.GetName())
            )
        others = self._others()
        left = [(other, weight) for other, weight in others if other.GetID() != node_id]
        if len(left) != len(others):
            self._store(self._weights()[0], left)
        if node_id == self._figures_of:
            self._forget_figures()

    def scene_closing(self) -> None:
        """The scene goes: a run ends without a trace."""
        if self.run is not None:
            self.run.abandon(_("The scene was closed; nothing was written."))
        self._forget_figures()
        self.latest_id = ""
        self.ui.fusionTable.rowCount = 0
        self._rows, self._boxes = [], []

    def close(self) -> None:
        """Before the panel goes: nothing keeps running."""
        if self.run is not None:
            self.run.abandon("")

    # Buttons

    def on_add(self, _checked: bool = False) -> None:
        node = self.ui.fusionSelector.currentNode()
        if node is None or self.panel.parameters is None:
            self.panel._set_status(_("Select the volume to add first."))
            return
        others = self._others()
        reference = self.panel.parameters.inputVolume
        if reference is not None and node.GetID() == reference.GetID():
            self.panel._set_status(
                _("{name} is the reference already; add another volume.").format(name=node.GetName()), error=True
            )
            return
        if node.GetID() in [other.GetID() for other, _weight in others]:
            self.panel._set_status(_("{name} is in the list already.").format(name=node.GetName()), error=True)
            return
        self.panel._set_status("")
        self._store(self._weights()[0], [*others, (node, 1.0)])
        self.ui.fusionSelector.setCurrentNode(None)

    def on_remove(self, _checked: bool = False) -> None:
        """Take the selected row out, or the last one where none is selected."""
        if self.panel.parameters is None:
            return
        others, row = self._others(), self.ui.fusionTable.currentRow()
        if row == 0:
            self.panel._set_status(_("The reference is the input volume; choose another one under Inputs."))
        elif others:
            others.pop(row - 1 if 0 < row <= len(others) else -1)
            self._store(self._weights()[0], others)

    def on_fuse(self, _checked: bool = False) -> None:
        panel = self.panel
        if self.run is not None:
            self.ui.fusionButton.enabled = False
            panel._set_status(_("Cancelling..."))
            self.run.cancel()
            return
        parameters = panel.parameters
        if parameters is None:
            return
        others = self._others()
        nodes = [parameters.inputVolume, *(node for node, _weight in others)]
        weights = [self._weights()[0], *(weight for _node, weight in others)]
        reason = why_not(nodes, weights)
        if reason:
            panel._set_status(reason, error=True)
            return
        method, model, openvino = parameters.fusionMethod, "", False
        if method.startswith(MODEL):
            card = next((card for card in self._models() if MODEL + card.name == method), None)
            if card is None:
                panel._set_status(_("The style of this fusion is not on this machine; choose another method."), True)
                return
            method, model, openvino = "learned", str(card.folder), card.runs_in_openvino
        panel._stop_figures()
        if not panel.has_packages(lambda: dependencies.ensure(torch=bool(model), openvino=openvino)):
            return
        if panel.parameters is None or not all(slicer.mrmlScene.IsNodePresent(node) for node in nodes):
            return  # the scene was changed while packages were installed
        plan = FusionPlan([node.GetID() for node in nodes], weights, method, parameters.fusionRegister, model)
        self._show_running(True)
        panel._set_status(_("Starting..."))
        engine = panel.engine
        self.run = FusionRun(engine.client, engine.exchange, plan, self._on_done, self._on_failed, self._on_progress)
        self.run.start()
        panel.update()

    # The run

    def _on_progress(self, stage: str, done: int, total: int) -> None:
        bar = self.ui.progressBar
        bar.visible = True
        if stage == "figures":
            bar.maximum = 0  # busy: how long judging takes is unknown
            self.panel._set_status(_("Judging the fusion..."))
            return
        bar.maximum = total if done else 0
        bar.value = done
        text = (
            _("Registering and fusing, {percent:.0f} %...")
            if self.run.plan.register
            else (_("Fusing, {percent:.0f} %..."))
        )
        self.panel._set_status(text.format(percent=100 * done / max(total, 1)))

    def _on_done(self, result: FusionResult) -> None:
        self.run = None
        self._show_running(False)
        panel = self.panel
        if panel.parameters is None:
            return
        node = slicer.mrmlScene.GetNodeByID(result.output_id)
        self.figures, self._figures_of = result.figures, result.output_id
        self._fill_figures()
        self.latest_id = result.output_id
        compared = panel.parameters.compare
        panel.on_compare(compared)
        if not compared:
            outputs.show_in_slices(node)
        made = _("{name}: {count} volumes fused in {time}.").format(
            name=node.GetName(), count=len(result.plan.node_ids), time=duration(result.seconds)
        )
        panel._set_status(" ".join([made, *result.warnings]))

    def _on_failed(self, code: str, message: str) -> None:
        self.run = None
        self._show_running(False)
        if code == "cancelled":
            self.panel._set_status(_("Cancelled. The scene is as it was."))
        elif message:
            self.panel._set_status(message, error=code not in ("stopped", "abandoned"))
        self.panel.update()

    def _show_running(self, running: bool) -> None:
        ui = self.ui
        ui.fusionButton.text = _("Cancel") if running else _("Fuse")
        ui.progressBar.visible = running
        if running:
            ui.progressBar.maximum = 0
            ui.progressBar.value = 0

    # Figures

    def _forget_figures(self) -> None:
        self.figures, self._figures_of = {}, ""
        self._fill_figures()

    def _fill_figures(self) -> None:
        table = self.ui.fusionFiguresTable
        entries = figure_rows(self.figures) if self.figures else []
        table.visible = bool(entries)
        table.rowCount = len(entries)
        for row, (texts, meaning) in enumerate(entries):
            for column, text in enumerate(texts):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(meaning)
                table.setItem(row, column, item)
        table.resizeRowsToContents()


def figure_rows(figures: dict) -> list[tuple[list[str], str]]:
    """([name, of the fusion, of the reference alone, of the average], meaning) of the figures of a fusion."""
    floors = figures["floors"]
    judged = (figures, floors["reference"], floors["average"])
    rows = []

    def add(name: str, values: list[float | None], meaning: str) -> None:
        rows.append(([name, *("–" if value is None else f"{value:.3f}" for value in values)], meaning))

    for index, name in enumerate(figures["inputs"]):
        add(
            _("Information shared with {name}").format(name=name),
            [entry["normalized_mutual_information"][index] for entry in judged],
            _("Normalised mutual information with this volume: 0 nothing, 1 all of it."),
        )
    add(
        _("Edges kept (Q^AB/F)"),
        [entry["q_abf"] for entry in judged],
        _("Xydeas and Petrovic: strength and direction of all volumes' edges in the result. 1 is best."),
    )
    add(
        _("Structure kept (Piella Q_W)"),
        [entry["piella_weighted"] for entry in judged],
        _("Piella and Heijmans: local similarity to the volume that shows the most. 1 is best."),
    )
    add(
        _("Entropy (bit)"),
        [entry["entropy"] for entry in judged],
        _("Variety of grey values; noise raises it too."),
    )
    return rows
