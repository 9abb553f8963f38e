"""One plane of one volume through a network: slices at the model's spacing, cut to the body, in batches, put back."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable

import numpy as np

from surgical_style_engine.backends.runner import Fetch, Runner, SequenceRunner, run_smaller_on_memory_error
from surgical_style_engine.common.progress import Counter
from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.volumes import geometry, slices
from surgical_style_engine.volumes.body_box import BodyBox
from surgical_style_engine.volumes.resampling import model_size, resize_in_plane

from .ensemble import PLAIN, Variant
from .plane_slices import AT_ONCE, Slices

Put = Callable[[np.ndarray, np.ndarray], None]
Finish = Callable[[], tuple[np.ndarray, int]]
MULTIPLE = 4  # both strides of the generators; U-Nets pad further by themselves
SMALLEST = 16  # pixels; below, the reflections at the generators' coarsest scale would not fit
DEFAULT_BATCH = {"cpu": 1, "mps": 4, "cuda": 16}


class PlaneJob:
    """A canonical volume in one plane, ready to run.

    Args:
        array: (c, z, y, x) with canonical axes.
        spacing: (x, y, z) in mm.
        plane: axial, coronal or sagittal.
        card: of the model.
        is_2d: the volume is a picture, which has no spacing in mm.
        normalise: from the array's values to [-1, 1]; None where they are normalised already.

    Attributes:
        occupied: numbers of the slices that hold anything.
        box: rows and columns that do, at the model's pixels.
        own_size: (h, w) of a slice at the input's pixels.
    """

    def __init__(
        self,
        array: np.ndarray,
        spacing: tuple[float, float, float],
        plane: str,
        card: ModelCard,
        is_2d: bool,
        normalise: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.plane, self.card = plane, card
        original = geometry.plane_first(array, plane)
        slice_mm, h_mm, w_mm = geometry.plane_spacing(spacing, plane)
        size = original.shape[-2:]
        self.own_size = size
        # Pictures have no spacing in mm; they run at their own resolution.
        if not is_2d and card.spacing_mm is not None:
            size = model_size(size, (h_mm, w_mm), card.spacing_mm)
        self.slices = Slices(original, size, normalise)
        step = 1 if is_2d else slices.stack_step(card.stack_spacing_mm, slice_mm)
        self.stacks = slices.stack_indices(self.slices.count, card.stack, step)
        occupied = np.zeros(self.slices.count, bool)
        box = BodyBox(self.slices.size)
        for which, part in self.slices.parts():
            occupied[which] = slices.body_slices(part)
            box.add(part)
        self.occupied = np.flatnonzero(occupied)
        self.box = box.found()

    def run(
        self,
        runner: Runner,
        channels: int,
        batch_size: int | None,
        counter: Counter,
        put: Put,
        variant: Variant = PLAIN,
    ) -> None:
        """Hand over every slice once; slices that hold nothing keep the input's values.

        Args:
            runner: the network.
            channels: of the translation.
            batch_size: slices at once; by the device if None.
            counter: is told of every batch, and ends the run.
            put: called with (numbers (n,), (channels, n, h, w) normalised float32, at the input's pixels).
            variant: of an ensemble.

        Raises:
            Cancelled: between two batches.
            OutOfMemoryError: if not even a single slice fits.
            StyleTransferError: if the network fails.
        """
        for start in range(0, self.slices.count, AT_ONCE):
            rest = np.setdiff1d(np.arange(start, min(start + AT_ONCE, self.slices.count)), self.occupied)
            if len(rest):
                put(rest, self.untouched(rest, channels))
        if not len(self.occupied):
            return
        if isinstance(runner, SequenceRunner):
            rows, columns = self.box
            chosen = self.slices.at_model(self.occupied)[:, :, rows, columns]
            stylized = runner.stylize_slices(chosen, channels, counter.within, counter.advance)
            put(self.occupied, self.put_back(self.occupied, stylized))
        else:
            self._run_batches(runner, channels, batch_size, counter, put, variant)

    def _run_batches(
        self, runner: Runner, channels: int, batch_size: int | None, counter: Counter, put: Put, variant: Variant
    ) -> None:
        size = batch_size or DEFAULT_BATCH.get(runner.device.split(":")[0], 1)
        under_way: deque[tuple[np.ndarray, int, Finish]] = deque()
        start = 0
        while start < len(self.occupied) or under_way:
            if start < len(self.occupied):
                counter.check()
                chosen = self.occupied[start : start + size]
                filled = size if start else len(chosen)
                under_way.append((chosen, filled, self.start(runner, chosen, channels, variant, filled)))
                start += len(chosen)
                if len(under_way) <= runner.ahead:
                    continue
            chosen, filled, finish = under_way.popleft()
            translated, fitted = finish()
            if fitted < filled:
                size = min(size, fitted)
                counter.fitted(fitted)
            put(chosen, self.put_back(chosen, translated))
            counter.advance(len(chosen))

    def translate(self, runner: Runner, chosen: np.ndarray, channels: int) -> np.ndarray:
        """Slices through the network: (channels, n, h, w) of the box at the model's pixels."""
        return self.start(runner, chosen, channels)()[0]

    def start(
        self, runner: Runner, chosen: np.ndarray, channels: int, variant: Variant = PLAIN, at_least: int = 1
    ) -> Finish:
        """Give slices to the network.

        Args:
            runner: the network.
            chosen: numbers of the slices (n,).
            channels: of the translation.
            variant: of an ensemble.
            at_least: how many slices the batch has; it is filled up with the last one.

        Returns:
            What gives the result: ((channels, n, h, w) of the box at the model's pixels, how many fitted into memory at
            once).
        """
        rows, columns = self.box
        needed, inverse = np.unique(self.stacks[chosen], return_inverse=True)
        around = self.slices.at_model(needed)[:, :, rows, columns]
        batch = slices.gather_stacks(around, inverse.reshape(len(chosen), -1))
        h, w = batch.shape[-2:]
        varied = variant.apply(_at_least(batch, SMALLEST))
        padded, _ = slices.pad_to_multiple(varied, MULTIPLE)
        if len(chosen) < at_least:
            # Compiled networks are made for one shape; the last batch gets it too.
            padded = np.concatenate([padded, np.repeat(padded[-1:], at_least - len(chosen), axis=0)])
        fetch = None
        if runner.ahead:
            with contextlib.suppress(MemoryError):
                fetch = runner.start(padded)

        def finish() -> tuple[np.ndarray, int]:
            translated, fitted = _fetched(fetch, runner, padded)
            if not np.isfinite(translated).all():
                advice = "its weights may be damaged" if runner.precision == "fp32" else "try fp32"
                raise StyleTransferError(
                    f"The network gave values that are no numbers in precision {runner.precision}; {advice}."
                )
            centre = translated[: len(chosen), slices.middle(translated.shape[1], channels)]
            size_run = max(h, SMALLEST), max(w, SMALLEST)
            return variant.undo(centre, size_run)[..., :h, :w].transpose(1, 0, 2, 3), fitted

        return finish

    def put_back(self, chosen: np.ndarray, translated: np.ndarray) -> np.ndarray:
        """(channels, n, ...) of the box at the model's pixels -> whole slices (channels, n, h, w) at the input's.

        Around the box there is nothing but air; it gets what the network makes of air at the box's edge.
        """
        rows, columns = self.box
        if translated.shape[-2:] == self.slices.size:
            result = np.ascontiguousarray(translated)
        else:
            result = self._air(self._grey(self.slices.at_model(chosen), translated.shape[0]), translated)
            result[:, :, rows, columns] = translated
        return resize_in_plane(result, self.own_size)

    def _air(self, around: np.ndarray, translated: np.ndarray) -> np.ndarray:
        """Whole slices of the input (channels, n, H, W) and the box translated -> the slices as air would come out.

        A line is fitted along those edges of the box that have air beyond, from input to output: networks that smooth
        noise have less of it there, and the input's own would begin at the box in a frame. The input itself where the
        network changes nothing.
        """
        (rows, columns), (high, wide) = self.box, self.slices.size
        beyond = (rows.start > 0, rows.stop < high, columns.start > 0, columns.stop < wide)

        def edges(array: np.ndarray) -> np.ndarray:
            sides = (array[:, :, 0], array[:, :, -1], array[:, :, :, 0], array[:, :, :, -1])
            return np.concatenate([edge for edge, has_air in zip(sides, beyond, strict=True) if has_air], axis=2)

        before, after = edges(around[:, :, rows, columns]), edges(translated)
        centre = before.mean(axis=2, keepdims=True), after.mean(axis=2, keepdims=True)
        spread = ((before - centre[0]) ** 2).sum(axis=2, keepdims=True)
        common = ((before - centre[0]) * (after - centre[1])).sum(axis=2, keepdims=True)
        slope = np.where(spread > 0, np.clip(common / np.where(spread > 0, spread, 1), 0, 1), 1).astype(np.float32)
        return np.clip(slope[..., None] * around + (centre[1] - slope * centre[0])[..., None], -1, 1)

    def untouched(self, chosen: np.ndarray, channels: int) -> np.ndarray:
        """(channels, n, h, w) normalised: slices that are not run come from the input itself."""
        own = self.slices.own(chosen)
        if channels == own.shape[0]:
            return own
        return resize_in_plane(self._grey(self.slices.at_model(chosen), channels), self.own_size)

    @staticmethod
    def _grey(array: np.ndarray, channels: int) -> np.ndarray:
        """A new array with ``channels`` channels: its own, or their mean in each."""
        grey = array if channels == array.shape[0] else array.mean(axis=0, keepdims=True)
        return np.repeat(grey, channels // grey.shape[0], axis=0)


def _fetched(fetch: Fetch | None, runner: Runner, padded: np.ndarray) -> tuple[np.ndarray, int]:
    """The result of a batch that was started, or where memory was too short, of smaller ones."""
    if fetch is not None:
        with contextlib.suppress(MemoryError):
            return fetch(), len(padded)
    return run_smaller_on_memory_error(runner, padded)


def _at_least(batch: np.ndarray, smallest: int) -> np.ndarray:
    """(..., h, w) with at least so many pixels a side, the far edges repeated."""
    extra = [max(0, smallest - length) for length in batch.shape[-2:]]
    if not any(extra):
        return batch
    return np.pad(batch, [(0, 0)] * (batch.ndim - 2) + [(0, count) for count in extra], mode="edge")
