"""Where the runs of a careful translation disagree, as an overlay on the slice views."""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.style_job import Result
from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs

from ..context import Context, Section, existing

NAME_ATTRIBUTE = outputs.ATTRIBUTE_PREFIX + "Map"  # marks a map, so that it is no volume to translate
COLOURS = "vtkMRMLColorTableNodeFileColdToHotRainbow.txt"
LOWEST, HIGHEST = 0.05, 0.5  # of normalised intensities, range 2; below it nothing is shown


class DisagreementSection(Section):
    """Keeps one map, of the latest result that was averaged over several runs."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._map_id = self._of = ""
        self._is_shown = False
        self.ui.disagreementCheckBox.connect("toggled(bool)", lambda checked: self.follow())
        context.translated.connect(self._on_translated)

    def update(self) -> None:
        """Offer the map of the latest result, if it has one."""
        box, node = self.ui.disagreementCheckBox, self.parameters.resultVolume
        has_map = node is not None and node.GetID() == self._of and existing(self._map_id) is not None
        box.enabled = has_map
        box.toolTip = (
            _("Where planes and the runs of the ensemble gave different values; the result is their mean.")
            if has_map
            else _("Apply a style the careful way first.")
        )
        if not has_map and box.checked:
            box.checked = False

    def follow(self) -> None:
        """Show or hide the map."""
        node = existing(self._map_id)
        is_wished = node is not None and self.ui.disagreementCheckBox.checked
        if is_wished == self._is_shown:
            return
        self._is_shown = is_wished
        if is_wished:
            slicer.util.setSliceViewerLayers(background=existing(self._of), foreground=node, foregroundOpacity=0.6)
        else:
            for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
                if composite.GetForegroundVolumeID() == self._map_id:
                    composite.SetForegroundVolumeID(None)

    def node_removed(self, node: object) -> None:
        """A map goes with its result."""
        if node.GetID() in (self._map_id, self._of):
            self._is_shown, self._of = False, ""

    def scene_closing(self) -> None:
        """Forget the map."""
        self._map_id, self._of, self._is_shown = "", "", False

    def _on_translated(self, result: Result) -> None:
        if result.disagreement is None:
            return
        node, source = existing(result.output_id), existing(result.plan.input_id)
        if node is not None and source is not None:
            self._map_id = self._write(result.disagreement, node, source).GetID()
            self._of = result.output_id

    def _write(self, array: np.ndarray, result: object, source: object) -> object:
        """The map as a volume node, the earlier one if it is still there."""
        node = existing(self._map_id)
        if node is None:
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "")
            outputs.place_beside(node, result)
        node.SetName(_("{name} disagreement").format(name=result.GetName()))
        node.SetAttribute(NAME_ATTRIBUTE, "disagreement")
        node.SetDescription(
            _("Standard deviation over planes and runs, normalised intensities, range 2. Not an image.")
        )
        slicer.util.updateVolumeFromArray(node, array.astype(np.float32))
        mrml_geometry.copy(source, node)
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        if display is not None:
            if existing(COLOURS):
                display.SetAndObserveColorNodeID(COLOURS)
            display.SetAutoWindowLevel(False)
            display.SetWindowLevelMinMax(0, HIGHEST)
            display.SetThreshold(LOWEST, 2.0)
            display.SetApplyThreshold(True)
        return node
