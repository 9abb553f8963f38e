"""What is adjusted about a translation beside its strength, and how it is put to the worker."""

from __future__ import annotations

from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.worker.exchange import Exchange


@dataclass(frozen=True)
class Adjustments:
    """How an image is adjusted.

    Attributes:
        structure_guard_mm: structures below this size come from the input; 0 for none.
        match_id: ID of the volume node whose intensities the image takes on; "" for none.
        match_by: "histogram" or "moments".
        least_consistency: the strength is chosen so that this Semantic Consistency is kept; None for a given strength.
        flatten_bias: remove the input's bias field first; before the network.
        ensemble: average over planes, flips and shifts; before the network.
    """

    structure_guard_mm: float = 0.0
    match_id: str = ""
    match_by: str = "histogram"
    least_consistency: float | None = None
    flatten_bias: bool = False
    ensemble: bool = False

    def after_network(self) -> tuple:
        """What can change without running the network again; equal where nothing of it differs."""
        return self.structure_guard_mm, self.match_id, self.match_id and self.match_by, self.least_consistency

    def everything(self) -> tuple:
        """All of it; equal where nothing differs."""
        return (*self.after_network(), self.flatten_bias, self.ensemble)

    def describe(self) -> str:
        """In words; "" where nothing is adjusted."""
        parts = []
        if self.structure_guard_mm:
            parts.append(_("structure guard {size:g} mm").format(size=self.structure_guard_mm))
        if self.match_id:
            node = slicer.mrmlScene.GetNodeByID(self.match_id)
            parts.append(_("matched to {name}").format(name=node.GetName() if node is not None else self.match_id))
        if self.flatten_bias:
            parts.append(_("bias field removed"))
        if self.ensemble:
            parts.append(_("ensemble"))
        return ", ".join(parts)

    def message(self, exchange: Exchange, with_network: bool = True) -> dict:
        """For the worker.

        Args:
            exchange: the volume to match goes there.
            with_network: for the task "translate"; without, for "adjust".

        Raises:
            ValueError: the volume to match is gone, or cannot be described.
            OSError: it cannot be written.
        """
        message: dict = {
            "structure_guard_mm": self.structure_guard_mm or None,
            "least_consistency": self.least_consistency,
        }
        if self.match_id:
            node = slicer.mrmlScene.GetNodeByID(self.match_id)
            if node is None or node.GetImageData() is None:
                raise ValueError(_("The volume to match to is gone or empty; nothing was written."))
            message.update(match=exchange.upload(node, outputs.modality_of(node)), match_by=self.match_by)
        if with_network:
            message.update(flatten_bias=self.flatten_bias, ensemble=self.ensemble)
        return message


def of_parameters(parameters: object) -> Adjustments:
    """As chosen in the panel."""
    match = parameters.matchVolume
    return Adjustments(
        structure_guard_mm=parameters.structureGuard,
        match_id=match.GetID() if match is not None else "",
        match_by=parameters.matchBy,
        least_consistency=parameters.leastConsistency if parameters.automaticStrength else None,
        flatten_bias=parameters.flattenBias,
        ensemble=parameters.ensemble,
    )
