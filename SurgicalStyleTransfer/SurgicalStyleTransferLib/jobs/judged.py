"""What metrics are of: which image, made how, judged where and against what; and what has changed since."""

from __future__ import annotations

from dataclasses import dataclass, replace

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs, regions

from .adjustments import Adjustments, of_parameters
from .style_job import Result


@dataclass(frozen=True)
class Judged:
    """The image that was judged, as far as it can change.

    Attributes:
        output_id: node of the image.
        name: of the node then.
        description: of the node then, which says how the image was made.
        run: key of the run that made it.
        strength: as asked for; None where it was chosen automatically.
        adjustments: of the image.
        region: that it was made with.
        reference: name of the volume it was compared with, or "".
        reference_state: equal as long as the reference is the same, in the same place.
        used_strength: blend of the image, also where it was chosen automatically.
    """

    output_id: str
    name: str
    description: str
    run: str
    strength: float | None
    adjustments: Adjustments
    region: regions.RegionState
    reference: str
    reference_state: tuple
    used_strength: float

    def changes_until(self, now: Judged) -> list[str]:
        """What is different now, in words; [] as long as the metrics are those of the present choices."""
        strengths = self.strength, now.strength
        same_strength = strengths[0] == strengths[1] or (
            None not in strengths and abs(strengths[0] - strengths[1]) <= 1e-6
        )
        changes = [
            (_("the result"), (self.output_id, self.run) != (now.output_id, now.run)),
            (_("the strength"), not same_strength),
            (_("the adjustments"), self.adjustments.everything() != now.adjustments.everything()),
            (_("the region"), self.region.state != now.region.state),
            (_("the reference"), self.reference_state != now.reference_state),
        ]
        return [text for text, is_changed in changes if is_changed]

    def about(self) -> dict[str, str]:
        """Titles and texts for people."""
        strength = f"{self.used_strength:.2f}"
        if self.strength is None:
            strength = _("{strength} (chosen automatically)").format(strength=strength)
        return {
            _("Strength"): strength,
            _("Region"): self.region.title or _("whole volume"),
            _("Adjustments"): self.adjustments.describe() or _("none"),
            _("Reference"): self.reference or _("none"),
        }


def of_result(result: Result, reference: object | None) -> Judged:
    """The image that the worker has made last for a result, judged against a reference volume (or None)."""
    automatic = result.adjustments.least_consistency is not None
    source = slicer.mrmlScene.GetNodeByID(result.plan.input_id)
    node = slicer.mrmlScene.GetNodeByID(result.output_id)
    return Judged(
        output_id=result.output_id,
        name=node.GetName() if node is not None else "",
        description=node.GetDescription() if node is not None else "",
        run=result.keys[0],
        strength=None if automatic else result.strength,
        adjustments=result.adjustments,
        region=result.region,
        reference=reference.GetName() if reference is not None else "",
        reference_state=_volume_state(reference, source),
        used_strength=result.strength if result.used_strength is None else result.used_strength,
    )


def of_parameters_now(parameters: object, results: dict[str, Result], before: Judged) -> Judged:
    """What would be judged now, if the panel's choices were applied.

    Args:
        parameters: the parameter node.
        results: of the engine, by the ID of their nodes.
        before: what was judged; where the engine knows no result any more, its image is the one that was judged.
    """
    node = parameters.resultVolume
    result = results.get(node.GetID()) if node is not None else None
    source = node.GetNodeReference(outputs.INPUT_ROLE) if node is not None else None
    region = before.region
    if source is not None:
        region = regions.state(parameters.region, parameters.segment, source)
    elif parameters.region is None:
        region = regions.WHOLE_VOLUME
    return replace(
        before,
        output_id=node.GetID() if node is not None else "",
        run=result.keys[0] if result is not None and result.keys else before.run,
        strength=None if parameters.automaticStrength else parameters.strength,
        adjustments=of_parameters(parameters),
        region=region,
        reference_state=_volume_state(parameters.referenceVolume, source),
    )


def _volume_state(node: object | None, source: object | None) -> tuple:
    if node is None or node.GetImageData() is None:
        return ()
    place = mrml_geometry.place(node, source) if source is not None else ()
    return node.GetID(), node.GetImageData().GetMTime(), place
