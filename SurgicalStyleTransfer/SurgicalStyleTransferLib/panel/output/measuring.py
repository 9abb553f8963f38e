"""Finding out what is fastest on this computer: once, after the first result, and said so."""

from __future__ import annotations

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.job import Listener, Progress
from SurgicalStyleTransferLib.jobs.style_job import Result

from ..context import Context, Section
from ..tools import single_shot_timer

DELAY_MS = 1500  # without anything else to do, judging included


class MeasuringSection(Section):
    """Measures when the first result of a style is there and nothing else is to be done; a new run comes first."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._result: Result | None = None
        self._timer = single_shot_timer(self._start)
        context.translated.connect(self._on_translated)
        context.run_starting.connect(self._stop)

    def scene_closing(self) -> None:
        """Measure no more."""
        self._stop()

    def close(self) -> None:
        """Measure no more."""
        self._stop()

    def _on_translated(self, result: Result) -> None:
        if result.is_unmeasured:
            self._result = result
            self._timer.start(DELAY_MS)

    def _stop(self) -> None:
        self._timer.stop()
        self._result = None
        self.engine.stop_measuring()

    def _start(self) -> None:
        if self._result is None:
            return
        if self.context.installing or not self.engine.is_idle:
            self._timer.start(DELAY_MS)
            return
        status, before = self.context.status, self.context.status.text
        said = [before]

        def progressed(progress: Progress) -> None:
            if status.text != said[-1] or self.engine.style_job is not None or self.engine.fusion_job is not None:
                return  # the line is somebody else's by now
            text = _("{before} Measuring, once, what is fastest on this computer: {done} of {total}.")
            said.append(text.format(before=before, done=progress.done + 1, total=progress.total).strip())
            status.show(said[-1])
            status.show_progress(progress.done, progress.total)

        def over() -> None:
            if status.text == said[-1]:
                status.show(before)
                status.hide_progress()

        plan, self._result = self._result.plan, None
        listener = Listener(lambda _nothing: over(), lambda code, message: over(), progressed)
        self.engine.measure(plan.card, plan.direction, listener)
