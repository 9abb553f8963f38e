"""Applying a style to one volume after the other; what fails does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from SurgicalStyleTransferLib.jobs.engine import Engine
from SurgicalStyleTransferLib.jobs.job import Listener, Progress
from SurgicalStyleTransferLib.jobs.style_job import Plan, Result

from ..tools import single_shot_timer

STOPPING = ("cancelled", "abandoned")  # how a run ends that somebody wanted to end: the rest is not begun


@dataclass(frozen=True)
class State:
    """How far a volume is.

    Attributes:
        kind: "waiting", "running", "done", "failed" or "left" (not begun, or stopped).
        share: of what is to be done, 0 to 1.
        result: of "done".
        reason: of "failed", one sentence.
    """

    kind: str = "waiting"
    share: float = 0.0
    result: Result | None = None
    reason: str = ""


class BatchRunner:
    """Runs plans in their order, each as soon as the one before has ended, however it has.

    Attributes:
        states: of every plan.
        is_running: whether plans are left to be run.
    """

    def __init__(self, engine: Engine, plans: list[Plan], on_changed: Callable[[int], None]) -> None:
        """Runs nothing yet.

        Args:
            engine: what does the work.
            plans: one a volume.
            on_changed: called with the number of a plan whose state is another one.
        """
        self._engine, self._plans, self._on_changed = engine, plans, on_changed
        self.states = [State() for _plan in plans]
        self.is_running = False
        self._number = -1
        self._later = single_shot_timer(self._next)

    def start(self) -> None:
        """Begin with the first one."""
        self.is_running = True
        self._next()

    def cancel(self) -> None:
        """End the one under way, and begin no other."""
        self._leave_rest()
        if self._engine.style_job is not None and self.states[self._number].kind == "running":
            self._engine.style_job.cancel()

    def abandon(self) -> None:
        """The same at once, for the scene goes."""
        self._leave_rest()
        if self._engine.style_job is not None and self.states[self._number].kind == "running":
            self._engine.style_job.abandon("")
        self._later.stop()  # which the end of that one has started
        self.is_running = False

    def _leave_rest(self) -> None:
        self._later.stop()
        for number in range(self._number + 1, len(self._plans)):
            self._set(number, State("left"))
        self.is_running = 0 <= self._number < len(self.states) and self.states[self._number].kind == "running"

    def _set(self, number: int, state: State) -> None:
        if self.states[number] != state:
            self.states[number] = state
            self._on_changed(number)

    def _next(self) -> None:
        if self._number + 1 >= len(self._plans) or self.states[self._number + 1].kind == "left":
            self.is_running = False
            self._on_changed(max(self._number, 0))
            return
        if self._engine.style_job is not None:  # somebody pressed Apply in between; that comes first
            self._later.start(200)
            return
        self._number += 1
        number = self._number
        self._set(number, State("running"))
        listener = Listener(
            lambda result: self._over(State("done", 1.0, result)),
            self._failed,
            lambda progress: self._set(number, State("running", _share(progress))),
        )
        self._engine.apply(self._plans[number], listener)

    def _failed(self, code: str, message: str) -> None:
        if code in STOPPING:
            self._leave_rest()
            self._over(State("left"))
        else:
            self._over(State("failed", reason=message))

    def _over(self, state: State) -> None:
        self._set(self._number, state)
        self._later.start(0)


def _share(progress: Progress) -> float:
    return progress.done / progress.total if progress.stage == "translate" and progress.total else 0.0
