"""Progress and cancelling between batches."""

from __future__ import annotations

from surgical_style_engine.common.run_options import Cancelled as IsCancelled
from surgical_style_engine.common.run_options import Progress
from surgical_style_engine.errors import Cancelled


class Counter:
    """Slices that are done, of ``total``. ``smallest_batch``: that memory was enough for; 0 where it was for all."""

    def __init__(self, progress: Progress | None, cancelled: IsCancelled | None) -> None:
        self.done, self.total, self.smallest_batch = 0, 0, 0
        self._progress, self._cancelled = progress, cancelled

    def check(self) -> None:
        """Raise Cancelled where the run is to end."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("The translation was cancelled.")

    def within(self, done: int, parts: int) -> None:
        """Before a step of something that takes long for a single slice, ``parts`` steps a slice."""
        self.check()
        if self._progress is not None:
            self._progress(self.done * parts + done, self.total * parts)

    def advance(self, count: int) -> None:
        """So many slices more are done."""
        self.done += count
        if self._progress is not None:
            self._progress(self.done, self.total)

    def fitted(self, size: int) -> None:
        """Memory was enough for a batch of this size only."""
        self.smallest_batch = min(self.smallest_batch or size, size)
