"""The panel's section Adjust, and the list of the worst slices under the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
import vtk
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.adjustments import Adjustments, of_parameters

from .tools import fill, select

if TYPE_CHECKING:
    from SurgicalStyleTransferLib.jobs.style_job import Result

    from .panel import Panel


class AdjustPanel:
    """What the section's widgets say, and where the worst slices are."""

    def __init__(self, panel: Panel) -> None:
        self.panel, self.ui = panel, panel.ui
        self._refused: tuple | None = None
        self._worst: list[dict] = []
        self._worst_of = ""
        ui = self.ui
        fill(ui.matchByComboBox, [(_("Histogram"), "histogram"), (_("Mean and spread"), "moments")])
        ui.matchByComboBox.connect(
            "currentIndexChanged(int)", lambda index: panel._chosen(ui.matchByComboBox, "matchBy")
        )
        ui.worstList.connect("itemClicked(QListWidgetItem*)", self.on_worst)
        ui.worstList.connect("itemActivated(QListWidgetItem*)", self.on_worst)
        self.fill_worst(None, "")

    def wanted(self) -> Adjustments:
        return of_parameters(self.panel.parameters)

    def differs(self, result: Result) -> bool:
        """Whether a result was adjusted otherwise, or its strength chosen otherwise, than the panel says now."""
        wanted = self.wanted()
        if (result.output_id, wanted.after_network()) == self._refused:
            return False
        if wanted.least_consistency is None and abs(result.strength - self.panel.parameters.strength) > 1e-6:
            return True
        return wanted.after_network() != result.adjustments.after_network()

    def refused(self, result: Result) -> None:
        """The worker cannot do what is wanted; it is not asked again until something else is wanted."""
        self._refused = result.output_id, self.wanted().after_network()

    def planes(self) -> list[str] | None:
        """All planes where it is averaged over them and no single one was chosen."""
        parameters = self.panel.parameters
        volume = parameters.inputVolume
        flat = volume is None or volume.GetImageData() is None or volume.GetImageData().GetDimensions()[2] == 1
        if not parameters.ensemble or parameters.plane or flat:
            return None
        return ["axial", "coronal", "sagittal"]

    def update(self) -> None:
        """Everything in the section that follows from parameters and results."""
        ui, parameters = self.ui, self.panel.parameters
        select(ui.matchByComboBox, parameters.matchBy)
        ui.matchByComboBox.enabled = parameters.matchVolume is not None
        ui.consistencySpinBox.enabled = parameters.automaticStrength
        ui.strengthSlider.enabled = not parameters.automaticStrength
        node = parameters.resultVolume
        result = self.panel.engine.results.get(node.GetID()) if node is not None else None
        chosen = result is not None and result.consistency is not None
        ui.adjustNoteLabel.visible = chosen
        ui.adjustNoteLabel.text = (
            _("Strength {strength:.2f} was chosen; it keeps a consistency of {consistency:.3f}.").format(
                strength=result.used_strength, consistency=result.consistency
            )
            if chosen
            else ""
        )

    # Worst slices

    def fill_worst(self, figures: dict | None, output_id: str) -> None:
        """List the worst slices that the figures of an output name."""
        ui = self.ui
        self._worst, self._worst_of = list((figures or {}).get("worst") or []), output_id
        ui.worstList.clear()
        planes = {"axial": _("Axial"), "coronal": _("Coronal"), "sagittal": _("Sagittal")}
        names = {
            "semantic_consistency": _("Semantic Consistency"),
            "look_ahead": _("Look-Ahead"),
            "psnr": _("PSNR"),
        }
        for entry in self._worst:
            ui.worstList.addItem(
                _("{plane} slice {number}: {figure} {value:.3g}").format(
                    plane=planes.get(entry["plane"], entry["plane"]),
                    number=entry["slice"] + 1,
                    figure=names.get(entry["figure"], entry["figure"]),
                    value=entry["value"],
                )
            )
        ui.worstLabel.visible = ui.worstList.visible = bool(self._worst)

    def on_worst(self, item: object) -> None:
        """Centre the slice views on the slice that was clicked."""
        row = self.ui.worstList.row(item)
        node = slicer.mrmlScene.GetNodeByID(self._worst_of) if self._worst_of else None
        if node is not None and 0 <= row < len(self._worst):
            go_to(node, self._worst[row]["position_lps"])


def go_to(node: object, position_lps: list[float]) -> None:
    """Centre every slice view on a place in a volume (mm, LPS, inside its parent transform)."""
    x, y, z = position_lps
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, transform)
    place = transform.TransformPoint(-x, -y, z)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *place, slicer.vtkMRMLSliceNode.CenteredJumpSlice)
