"""The calibrated error bound as a volume: its overlay, and its value under the mouse."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.metrics_job import Verdict
from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs

from .. import metrics_table
from ..context import existing
from .probe import Probe

LIMIT_ATTRIBUTE = outputs.ATTRIBUTE_PREFIX + "ErrorBoundLimit"
FAINTEST = 0.25  # of the limit, from which the overlay is drawn


class BoundMap:
    """The node of the latest bound, shown over its image where that is wished."""

    def __init__(self, ui: object) -> None:
        self._box = ui.boundCheckBox
        self._node_id, self._result_id = "", ""
        self._probe = Probe(ui.probeLabel)
        self.is_shown = False

    def update(self) -> None:
        """Whether there is a bound to show, and why not."""
        has_bound = existing(self._node_id) is not None
        self._box.enabled = has_bound
        self._box.toolTip = (
            _("Overlay of the calibrated error bound: nine of ten voxels are expected within it.")
            if has_bound
            else _("There is no calibrated error bound of this image.")
        )

    def follow(self, parameters: object) -> None:
        """Show or hide the overlay."""
        node = existing(self._node_id)
        is_wanted = node is not None and parameters.showErrorBound
        if is_wanted != self.is_shown:
            self.is_shown = is_wanted
            if is_wanted:
                metrics_table.show_map(node, existing(self._result_id))
            else:
                metrics_table.hide_map(self._node_id)

    def take(self, verdict: Verdict, result: object, source: object | None) -> None:
        """Keep the bound of an image in its node, or remove the node that is there where there is none.

        Args:
            verdict: on the image.
            result: node of the image.
            source: node of the input, on whose grid the bound lies.
        """
        if verdict.bound_map is None or source is None:
            self.remove()
            return
        limit = verdict.metrics["verdict"]["bound"]["limit"]
        node = existing(self._node_id)
        if node is None:
            name = _("{name} error bound").format(name=result.GetName())
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
            outputs.place_beside(node, result)
        slicer.util.updateVolumeFromArray(node, verdict.bound_map)
        mrml_geometry.copy(source, node)
        node.SetDescription(
            _("Nine of ten voxels are expected within this of the real image, in its units; negative: not bounded.")
        )
        node.SetAttribute(LIMIT_ATTRIBUTE, f"{limit:g}")
        _show_up_to(node, limit)
        self._node_id, self._result_id = node.GetID(), result.GetID()
        self._probe.look_at(result, node, limit)

    def node_removed(self, node_id: str) -> None:
        """The bound goes with its image."""
        if node_id == self._node_id:
            self.clear()
        elif node_id == self._result_id:
            self.remove()

    def clear(self) -> None:
        """Forget the node, which stays in the scene."""
        self._probe.look_at(None, None, 0)
        self._node_id, self._result_id, self.is_shown = "", "", False

    def remove(self) -> None:
        """Take the bound out of the scene."""
        node = existing(self._node_id)
        if self.is_shown:
            metrics_table.hide_map(self._node_id)
        self.clear()
        if node is not None:
            outputs.remove_volume(node)


def _show_up_to(node: object, limit: float) -> None:
    """Colours up to the limit from which nothing can be trusted, nothing where the bound is small."""
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if display is None:
        return
    if slicer.mrmlScene.GetNodeByID(metrics_table.MAP_COLOURS):
        display.SetAndObserveColorNodeID(metrics_table.MAP_COLOURS)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, limit)
    display.SetThreshold(FAINTEST * limit, 1e9)
    display.SetApplyThreshold(True)
