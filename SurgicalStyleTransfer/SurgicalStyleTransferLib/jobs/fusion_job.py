"""One press of Fuse: upload, fuse in the worker, and only then an output node."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange


@dataclass
class FusionPlan:
    """What is to be fused; nodes by ID, the reference first, for they may be gone when it ends. model: folder of the
    model of the method "learned", whose inputs are the nodes in their order."""

    node_ids: list[str]
    weights: list[float]
    method: str = "pyramid"
    register: bool = True
    model: str = ""


@dataclass
class FusionResult:
    """A finished fusion. figures: as of the engine's ``fusion_quality``, {} where nothing could be judged."""

    plan: FusionPlan
    output_id: str
    figures: dict
    seconds: float
    warnings: list[str] = field(default_factory=list)


def why_not(nodes: list[object | None], weights: list[float]) -> str:
    """The reason why nodes (the reference first) cannot be fused, or ""."""
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


class FusionRun:
    """Runs a plan without blocking. Exactly one of ``on_done`` and ``on_error`` is called."""

    def __init__(
        self,
        client: WorkerClient,
        exchange: Exchange,
        plan: FusionPlan,
        on_done: Callable[[FusionResult], None],
        on_error: Callable[[str, str], None],
        on_progress: Callable[[str, int, int], None],
    ) -> None:
        self.plan = plan
        self._client, self._exchange = client, exchange
        self._on_done, self._on_error, self._on_progress = on_done, on_error, on_progress
        self._files: list[str] = []
        self._request: int | None = None
        self._ended = False
        self._started = time.monotonic()

    def start(self) -> None:
        """Begin; what cannot be uploaded is reported the same way as later failures."""
        nodes = [slicer.mrmlScene.GetNodeByID(node_id) for node_id in self.plan.node_ids]
        messages = []
        try:
            for node in nodes:
                # As the reference sees them: where they are seen in the views, whatever transforms moved them there.
                relative = nodes[0] if node is not nodes[0] else None
                messages.append(self._exchange.upload_once(node, outputs.modality_of(node), relative))
                self._files.append(messages[-1]["file"])
        except (ValueError, OSError) as error:
            self._fail("bad_input", str(error))
            return
        self._output = self._exchange.new_path("fused")
        self._files.append(str(self._output))
        self._request = self._client.request(
            "fuse",
            self._on_result,
            self._fail,
            self._on_progress,
            volumes=messages,
            output=str(self._output),
            method=self.plan.method,
            weights=self.plan.weights,
            register="auto" if self.plan.register else "none",
            model=self.plan.model,
        )

    def cancel(self) -> None:
        if self._request is not None and not self._ended:
            self._client.cancel(self._request)

    def abandon(self, message: str) -> None:
        """Stop because a node is gone; the answer that still comes is not waited for."""
        if not self._ended:
            self.cancel()
            self._fail("abandoned", message)

    def _on_result(self, answer: dict) -> None:
        if self._ended:
            self._discard()
            return
        try:
            nodes = [slicer.mrmlScene.GetNodeByID(node_id) for node_id in self.plan.node_ids]
            node = write_fused(nodes, self._exchange.take(self._output), self.plan, answer)
        except (ValueError, OSError, RuntimeError) as error:
            self._fail("failed", str(error))
            return
        self._ended = True
        self._discard()
        seconds = time.monotonic() - self._started
        self._on_done(FusionResult(self.plan, node.GetID(), answer["figures"], seconds, answer["warnings"]))

    def _fail(self, code: str, message: str) -> None:
        # Also the answer to a cancel after the run was abandoned: only then are the files no longer read.
        if code != "abandoned":
            self._discard()
        if not self._ended:
            self._ended = True
            self._on_error(code, message)

    def _discard(self) -> None:
        for path in self._files:
            self._exchange.discard(path)


def fused_name(names: list[str]) -> str:
    """'T1 + T2 (fused)', unused in the scene."""
    name = _("{names} (fused)").format(names=" + ".join(names))
    return slicer.mrmlScene.GenerateUniqueName(name) if slicer.mrmlScene.GetFirstNodeByName(name) else name


def write_fused(nodes: list[object], array: object, plan: FusionPlan, answer: dict) -> object:
    """A new volume on exactly the grid of the first node, marked as made; returns it."""
    reference, names = nodes[0], [node.GetName() for node in nodes]
    if plan.model:
        listed = ", ".join(names)
    else:
        shares = [f"{100 * weight:.0f} %" for weight in answer["weights"]]
        listed = ", ".join(f"{name} ({share})" for name, share in zip(names, shares, strict=True))
    notes = {
        **answer["notes"],
        "FusionMethod": plan.method,
        "FusionInputs": listed,
        "FusionRegistration": "auto" if plan.register else "none",
    }
    if plan.model:
        text = _(
            "Synthetic {target} image made from {volumes} by the style {model}, weights {digest}, on the grid of "
            "{reference}. Not acquired. {use}"
        ).format(
            target=notes["SyntheticTo"],
            volumes=listed,
            model=notes["StyleModel"],
            digest=notes["StyleModelSHA256"][:12],
            reference=names[0],
            use=notes["IntendedUse"],
        )
    else:
        text = _(
            "Fused image made from {volumes} by {method} fusion, on the grid and in the range of {reference}. Not "
            "acquired. {use}"
        ).format(volumes=listed, method=plan.method, reference=names[0], use=notes["IntendedUse"])
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", fused_name(names))
    slicer.util.updateVolumeFromArray(node, array)
    mrml_geometry.copy(reference, node)
    for key, value in notes.items():
        node.SetAttribute(outputs.ATTRIBUTE_PREFIX + key, value)
    node.SetDescription(text)
    node.SetNodeReferenceID(outputs.INPUT_ROLE, reference.GetID())
    _show(node, answer["range"])
    outputs.place_beside(node, reference)
    return node


def _show(node: object, value_range: list[float]) -> None:
    """In greys, with a window over the values: the reference's would hide what only the others show."""
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if display is None:
        return
    grey = "vtkMRMLColorTableNodeGrey"
    if slicer.mrmlScene.GetNodeByID(grey):
        display.SetAndObserveColorNodeID(grey)
    low, high = value_range
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(max(high - low, 1e-3), (low + high) / 2)
