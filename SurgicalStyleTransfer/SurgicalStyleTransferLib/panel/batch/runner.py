"""Applying a style to one volume after the other, with the verdict on each; what fails does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from SurgicalStyleTransferLib.jobs.engine import Engine
from SurgicalStyleTransferLib.jobs.job import Job, Listener, Progress
from SurgicalStyleTransferLib.jobs.style_job import Plan, Result

from ..quality.verdict_line import entry_of
from ..tools import single_shot_timer

STOPPING = ("cancelled", "abandoned")  # how a run ends that somebody wanted to end: the rest is not begun


@dataclass(frozen=True)
class State:
    """How far a volume is.

    Attributes:
        kind: "waiting", "running", "judging", "done", "failed" or "left" (not begun, or stopped).
        share: of what is to be done, 0 to 1.
        result: of "judging" and "done".
        reason: of "failed", one sentence.
        verdict: of "done", as the worker states it; None where it was not judged.
    """

    kind: str = "waiting"
    share: float = 0.0
    result: Result | None = None
    reason: str = ""
    verdict: dict | None = None


class BatchRunner:
    """Runs plans in their order, each as soon as the one before has ended, however it has.

    Attributes:
        states: of every plan.
        is_running: whether plans are left to be run.
    """

    def __init__(
        self, engine: Engine, plans: list[Plan], on_changed: Callable[[int], None], is_judged: bool = True
    ) -> None:
        """Runs nothing yet.

        Args:
            engine: what does the work.
            plans: one a volume.
            on_changed: called with the number of a plan whose state is another one.
            is_judged: with the verdict on each result, by the same call as after a single run.
        """
        self._engine, self._plans, self._on_changed = engine, plans, on_changed
        self._is_judged = is_judged
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
        if self._job() is not None:
            self._job().cancel()

    def abandon(self) -> None:
        """The same at once, for the scene goes."""
        self._leave_rest()
        if self._job() is not None:
            self._job().abandon("")
        self._later.stop()  # which the end of that one has started
        self.is_running = False

    def _leave_rest(self) -> None:
        self._later.stop()
        for number in range(self._number + 1, len(self._plans)):
            self._set(number, State("left"))
        self.is_running = self._kind() in ("running", "judging")

    def _kind(self) -> str:
        return self.states[self._number].kind if 0 <= self._number < len(self.states) else ""

    def _job(self) -> Job | None:
        """What is under way of this batch."""
        return {"running": self._engine.style_job, "judging": self._engine.metrics_job}.get(self._kind())

    def _set(self, number: int, state: State) -> None:
        if self.states[number] != state:
            self.states[number] = state
            self._on_changed(number)

    def _next(self) -> None:
        if self._number + 1 >= len(self._plans) or self.states[self._number + 1].kind == "left":
            self.is_running = False
            self._on_changed(max(self._number, 0))
            return
        # Somebody pressed Apply or Compute in between; that comes first.
        if self._engine.style_job is not None or self._engine.metrics_job is not None:
            self._later.start(200)
            return
        self._number += 1
        number = self._number
        self._set(number, State("running"))
        listener = Listener(
            self._applied,
            self._failed,
            lambda progress: self._set(number, State("running", _share(progress))),
        )
        self._engine.apply(self._plans[number], listener)

    def _applied(self, result: Result) -> None:
        if not self._is_judged or not result.keys or not self.is_running or self._engine.metrics_job is not None:
            self._over(State("done", 1.0, result))
            return
        self._set(self._number, State("judging", 1.0, result))
        listener = Listener(
            lambda verdict: self._over(State("done", 1.0, result, verdict=entry_of(verdict.metrics))),
            # The volume is there all the same.
            lambda code, message: self._over(State("done", 1.0, result)),
            lambda progress: None,
        )
        self._engine.judge(result.output_id, None, None, listener, cycle=False)

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
    if progress.stage == "harmonise":
        return 0.5  # the look is known, and the volume takes it on
    share = progress.done / progress.total if progress.total else 0.0
    return {"translate": share, "look": 0.5 * share}.get(progress.stage, 0.0)
