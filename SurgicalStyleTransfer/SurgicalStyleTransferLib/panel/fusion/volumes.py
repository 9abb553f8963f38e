"""The list of what is fused: the input volume as the reference, others, and how much each counts."""

from __future__ import annotations

import json

import qt
import slicer
from slicer.i18n import tr as _

from ..context import Context, Section, Status

MOST_WEIGHT = 10.0


class FusionVolumes(Section):
    """The table of volumes and weights, and the buttons that add and remove them."""

    def __init__(self, context: Context, status: Status) -> None:
        super().__init__(context)
        self._status = status
        self._rows: list[str] = []
        self._boxes: list[object] = []
        ui = self.ui
        ui.fusionTable.setHorizontalHeaderLabels([_("Volume"), _("Weight")])
        ui.fusionAddButton.connect("clicked(bool)", self.on_add)
        ui.fusionRemoveButton.connect("clicked(bool)", self.on_remove)

    def update(self) -> None:
        """Show the volumes and their weights."""
        ui, others = self.ui, self.others()
        entries = [(self.parameters.inputVolume, self.reference_weight()), *others]
        rows = ["" if node is None else node.GetID() for node, _weight in entries]
        if rows != self._rows:
            self._make_rows(rows)
        for row, (node, weight) in enumerate(entries):
            name = _("no input volume") if node is None else node.GetName()
            ui.fusionTable.item(row, 0).setText(name if row else _("{name} (reference)").format(name=name))
            if self._boxes[row].value != weight:
                self._boxes[row].value = weight
        ui.fusionRemoveButton.enabled = bool(others)

    def node_removed(self, node: object) -> None:
        """Take a volume out, with its weight."""
        others = self.others()
        left = [(other, weight) for other, weight in others if other.GetID() != node.GetID()]
        if len(left) != len(others):
            self._store(self.reference_weight(), left)

    def scene_closing(self) -> None:
        """An empty list."""
        self.ui.fusionTable.rowCount = 0
        self._rows, self._boxes = [], []

    def others(self) -> list[tuple[object, float]]:
        """The volumes beside the reference that are still there, each with its weight."""
        nodes, weights = list(self.parameters.fusionVolumes), self._weights()
        weights += [1.0] * (len(nodes) + 1 - len(weights))
        return [
            (node, weight)
            for node, weight in zip(nodes, weights[1:], strict=False)
            if node is not None and slicer.mrmlScene.IsNodePresent(node)
        ]

    def reference_weight(self) -> float:
        """How much the input volume counts."""
        return self._weights()[0]

    def _weights(self) -> list[float]:
        """As the parameter node has them; the reference's is always there."""
        try:
            weights = [float(weight) for weight in json.loads(self.parameters.fusionWeights)]
        except (ValueError, TypeError):
            weights = []
        return weights or [1.0]

    def _store(self, reference_weight: float, others: list[tuple[object, float]]) -> None:
        parameters = self.parameters
        nodes = [node for node, _weight in others]
        with slicer.util.NodeModify(parameters):
            parameters.fusionWeights = json.dumps([reference_weight, *(weight for _node, weight in others)])
            if nodes != list(parameters.fusionVolumes):
                parameters.fusionVolumes = nodes

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

    def _on_weight(self, row: int, value: float) -> None:
        if self.context.is_updating or self.parameters is None:
            return
        reference_weight, others = self.reference_weight(), self.others()
        if row == 0:
            reference_weight = value
        elif row <= len(others):
            others[row - 1] = (others[row - 1][0], value)
        self._store(reference_weight, others)

    def on_add(self, _checked: bool = False) -> None:
        """Put the selected volume into the list."""
        node, status = self.ui.fusionSelector.currentNode(), self._status
        if node is None or self.parameters is None:
            status.show(_("Select the volume to add first."))
            return
        others, reference = self.others(), self.parameters.inputVolume
        if reference is not None and node.GetID() == reference.GetID():
            text = _("{name} is the reference already; add another volume.")
            status.show(text.format(name=node.GetName()), error=True)
            return
        if node.GetID() in [other.GetID() for other, _weight in others]:
            status.show(_("{name} is in the list already.").format(name=node.GetName()), error=True)
            return
        status.show("")
        self._store(self.reference_weight(), [*others, (node, 1.0)])
        self.ui.fusionSelector.setCurrentNode(None)

    def on_remove(self, _checked: bool = False) -> None:
        """Take the selected row out, or the last one where none is selected."""
        if self.parameters is None:
            return
        others, row = self.others(), self.ui.fusionTable.currentRow()
        if row == 0:
            self._status.show(_("The reference is the input volume; choose another one under Inputs."))
        elif others:
            others.pop(row - 1 if 0 < row <= len(others) else -1)
            self._store(self.reference_weight(), others)
