"""What the panel does, usable from scripts without it: apply, adjust, judge, fuse, and small questions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml.saved_files import SavedFiles
from SurgicalStyleTransferLib.setup import dependencies
from SurgicalStyleTransferLib.setup.looks import LookCard
from SurgicalStyleTransferLib.setup.model_cards import Card
from SurgicalStyleTransferLib.setup.models import Models
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from . import judged
from .adaptation import Adaptation
from .adjust_job import AdjustJob
from .adjustments import Adjustments
from .dicom_job import DicomJob
from .fusion_job import FusionJob, FusionPlan
from .job import Job, Listener, Progress
from .look_job import LookJob, MeasuredLooks, SaveLookJob
from .metrics_job import Extent, MetricsJob
from .questions import Questions
from .register_job import RegisterJob, RegisterPlan
from .style_job import Plan, Result, StyleJob

QUICK_SLICES = 24


class Engine(Questions):
    """The worker, the exchanged files, the jobs under way, and the results that can still be adjusted or judged.

    Attributes:
        models: the models on this machine.
        results: by the ID of their nodes.
        style_job, adjust_job, metrics_job, fusion_job, dicom_job, look_job, register_job: what is under way, or None.
        looks: what was measured of looks in this session.
        adaptation: of a style, in a worker of its own.
        style_progress: how far the style is that is being applied; None while nothing is known.
    """

    def __init__(self, command: list[str] | None = None) -> None:
        self.models = Models()
        self.exchange = Exchange()
        self.client = WorkerClient(lambda: self.exchange.folder, command)
        self.client.on_state_changed = self._on_worker_changed
        self._measuring: int | None = None
        self._subscribers: list[Callable[[str], None]] = []
        self.style_progress: Progress | None = None
        self.results: dict[str, Result] = {}
        self.style_job: StyleJob | None = None
        self.adjust_job: AdjustJob | None = None
        self.metrics_job: MetricsJob | None = None
        self.fusion_job: FusionJob | None = None
        self.dicom_job: DicomJob | None = None
        self.look_job: SaveLookJob | None = None
        self.looks = MeasuredLooks()
        self.register_job: RegisterJob | None = None
        self.adaptation = Adaptation(lambda: self._notify("jobs"))
        self._saved_files = SavedFiles(slicer.mrmlScene)
        self._closed = False

    def cards(self) -> list[Card]:
        """The styles on this machine."""
        return self.models.cards()

    def close(self) -> None:
        """End the worker and delete the exchanged files."""
        self._closed = True
        for job in self._jobs():
            if job is not None:
                job.abandon("")
        self.adaptation.close()
        self.client.stop()
        self.exchange.close()
        self._saved_files.close()

    # Jobs

    def apply(self, plan: Plan, listener: Listener) -> None:
        """Apply a style; the outcome is a ``Result``. Raises RuntimeError if one is being applied."""
        if self.style_job is not None:
            raise RuntimeError(_("A style is being applied already."))

        def done(result: Result) -> None:
            self.results[result.output_id] = result
            if result.plan.card.is_look:
                self.looks.remember(result.plan.card)
            listener.on_done(result)

        def progressed(progress: Progress) -> None:
            self.style_progress = progress
            listener.on_progress(progress)
            self._notify("progress")

        self.style_progress = None
        self._start(
            "style_job",
            lambda told: (LookJob if plan.card.is_look else StyleJob)(self.client, self.exchange, plan, told),
            replace(listener, on_done=done, on_progress=progressed),
        )

    def process(self, plan: Plan, timeout: float = 3600) -> Result:
        """Apply a style and wait; Slicer stays alive meanwhile.

        Args:
            plan: what is to be done.
            timeout: in seconds; the worker is ended then.

        Returns:
            The result; its volume is in the scene.

        Raises:
            RuntimeError: with the sentence that the panel would show.
        """
        if dependencies.ensure(**dependencies.needs_of(plan.card)):
            self.client.stop()
        outcome: list = []
        self.apply(plan, Listener(outcome.append, lambda code, message: outcome.append(RuntimeError(message))))
        until = time.monotonic() + timeout
        while not outcome and time.monotonic() < until:
            slicer.app.processEvents()
            time.sleep(0.01)
        if not outcome:
            self.client.stop()
            raise RuntimeError(_("The style took too long."))
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def adjust(
        self, output_id: str, strength: float, listener: Listener, adjustments: Adjustments | None = None
    ) -> None:
        """Blend a result anew, without running the network; the outcome is the ``Result``.

        Judging it, if that is under way, ends: its metrics would be of an image that is gone.

        Args:
            output_id: node of the result.
            strength: blend of input (0) and translation (1).
            listener: whom to tell.
            adjustments: None leaves them as they are.
        """
        if self.metrics_job is not None and self.metrics_job.judged.output_id == output_id:
            self.metrics_job.cancel()
        result = self.results[output_id]

        def make(told: Listener) -> AdjustJob:
            return AdjustJob(
                self.client,
                self.exchange,
                result,
                told,
                strength=strength,
                adjustments=adjustments,
                is_kept=lambda: self.results.get(output_id) is result,
            )

        self._start("adjust_job", make, listener)

    def judge(
        self,
        output_id: str,
        reference: object | None,
        max_slices: int | None,
        listener: Listener,
        sampled: bool = False,
        cycle: bool = True,
    ) -> None:
        """The quality metrics of the image that was made last for a result; the outcome is a ``Verdict``.

        Args:
            output_id: node of the result.
            reference: registered volume of the target domain, or None.
            max_slices: how many slices the cycle metrics are computed on at most; None for all.
            listener: whom to tell.
            sampled: on no more slices than take as long as the translation did.
            cycle: with the cycle metrics, which run the network; the verdict does not rest on them.
        """
        result, target = self.results[output_id], None
        if reference is not None:
            try:
                if reference.GetImageData() is None:
                    raise ValueError(_("The reference is empty."))
                source = slicer.mrmlScene.GetNodeByID(result.plan.input_id)
                target = self.exchange.upload(reference, relative_to=source)
            except (ValueError, OSError) as error:
                listener.on_error("bad_input", str(error))
                return

        def make(told: Listener) -> MetricsJob:
            return MetricsJob(
                self.client,
                self.exchange,
                judged.of_result(result, reference),
                result.keys,
                told,
                reference=target,
                extent=Extent(max_slices, sampled, cycle),
            )

        self._start("metrics_job", make, listener)

    def fuse(self, plan: FusionPlan, listener: Listener) -> None:
        """Fuse volumes; the outcome is a ``FusionResult``. Raises RuntimeError if some are being fused."""
        if self.fusion_job is not None:
            raise RuntimeError(_("Volumes are being fused already."))
        self._start("fusion_job", lambda told: FusionJob(self.client, self.exchange, plan, told), listener)

    def register(self, plan: RegisterPlan, listener: Listener) -> None:
        """Lay a volume over another; the outcome is a ``RegisterResult``. Raises RuntimeError if one is under way."""
        if self.register_job is not None:
            raise RuntimeError(_("A volume is being registered already."))
        self._start("register_job", lambda told: RegisterJob(self.client, self.exchange, plan, told), listener)

    def export_dicom(self, output_id: str, folder: Path, listener: Listener) -> None:
        """Write a result as a DICOM series of its input's study; the outcome is the folder.

        Args:
            output_id: node of the result.
            folder: new folder, missing or empty.
            listener: whom to tell.
        """
        result = self.results[output_id]
        self._start("dicom_job", lambda told: DicomJob(self.client, self.exchange, result, folder, told), listener)

    def save_look(self, card: LookCard, path: Path, listener: Listener) -> None:
        """Save a look, measured first where it was not; the outcome is (what the file holds, warnings)."""

        def done(outcome: tuple[dict, list[str]]) -> None:
            self.looks.remember(replace(card, entry=outcome[0]))
            listener.on_done(outcome)

        self._start(
            "look_job",
            lambda told: SaveLookJob(self.client, self.exchange, card, path, told),
            replace(listener, on_done=done),
        )

    def _start(self, name: str, make: Callable[[Listener], Job], listener: Listener) -> None:
        """Start a job and keep it under a name until it ends; the listener is told when it is no longer there."""

        def over() -> None:
            if getattr(self, name) is job:
                setattr(self, name, None)

        def done(outcome: object) -> None:
            over()
            listener.on_done(outcome)
            self._notify("jobs")

        def failed(code: str, message: str) -> None:
            over()
            listener.on_error(code, message)
            self._notify("jobs")

        job = make(replace(listener, on_done=done, on_error=failed))
        setattr(self, name, job)
        job.start()
        self._notify("jobs")

    # Measuring

    def measure(self, card: Card, direction: str, listener: Listener) -> None:
        """Find out in the worker what runs a style fastest here; the next runs use it. The outcome is None."""

        def over() -> None:
            self._measuring = None

        def done(_answer: dict) -> None:
            over()
            listener.on_done(None)

        def failed(code: str, message: str) -> None:
            over()
            listener.on_error(code, message)

        self._measuring = self.client.request(
            "measure",
            done,
            failed,
            lambda stage, done, total: listener.on_progress(Progress(stage, done, total)),
            model=str(card.folder),
            direction=direction,
        )

    def stop_measuring(self) -> None:
        """End it after the trial under way; what the worker keeps stays."""
        if self._measuring is not None:
            self.client.cancel(self._measuring, at_leisure=True)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, so that nothing can be started any more."""
        return self._closed

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way and no answer is awaited."""
        return not self.client.busy and not any(job is not None for job in self._jobs())

    def _jobs(self) -> tuple[Job | None, ...]:
        jobs = (self.style_job, self.adjust_job, self.metrics_job, self.fusion_job, self.dicom_job)
        return (*jobs, self.look_job, self.register_job)

    # Results

    def forget(self, output_id: str) -> None:
        """A result is gone from the scene: free its memory in the worker."""
        result = self.results.pop(output_id, None)
        if result is not None and self.client.running:
            for key in result.keys:
                self.client.request("forget", lambda answer: None, lambda code, message: None, keep=key)

    def _on_worker_changed(self) -> None:
        if not self.client.running and not self._closed:
            # What it kept is gone with it, and it deletes its folder.
            self.results.clear()
            self.exchange.renew()
        self._notify("worker")

    # Widgets

    def subscribe(self, callback: Callable[[str], None]) -> None:
        """Call back with what has changed: "worker" (started or ended), "jobs" (one began or ended), or "progress"."""
        self._subscribers.append(callback)

    def unsubscribe(self, callback: Callable[[str], None]) -> None:
        """Call back no more."""
        self._subscribers.remove(callback)

    def _notify(self, what: str) -> None:
        for callback in list(self._subscribers):
            callback(what)
