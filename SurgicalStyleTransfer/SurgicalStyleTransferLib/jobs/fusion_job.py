"""One press of Fuse: upload, fuse in the worker, and only then an output node."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import dicom_tags, outputs
from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .job import Job, Listener


@dataclass
class FusionPlan:
    """What is to be fused.

    Attributes:
        node_ids: volumes by ID, the reference first; by ID, for they may be gone when it ends.
        weights: how much each counts.
        method: of the worker: "pyramid", "guided", "detail", "weighted", or "learned".
        register: whether the others are laid over the reference first.
        model: folder of the model of the method "learned", whose inputs are the volumes in their order.
    """

    node_ids: list[str]
    weights: list[float]
    method: str = "pyramid"
    register: bool = True
    model: str = ""


@dataclass
class FusionResult:
    """A finished fusion.

    Attributes:
        plan: what was to be done.
        output_id: the node of the fused volume.
        metrics: as of the engine's ``fusion_quality``; {} where nothing could be judged.
        seconds: from Fuse to the result.
        warnings: of the worker, one sentence each.
    """

    plan: FusionPlan
    output_id: str
    metrics: dict
    seconds: float
    warnings: list[str] = field(default_factory=list)


def why_not(nodes: list[object | None], weights: list[float]) -> str:
    """The reason why volumes cannot be fused, or "".

    Args:
        nodes: the reference first; None for what is not chosen or gone.
        weights: how much each counts.
    """
    if not nodes or nodes[0] is None:
        return _("Select an input volume; it is the reference of the fusion.")
    if len(nodes) < 2:
        return _("Add another volume of the same patient; fusion needs at least two.")
    names = [node.GetName() if node is not None else "" for node in nodes]
    for index, (node, name) in enumerate(zip(nodes, names, strict=True)):
        if node is None or not slicer.mrmlScene.IsNodePresent(node):
            return _("A volume to fuse was deleted; remove it from the list.")
        if node.GetID() in [other.GetID() for other in nodes[:index]]:
            return _("{name} is given twice; fusion needs different volumes.").format(name=name)
        image = node.GetImageData()
        if image is None or image.GetNumberOfPoints() == 0:
            return _("{name} is empty.").format(name=name)
        if image.GetNumberOfScalarComponents() != 1:
            return _("{name} is in colour; fusion takes greyscale volumes.").format(name=name)
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights) > 0:
        return _("Give at least one volume a weight above 0.")
    return ""


class FusionJob(Job):
    """Runs a plan; its outcome is a ``FusionResult``."""

    def __init__(self, client: WorkerClient, exchange: Exchange, plan: FusionPlan, listener: Listener) -> None:
        super().__init__(client, exchange, listener)
        self.plan = plan
        self._output: Path | None = None

    def _nodes(self) -> list[object]:
        return [slicer.mrmlScene.GetNodeByID(node_id) for node_id in self.plan.node_ids]

    def _begin(self) -> None:
        nodes, plan = self._nodes(), self.plan
        messages = []
        for node in nodes:
            # As the reference sees them: where they are seen in the views, whatever transforms moved them there.
            relative = nodes[0] if node is not nodes[0] else None
            messages.append(self._exchange.upload_once(node, outputs.modality_of(node), relative))
            self._files.append(messages[-1]["file"])
        self._output = self._new_file("fused")
        self._ask(
            "fuse",
            self._on_fused,
            volumes=messages,
            output=str(self._output),
            method=plan.method,
            weights=plan.weights,
            register="auto" if plan.register else "none",
            model=plan.model,
        )

    def _on_fused(self, answer: dict) -> None:
        node = write_fused(self._nodes(), self._exchange.take(self._output), self.plan, answer)
        self._finish(FusionResult(self.plan, node.GetID(), answer["figures"], self.seconds, answer["warnings"]))


def fused_name(names: list[str]) -> str:
    """'T1 + T2 (fused)', unused in the scene."""
    name = _("{names} (fused)").format(names=" + ".join(names))
    return slicer.mrmlScene.GenerateUniqueName(name) if slicer.mrmlScene.GetFirstNodeByName(name) else name


def write_fused(nodes: list[object], array: np.ndarray, plan: FusionPlan, answer: dict) -> object:
    """A new volume on exactly the grid of the reference, marked as fused.

    Args:
        nodes: the volumes that were fused, the reference first.
        array: (z, y, x).
        plan: what was to be done.
        answer: what the worker said of it.

    Returns:
        The new node.
    """
    reference, names = nodes[0], [node.GetName() for node in nodes]
    listed = ", ".join(names)
    if not plan.model:
        shares = [f"{100 * weight:.0f} %" for weight in answer["weights"]]
        listed = ", ".join(f"{name} ({share})" for name, share in zip(names, shares, strict=True))
    notes = {
        **answer["notes"],
        "FusionMethod": plan.method,
        "FusionInputs": listed,
        "FusionRegistration": "auto" if plan.register else "none",
    }
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", fused_name(names))
    slicer.util.updateVolumeFromArray(node, array)
    mrml_geometry.copy(reference, node)
    outputs.set_notes(node, notes)
    node.SetDescription(_description(notes, listed, names[0], is_learned=bool(plan.model)))
    node.SetNodeReferenceID(outputs.INPUT_ROLE, reference.GetID())
    node.CreateDefaultDisplayNodes()
    # The reference's window would hide what only the others show.
    outputs.show_in_greys(node, answer["range"])
    outputs.place_beside(node, reference)
    modalities = {outputs.modality_of(volume) for volume in nodes}
    dicom_tags.set_tags(node, modalities.pop() if len(modalities) == 1 else "", notes)
    return node


def _description(notes: dict[str, str], volumes: str, reference: str, is_learned: bool) -> str:
    if not is_learned:
        return _(
            "Fused image made from {volumes} by {method} fusion, on the grid and in the range of {reference}. Not "
            "acquired. {use}"
        ).format(volumes=volumes, method=notes["FusionMethod"], reference=reference, use=notes["IntendedUse"])
    return _(
        "Synthetic {target} image made from {volumes} by the style {model}, weights {digest}, on the grid of "
        "{reference}. Not acquired. {use}"
    ).format(
        target=notes["SyntheticTo"],
        volumes=volumes,
        model=notes["StyleModel"],
        digest=notes["StyleModelSHA256"][:12],
        reference=reference,
        use=notes["IntendedUse"],
    )
