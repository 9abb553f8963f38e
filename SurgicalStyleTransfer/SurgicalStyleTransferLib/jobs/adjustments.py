"""What is adjusted about a translation beside its strength, and how it is put to the worker."""

from __future__ import annotations

from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.worker.exchange import Exchange


@dataclass(frozen=True)
class Adjustments:
    """structure_guard_mm: 0 for none. match_id: volume node, by ID, "" for none. match_by: "histogram" or "moments".
    least_consistency: None unless the strength is chosen by it. flatten_bias and ensemble act before the network."""

    structure_guard_mm: float = 0.0
    match_id: str = ""
    match_by: str = "histogram"
    least_consistency: float | None = None
    flatten_bias: bool = False
    ensemble: bool = False

    def after_network(self) -> tuple:
        """What can change without running the network again; equal where nothing of it differs."""
        return self.structure_guard_mm, self.match_id, self.match_id and self.match_by, self.least_consistency

    def message(self, exchange: Exchange, with_network: bool = True) -> dict:
        """For the worker's "translate", or without ``with_network`` for "adjust".

        Raises ValueError and OSError where the volume to match cannot be uploaded.
        """
        found: dict = {
            "structure_guard_mm": self.structure_guard_mm or None,
            "least_consistency": self.least_consistency,
        }
        if self.match_id:
            node = slicer.mrmlScene.GetNodeByID(self.match_id)
            if node is None or node.GetImageData() is None:
                raise ValueError(_("The volume to match to is gone or empty; nothing was written."))
            found.update(match=exchange.upload(node, outputs.modality_of(node)), match_by=self.match_by)
        if with_network:
            found.update(flatten_bias=self.flatten_bias, ensemble=self.ensemble)
        return found


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
