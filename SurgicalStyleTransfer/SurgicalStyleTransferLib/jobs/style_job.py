"""One press of Apply: upload, translate (frame by frame for a sequence), and only then an output node."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs, regions, sequences
from SurgicalStyleTransferLib.setup.model_cards import Card
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .adjustments import Adjustments


@dataclass
class Plan:
    """What a run is to do; nodes by ID, for they may be gone when it ends."""

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


@dataclass
class Result:
    """A finished run. keys: of the translations that the worker keeps, one a frame. strength: as asked for;
    used_strength and consistency: of the first frame, where the strength was chosen automatically (else None)."""

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


@dataclass
class Progress:
    """stage: "load" or "translate". seconds_left: None while nobody can tell."""

    stage: str
    done: int
    total: int
    frame: int
    frames: int
    seconds_left: float | None


class StyleRun:
    """Runs a plan without blocking. Exactly one of ``on_done`` and ``on_error`` is called."""

    def __init__(
        self,
        client: WorkerClient,
        exchange: Exchange,
        plan: Plan,
        on_done: Callable[[Result], None],
        on_error: Callable[[str, str], None],
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.plan = plan
        self._client, self._exchange = client, exchange
        self._on_done, self._on_error = on_done, on_error
        self._on_progress = on_progress or (lambda progress: None)
        self._frames: list[object] = []
        self._answers: list[dict] = []
        self._paths: list[Path] = []
        self._keys: list[str] = []
        self._mask: dict | None = None
        self._region: object | None = None  # a labelmap, handed over with every frame: the exchange keeps only a few
        self._request: int | None = None
        self._ended = False
        self._first_batch: tuple[float, int] | None = None
        self._started = time.monotonic()

    def start(self) -> None:
        """Begin; failures before the first request are reported the same way as later ones."""
        node = slicer.mrmlScene.GetNodeByID(self.plan.input_id)
        try:
            self._frames = sequences.frames(node) if self.plan.all_frames else [node]
            if self.plan.region_id:
                region = slicer.mrmlScene.GetNodeByID(self.plan.region_id)
                if not region.IsA("vtkMRMLSegmentationNode"):
                    self._region = region
                self._mask = regions.upload(self._exchange, region, self.plan.segment, node)
        except (ValueError, OSError) as error:
            self._fail("bad_input", str(error))
            return
        self._next()

    def cancel(self) -> None:
        if self._request is not None and not self._ended:
            self._client.cancel(self._request)

    def abandon(self, message: str) -> None:
        """Stop because a node is gone; the answer that still comes is not waited for."""
        if not self._ended:
            self.cancel()
            self._fail("abandoned", message)

    def _next(self) -> None:
        index = len(self._answers)
        node = self._frames[index]
        path = self._exchange.new_path("output")
        plan = self.plan
        try:
            modality = outputs.modality_of(slicer.mrmlScene.GetNodeByID(plan.input_id))
            adjustments = plan.adjustments.message(self._exchange)
            if self._region is not None:
                source = slicer.mrmlScene.GetNodeByID(plan.input_id)
                self._mask = regions.upload(self._exchange, self._region, plan.segment, source)
            volume = self._exchange.upload(node, modality)
        except (ValueError, OSError) as error:
            self._fail("bad_input", str(error))
            return
        key = path.stem
        self._keys.append(key)
        self._paths.append(path)
        self._request = self._client.request(
            "translate",
            self._on_frame,
            self._fail,
            self._on_message,
            volume=volume,
            model=str(plan.card.folder),
            output=str(path),
            keep=key,
            direction=plan.direction,
            strength=plan.strength,
            mask=self._mask,
            planes=plan.planes,
            device=plan.device,
            precision=plan.precision,
            batch_size=plan.batch_size,
            adjustments=adjustments,
        )

    def _on_message(self, stage: str, done: int, total: int) -> None:
        left = None
        if stage == "translate" and total:
            index, frames = len(self._answers), len(self._frames)
            now, finished = time.monotonic(), index * total + done
            # The first batch warms up; the pace is measured from its end on.
            if self._first_batch is None:
                self._first_batch = now, finished
            elif finished > self._first_batch[1]:
                pace = (now - self._first_batch[0]) / (finished - self._first_batch[1])
                left = pace * (frames * total - finished)
        self._on_progress(Progress(stage, done, total, len(self._answers) + 1, len(self._frames), left))

    def _on_frame(self, answer: dict) -> None:
        if self._ended:
            return
        self._answers.append(answer)
        if len(self._answers) < len(self._frames):
            self._next()
            return
        try:
            output = self._write()
        except (ValueError, OSError, RuntimeError) as error:
            self._fail("failed", str(error))
            return
        self._ended = True
        answers = self._answers
        warnings = list(dict.fromkeys(text for entry in answers for text in entry["warnings"]))
        self._on_done(
            Result(
                self.plan,
                output.GetID(),
                self._keys,
                self.plan.strength,
                time.monotonic() - self._started,
                sum(entry["slices"] for entry in answers),
                answers[0]["device"],
                answers[0]["backend"],
                answers[0]["precision"],
                warnings,
                self.plan.adjustments,
                answers[0]["strength"],
                answers[0]["consistency"],
            )
        )

    def _write(self) -> object:
        """The output node from complete results."""
        plan = self.plan
        source = slicer.mrmlScene.GetNodeByID(plan.input_id)
        if source is None:
            raise ValueError(_("The input volume was deleted during the run; nothing was written."))
        target = slicer.mrmlScene.GetNodeByID(plan.output_id) if plan.output_id else None
        if plan.output_id and target is None:
            raise ValueError(_("The output volume was deleted during the run; nothing was written."))
        arrays = [self._exchange.take(path) for path in self._paths]
        if not plan.all_frames:
            return outputs.write_volume(source, arrays[0], plan.card, plan.direction, self._answers[0], target)
        side = plan.card.ends_in(plan.direction)
        made = []
        for frame, array, answer in zip(self._frames, arrays, self._answers, strict=True):
            volume = getattr(slicer, outputs.volume_class(side.channels))()
            slicer.util.updateVolumeFromArray(volume, array)
            mrml_geometry.copy(frame, volume)
            outputs.mark(volume, source.GetName(), answer["notes"])
            made.append(volume)
        name = outputs.synthetic_name(source.GetName(), side)
        proxy = sequences.add_sequence(source, made, name)
        proxy.SetName(name)
        proxy.SetAndObserveTransformNodeID(source.GetTransformNodeID())
        outputs.mark(proxy, source.GetName(), self._answers[0]["notes"])
        outputs.show_as(proxy, side, plan.card, self._answers[0]["range"])
        outputs.place_beside(proxy, source)
        return proxy

    def _fail(self, code: str, message: str) -> None:
        if not self._ended:
            self._ended = True
            for path in self._paths:
                self._exchange.discard(path)
            self._on_error(code, message)
