"""One press of Register: upload two volumes, register in the worker, and only then change the scene."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.mrml.registered import Registered, put_under
from SurgicalStyleTransferLib.setup.model_cards import Card
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .job import Job, Listener


@dataclass
class RegisterPlan:
    """What is to be registered.

    Attributes:
        moving_id: volume by ID; it may be gone when the job ends.
        fixed_id: the one that it is laid over.
        kind: of the worker: "rigid", "affine" or "deformable".
        card: the style through whose translation; None for mutual information alone.
    """

    moving_id: str
    fixed_id: str
    kind: str = "rigid"
    card: Card | None = None

    @property
    def node_ids(self) -> tuple[str, str]:
        """Of both volumes."""
        return self.moving_id, self.fixed_id


@dataclass
class RegisterResult:
    """A finished registration.

    Attributes:
        plan: what was to be done.
        registered: what it has put into the scene.
        output_id: the moved volume's copy on the fixed one's grid.
        sentence: how it was registered.
        figures: of the worker.
        warnings: one sentence each.
        seconds: from Register to the result.
    """

    plan: RegisterPlan
    registered: Registered
    output_id: str
    sentence: str
    figures: dict
    seconds: float
    warnings: list[str] = field(default_factory=list)


def why_not(moving: object | None, fixed: object | None) -> str:
    """The reason why volumes cannot be registered, or ""."""
    if moving is None:
        return _("Select an input volume; it is the one that is moved.")
    if fixed is None:
        return _("Select the volume to register to.")
    if moving is fixed:
        return _("Select another volume than the input to register to.")
    for node in (moving, fixed):
        image = node.GetImageData()
        if image is None or image.GetNumberOfPoints() == 0:
            return _("{name} is empty.").format(name=node.GetName())
        if image.GetNumberOfScalarComponents() != 1:
            return _("{name} is in colour; registration takes greyscale volumes.").format(name=node.GetName())
    return ""


class RegisterJob(Job):
    """Runs a plan; its outcome is a ``RegisterResult``."""

    def __init__(self, client: WorkerClient, exchange: Exchange, plan: RegisterPlan, listener: Listener) -> None:
        super().__init__(client, exchange, listener)
        self.plan = plan
        self._output: Path | None = None
        self._displacement: Path | None = None

    def _nodes(self) -> list[object]:
        return [slicer.mrmlScene.GetNodeByID(node_id) for node_id in self.plan.node_ids]

    def _begin(self) -> None:
        moving, fixed = self._nodes()
        # As the fixed volume sees it: where it is seen in the views, whatever transforms moved it there.
        messages = [
            self._exchange.upload_once(moving, outputs.modality_of(moving), fixed),
            self._exchange.upload_once(fixed, outputs.modality_of(fixed)),
        ]
        self._files += [message["file"] for message in messages]
        self._output, self._displacement = self._new_file("registered"), self._new_file("displacement")
        self._ask(
            "register",
            self._on_registered,
            moving=messages[0],
            fixed=messages[1],
            output=str(self._output),
            displacement=str(self._displacement),
            model="" if self.plan.card is None else str(self.plan.card.folder),
            kind=self.plan.kind,
        )

    def _on_registered(self, answer: dict) -> None:
        moving, fixed = self._nodes()
        displacement = None
        if answer["displacement"] is not None:
            displacement = np.load(self._displacement, allow_pickle=False)
        name = _("{moving} to {fixed}").format(moving=moving.GetName(), fixed=fixed.GetName())
        output = _write_moved(moving, fixed, self._exchange.take(self._output))
        registered = put_under(moving, fixed, name, answer, displacement)
        registered.output_id = output.GetID()
        sentence, figures = answer["sentence"], answer["figures"]
        self._finish(
            RegisterResult(
                self.plan, registered, output.GetID(), sentence, figures, self.seconds, list(answer["warnings"])
            )
        )


def _write_moved(moving: object, fixed: object, array: np.ndarray) -> object:
    """The moved volume on exactly the fixed one's grid: a copy, for the checkerboard and for other programs."""
    name = _("{name} (registered)").format(name=moving.GetName())
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(name))
    slicer.util.updateVolumeFromArray(node, array)
    mrml_geometry.copy(fixed, node)
    node.SetNodeReferenceID(outputs.INPUT_ROLE, fixed.GetID())
    if outputs.is_synthetic(moving):
        outputs.set_notes(node, outputs.notes_of(moving))
    node.CreateDefaultDisplayNodes()
    outputs.place_beside(node, fixed)
    return node
