"""Adapting a style in a worker of its own, which is there as long as that takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.setup import training
from SurgicalStyleTransferLib.setup.model_cards import Card
from SurgicalStyleTransferLib.worker.client import WorkerClient, python_slicer
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .job import Job, Listener, Progress

MARK = "adapt: "  # of the lines in the worker's log that are meant to be read meanwhile


@dataclass(frozen=True)
class AdaptPlan:
    """What is to be done; nodes by their IDs.

    Attributes:
        card: the style to begin with.
        direction: that the volumes show.
        source_ids: volumes of the domain that it starts in.
        target_ids: volumes of the domain that it ends in; of a pair in the same order.
        name: folder of the new style.
        title: as it is shown.
        folder: of the user's styles.
        paired: whether source and target with the same number are of the same patient and lie on each other.
        register: lay the targets over the sources first.
        minutes: of training.
        device: auto, cpu, cuda or mps.
    """

    card: Card
    direction: str
    source_ids: tuple[str, ...]
    target_ids: tuple[str, ...]
    name: str
    title: str
    folder: str
    paired: bool = True
    register: bool = False
    minutes: float = 10.0
    device: str = "auto"


@dataclass(frozen=True)
class AdaptResult:
    """A new style.

    Attributes:
        plan: what was to be done.
        name: of the style.
        entry: what the worker says of it, see ``training_cli.adapt.adapt.AdaptResult.entry``.
    """

    plan: AdaptPlan
    name: str
    entry: dict


class AdaptJob(Job):
    """Runs a plan; its outcome is an ``AdaptResult``."""

    def __init__(self, client: WorkerClient, exchange: Exchange, plan: AdaptPlan, listener: Listener) -> None:
        super().__init__(client, exchange, listener)
        self.plan = plan

    def _begin(self) -> None:
        plan, sources, targets = self.plan, [], []
        for number in range(max(len(plan.source_ids), len(plan.target_ids))):
            source = self._upload(plan.source_ids, number, None, sources)
            # As the source sees it: where both are seen in the views, whatever transforms moved them there.
            self._upload(plan.target_ids, number, source if plan.paired else None, targets)
        self._ask(
            "adapt",
            self._on_adapted,
            model=str(plan.card.folder),
            name=plan.name,
            title=plan.title,
            folder=plan.folder,
            sources=sources,
            targets=targets,
            direction=plan.direction,
            paired=plan.paired,
            register_first=plan.register,
            minutes=plan.minutes,
            device=plan.device,
            scratch=str(self._exchange.folder),
        )

    def _upload(self, ids: tuple[str, ...], number: int, relative: object | None, messages: list[dict]) -> object:
        """Add a volume's message to a list; raises ValueError where it is gone or cannot be described."""
        if number >= len(ids):
            return None
        node = slicer.mrmlScene.GetNodeByID(ids[number])
        if node is None or node.GetImageData() is None:
            raise ValueError(_("A volume to learn from was deleted or is empty."))
        message = self._exchange.upload_once(node, outputs.modality_of(node), relative)
        self._files.append(message["file"])
        messages.append(message)
        return node

    def _on_adapted(self, answer: dict) -> None:
        self._finish(AdaptResult(self.plan, answer["name"], answer))


class Adaptation:
    """At most one adaptation at a time, with its worker and its exchanged files.

    Attributes:
        job: what is under way, or None.
        progress: how far it is; None while nothing is known.
        lines: what the worker has said of it.
    """

    def __init__(self, on_changed: Callable[[], None]) -> None:
        """Start nothing.

        Args:
            on_changed: called when one begins or ends.
        """
        self._on_changed = on_changed
        self._client: WorkerClient | None = None
        self._exchange: Exchange | None = None
        self.job: AdaptJob | None = None
        self.progress: Progress | None = None
        self.lines: list[str] = []
        # A worker is not ended within its own answer.
        self._later = qt.QTimer()
        self._later.singleShot = True
        self._later.connect("timeout()", self._end_worker)

    def start(
        self,
        plan: AdaptPlan,
        listener: Listener,
        on_line: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Begin.

        Args:
            plan: what is to be done.
            listener: whom to tell; with an ``AdaptResult`` in the end.
            on_line: called with what the worker says, line by line.

        Raises:
            RuntimeError: where one is under way, or the training is not installed.
        """
        if self.job is not None:
            raise RuntimeError(_("A style is being adapted already."))
        if why := training.why_never():
            raise RuntimeError(why)
        self._end_worker()
        self.lines, self.progress = [], None
        exchange = self._exchange = Exchange()
        self._client = WorkerClient(lambda: exchange.folder, worker_command())

        def said(line: str) -> None:
            if line.startswith(MARK):
                self.lines.append(line.removeprefix(MARK))
                on_line(self.lines[-1])

        self._client.on_line = said

        def over() -> None:
            self.job = None
            self._later.start(0)
            self._on_changed()

        def done(result: AdaptResult) -> None:
            over()
            listener.on_done(result)

        def failed(code: str, message: str) -> None:
            over()
            listener.on_error(code, message)

        def progressed(progress: Progress) -> None:
            self.progress = progress
            listener.on_progress(progress)

        told = replace(listener, on_done=done, on_error=failed, on_progress=progressed)
        self.job = AdaptJob(self._client, exchange, plan, told)
        self.job.start()
        self._on_changed()

    def cancel(self) -> None:
        """Ask for the end; nothing is left of it."""
        if self.job is not None:
            self.job.cancel()

    def close(self) -> None:
        """End whatever is under way, at once."""
        if self.job is not None:
            self.job.abandon("")
        self._end_worker()

    def _end_worker(self) -> None:
        self._later.stop()
        client, self._client = self._client, None
        exchange, self._exchange = self._exchange, None
        if client is not None:
            client.on_line = lambda line: None
            client.stop()
        if exchange is not None:
            exchange.close()


def worker_command() -> list[str]:
    """The usual worker, serving the training's tasks instead of its own."""
    command = [python_slicer(), "-m", "surgical_style_engine.worker", "--tasks", training.TASKS]
    return [*command, "--path", str(training.training_folder())]
