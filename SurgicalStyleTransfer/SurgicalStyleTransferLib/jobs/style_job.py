"""One press of Apply: upload, translate (frame by frame for a sequence), and only then an output node."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import dicom_tags, outputs, overwriting, regions, sequences
from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.setup.model_cards import Card
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .adjustments import Adjustments, of_parameters
from .job import FramewiseJob, Listener, Progress

ALL_PLANES = ("axial", "coronal", "sagittal")


@dataclass
class Plan:
    """What a run is to do; nodes by ID, for they may be gone when it ends.

    Attributes:
        input_id: the volume to translate.
        card: the style.
        direction: "forward" or "backward".
        strength: blend of input (0) and translation (1).
        region_id: segmentation or labelmap outside of which the input stays; "" for the whole volume.
        segment: ID of the region's segment, in a segmentation.
        all_frames: of the sequence that the input is a frame of.
        output_id: volume to overwrite; "" makes a new one.
        planes: of the slices; None for the style's own.
        device: "auto", or a name of the worker's devices.
        precision: "auto", "fp32", "bf16", "fp16" or "int8".
        batch_size: slices at once; None leaves it to the engine.
        adjustments: what is adjusted beside the strength.
        other_ids: the other inputs of a route of several, in its order.
    """

    input_id: str
    card: Card
    direction: str = "forward"
    strength: float = 1.0
    region_id: str = ""
    segment: str = ""
    all_frames: bool = False
    output_id: str = ""
    planes: list[str] | None = None
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    adjustments: Adjustments = Adjustments()
    other_ids: tuple[str, ...] = ()


@dataclass
class Result:
    """A finished run, and how its image was made last.

    Attributes:
        plan: what was to be done.
        output_id: the node of the result.
        keys: of the translations that the worker keeps, one a frame; none of what has no network, such as a look.
        strength: as asked for; another one after adjusting.
        seconds: from Apply to the result.
        slices: how many were translated.
        device, backend, precision: what the worker ran on.
        warnings: of the worker, one sentence each.
        adjustments: of the image; those of the plan until something is adjusted.
        used_strength: of the first frame; another than ``strength`` where it was chosen automatically.
        consistency: of the first frame, where the strength was chosen automatically; else None.
        region: the region that the image was made with.
        disagreement: float32 (z, y, x), normalised intensities: how far the averaged runs differ; None for a single
            run, and for sequences.
        is_unmeasured: whether another way of running the style may be faster here, which ``Engine.measure`` finds out.
        tissues: of a look: the levels of the input's tissues "before" and "after"; {} for a style.
    """

    plan: Plan
    output_id: str
    keys: list[str]
    strength: float
    seconds: float
    slices: int
    device: str
    backend: str
    precision: str
    warnings: list[str] = field(default_factory=list)
    adjustments: Adjustments = Adjustments()
    used_strength: float | None = None
    consistency: float | None = None
    region: regions.RegionState = regions.WHOLE_VOLUME
    disagreement: np.ndarray | None = None
    is_unmeasured: bool = False
    tissues: dict[str, dict[str, float]] = field(default_factory=dict)


def plan_of(parameters: object, card: Card, all_frames: bool, other_ids: tuple[str, ...] = ()) -> Plan:
    """The plan that the panel's parameter node describes.

    Args:
        parameters: the parameter node; its input volume is there.
        card: the style.
        all_frames: whether all frames of a sequence are meant; they make a new sequence, whatever output is chosen.
        other_ids: the other inputs, in the order of the direction.
    """
    output = None if all_frames else parameters.outputVolume
    if card.is_look:  # which is of the whole volume, and taken on wholly
        output_id = output.GetID() if output else ""
        return Plan(parameters.inputVolume.GetID(), card, all_frames=all_frames, output_id=output_id)
    return Plan(
        input_id=parameters.inputVolume.GetID(),
        card=card,
        direction=parameters.direction,
        strength=parameters.strength,
        region_id=parameters.region.GetID() if parameters.region else "",
        segment=parameters.segment,
        all_frames=all_frames,
        output_id=output.GetID() if output else "",
        planes=_planes(parameters, parameters.inputVolume),
        device=parameters.device,
        precision=parameters.precision,
        batch_size=parameters.batchSize or None,
        adjustments=of_parameters(parameters),
        other_ids=other_ids,
    )


def plan_for(parameters: object, card: Card, volume: object) -> Plan:
    """The plan for one of several volumes: as the panel says, without its region, its other inputs and its output.

    Args:
        parameters: the parameter node.
        card: the style.
        volume: the volume to translate.
    """
    if card.is_look:
        return Plan(volume.GetID(), card)
    return Plan(
        input_id=volume.GetID(),
        card=card,
        direction=card.alone(parameters.direction),
        strength=parameters.strength,
        planes=_planes(parameters, volume),
        device=parameters.device,
        precision=parameters.precision,
        batch_size=parameters.batchSize or None,
        adjustments=of_parameters(parameters),
    )


def _planes(parameters: object, volume: object) -> list[str] | None:
    """All planes where it is averaged over them, also by an ensemble for which no single one was chosen."""
    if parameters.plane:
        return list(ALL_PLANES) if parameters.plane == "all" else [parameters.plane]
    is_one_slice = volume.GetImageData().GetDimensions()[2] == 1
    return list(ALL_PLANES) if parameters.ensemble and not is_one_slice else None


class StyleJob(FramewiseJob):
    """Runs a plan; its outcome is a ``Result``."""

    def __init__(self, client: WorkerClient, exchange: Exchange, plan: Plan, listener: Listener) -> None:
        super().__init__(client, exchange, listener)
        self.plan = plan
        self._frames: list[object] = []
        self._paths: list[Path] = []
        self._keys: list[str] = []
        self._mask: dict | None = None
        self._labelmap: object | None = None  # handed over with every frame: the exchange keeps only a few files
        self._region = regions.WHOLE_VOLUME
        self._first_batch: tuple[float, int] | None = None
        self._disagreement: Path | None = None

    def _frame_count(self) -> int:
        return len(self._frames)

    def _begin(self) -> None:
        plan, source = self.plan, self._source()
        self._frames = sequences.frames(source) if plan.all_frames else [source]
        if plan.region_id:
            region = slicer.mrmlScene.GetNodeByID(plan.region_id)
            self._region = regions.state(region, plan.segment, source)
            if region.IsA("vtkMRMLSegmentationNode"):
                self._mask = regions.upload(self._exchange, region, plan.segment, source)
            else:
                self._labelmap = region
        super()._begin()

    def _source(self) -> object:
        source = slicer.mrmlScene.GetNodeByID(self.plan.input_id)
        if source is None:
            raise ValueError(_("The input volume was deleted during the run; nothing was written."))
        return source

    def _ask_frame(self, index: int) -> None:
        plan, source = self.plan, self._source()
        path = self._new_file("output")
        adjustments = plan.adjustments.message(self._exchange)
        if self._labelmap is not None:
            self._mask = regions.upload(self._exchange, self._labelmap, plan.segment, source)
        others = self._upload_others(source)
        volume = self._exchange.upload(self._frames[index], outputs.modality_of(source))
        if not plan.all_frames:
            self._disagreement = self._new_file("disagreement")
        self._paths.append(path)
        self._keys.append(path.stem)
        self._ask(
            "translate",
            self._on_frame,
            volume=volume,
            others=others,
            model=str(plan.card.folder),
            output=str(path),
            keep=path.stem,
            disagreement=None if self._disagreement is None else str(self._disagreement),
            direction=plan.direction,
            strength=plan.strength,
            mask=self._mask,
            planes=plan.planes,
            device=plan.device,
            precision=plan.precision,
            batch_size=plan.batch_size,
            adjustments=adjustments,
        )

    def _others(self) -> list[object]:
        nodes = [slicer.mrmlScene.GetNodeByID(node_id) for node_id in self.plan.other_ids]
        if any(node is None or node.GetImageData() is None for node in nodes):
            raise ValueError(_("A volume beside the input was deleted or is empty; nothing was written."))
        return nodes

    def _upload_others(self, source: object) -> list[dict]:
        """The other inputs where the first one sees them, whatever transforms moved them there."""
        messages = [self._exchange.upload_once(node, outputs.modality_of(node), source) for node in self._others()]
        self._files += [message["file"] for message in messages]
        return messages

    def _on_message(self, stage: str, done: int, total: int) -> None:
        index, frames = self.frames_done, self._frame_count()
        left = self._seconds_left(index * total + done, frames * total) if stage == "translate" and total else None
        self._tell(Progress(stage, done, total, index + 1, frames, left))

    def _seconds_left(self, done: int, total: int) -> float | None:
        now = time.monotonic()
        # The first batch warms up; the pace is measured from its end on.
        if self._first_batch is None:
            self._first_batch = now, done
        elif done > self._first_batch[1]:
            return (now - self._first_batch[0]) / (done - self._first_batch[1]) * (total - done)
        return None

    def _all_answered(self) -> None:
        output = self._write()
        answers, first = self._answers, self._answers[0]
        self._finish(
            Result(
                plan=self.plan,
                output_id=output.GetID(),
                keys=self._keys,
                strength=self.plan.strength,
                seconds=self.seconds,
                slices=sum(answer["slices"] for answer in answers),
                device=first["device"],
                backend=first["backend"],
                precision=first["precision"],
                warnings=list(dict.fromkeys(text for answer in answers for text in answer["warnings"])),
                adjustments=self.plan.adjustments,
                used_strength=first["strength"],
                consistency=first["consistency"],
                region=self._region,
                disagreement=self._take_disagreement(),
                is_unmeasured=bool(first.get("unmeasured")),
            )
        )

    def _take_disagreement(self) -> np.ndarray | None:
        if self._disagreement is None or not self._answers[0].get("has_disagreement"):
            return None
        array = self._exchange.take(self._disagreement)
        return array if array.ndim == 3 else array.mean(axis=-1)

    def _write(self) -> object:
        """The output node from complete results; it refers to the input, also in a saved scene."""
        plan, source = self.plan, self._source()
        target = slicer.mrmlScene.GetNodeByID(plan.output_id) if plan.output_id else None
        if plan.output_id and target is None:
            raise ValueError(_("The output volume was deleted during the run; nothing was written."))
        arrays = [self._exchange.take(path) for path in self._paths]
        if plan.all_frames:
            node = self._write_sequence(source, arrays)
        else:
            if target is not None:
                overwriting.take_over(target, source, plan.card.ends_in(plan.direction))
            node = outputs.write_volume(source, arrays[0], plan.card, plan.direction, self._answers[0], target)
            if plan.other_ids:
                outputs.mark(node, self._source_names(), self._answers[0]["notes"])
        node.SetNodeReferenceID(outputs.INPUT_ROLE, source.GetID())
        return node

    def _source_names(self) -> str:
        return " + ".join(node.GetName() for node in (self._source(), *self._others()))

    def _write_sequence(self, source: object, arrays: list) -> object:
        """A sequence beside the input's, with a proxy of its own; returns the proxy."""
        plan, first = self.plan, self._answers[0]
        side = plan.card.ends_in(plan.direction)
        volumes = []
        for frame, array, answer in zip(self._frames, arrays, self._answers, strict=True):
            volume = getattr(slicer, outputs.volume_class(side.channels))()
            slicer.util.updateVolumeFromArray(volume, array)
            mrml_geometry.copy(frame, volume)
            outputs.mark(volume, self._source_names(), answer["notes"])
            volumes.append(volume)
        name = outputs.synthetic_name(source.GetName(), side)
        proxy = sequences.add_sequence(source, volumes, name)
        proxy.SetName(name)
        proxy.SetAndObserveTransformNodeID(source.GetTransformNodeID())
        for node in (proxy, sequences.browser_of(proxy).GetSequenceNode(proxy)):
            outputs.mark(node, self._source_names(), first["notes"])
        outputs.show_as(proxy, side, plan.card, first["range"])
        outputs.place_beside(proxy, source)
        dicom_tags.set_tags(proxy, side.modality, first["notes"])
        return proxy
