"""What is kept aside of a user's volumes, so that the adapted style can be judged on what it has not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from surgical_style_engine.errors import InputError
from training_cli.training.data.items import CachedItem, TrainingData

Pair = tuple[CachedItem, CachedItem]
SHARE = 0.25  # of the slices with body
CENTRE = 0.55  # of the body's height, from below: in a head, the brain
GAP_MM = 6.0  # on both sides; neighbouring slices look alike
LEAST_ASIDE, LEAST_LEARNED = 3, 6  # slices


@dataclass(frozen=True, eq=False)
class Split:
    """How slices are shared out.

    Attributes:
        learned: numbers of the slices to learn from.
        aside: numbers of those kept aside, a contiguous range.
        gap: slices on each side of it that belong to neither.
    """

    learned: np.ndarray
    aside: np.ndarray
    gap: int


def split_slices(body: np.ndarray, slice_mm: float, context: int = 0) -> Split:
    """Keep a contiguous range of slices aside, with a gap to the others.

    Args:
        body: (n,) numbers of the slices with body, ascending.
        slice_mm: distance of the slices, mm.
        context: slices on each side that the network sees beside the one that it translates.

    Raises:
        InputError: where too few slices would be left.

    >>> split = split_slices(np.arange(40), slice_mm=3.0)
    >>> split.aside.tolist(), split.gap, len(split.learned)
    ([17, 18, 19, 20, 21, 22, 23, 24, 25, 26], 2, 26)
    """
    count = len(body)
    aside = max(LEAST_ASIDE, round(SHARE * count))
    gap = max(1, int(np.ceil(GAP_MM / slice_mm)), context)
    if count - aside - 2 * gap < LEAST_LEARNED:
        least = LEAST_ASIDE + LEAST_LEARNED + 2 * gap
        raise InputError(
            f"Only {count} slices hold enough of a body; adapting takes {least}, as some are kept aside with a gap of "
            f"{gap} slices to the others."
        )
    first = int(round(CENTRE * count - aside / 2))
    chosen = body[first : first + aside]
    near = (body >= chosen[0] - gap) & (body <= chosen[-1] + gap)
    return Split(body[~near], chosen, gap)


@dataclass(frozen=True, eq=False)
class Aside:
    """What is judged in the end.

    Attributes:
        kind: "slices" of the volumes that are learned from, or whole "volumes".
        data: items with only the slices kept aside.
        numbers: which of the request's sources, targets or pairs are in it.
        gap: slices between what is learned and what is kept aside; 0 for whole volumes.
    """

    kind: Literal["slices", "volumes"]
    data: TrainingData
    numbers: tuple[int, ...]
    gap: int = 0

    @property
    def slices(self) -> int:
        """How many slices are kept aside, of pairs or else of the sources."""
        items = [a for a, _ in self.data.pairs] or self.data.source
        return sum(len(item.body) for item in items)


def keep_aside(data: TrainingData, context_mm: float, paired: bool) -> tuple[TrainingData, Aside]:
    """Share out what a user gave.

    With several pairs, or several volumes on both sides, the last one is kept aside as a whole; else a range of slices.

    Args:
        data: everything, prepared; pseudo-pairs are shared out like the sources that they are laid on.
        context_mm: how far the network looks from slice to slice, mm.
        paired: whether there are registered pairs.

    Returns:
        What is learned from, and what is kept aside.

    Raises:
        InputError: where too little would be left.
    """
    count = len(data.pairs) if paired else min(len(data.source), len(data.target))
    if count > 1:
        return _whole_volume(data, paired)
    return _slice_range(data, context_mm, paired)


def _whole_volume(data: TrainingData, paired: bool) -> tuple[TrainingData, Aside]:
    if paired:
        last = len(data.pairs) - 1
        return _of_pairs(data.pairs[:-1]), Aside("volumes", _of_pairs(data.pairs[-1:]), (last,))
    source, target = data.source[-1], data.target[-1]

    def shows(pair: Pair) -> bool:
        return pair[0].path == source.path or pair[1].name.startswith(f"{target.name} ")

    # Nothing is learned from what is laid on the volume kept aside, or is it.
    learned = [pair for pair in data.pseudo_pairs if not shows(pair)]
    kept = [pair for pair in data.pseudo_pairs if pair[0].path == source.path]
    aside = TrainingData([source], [target], [], pseudo_pairs=kept)
    return TrainingData(data.source[:-1], data.target[:-1], [], pseudo_pairs=learned), Aside(
        "volumes", aside, (len(data.source) - 1,)
    )


def _slice_range(data: TrainingData, context_mm: float, paired: bool) -> tuple[TrainingData, Aside]:
    def split(item: CachedItem) -> Split:
        return split_slices(item.body, item.slice_mm, int(np.ceil(context_mm / item.slice_mm)))

    if paired:
        splits = [split(a) for a, _ in data.pairs]
        learned, aside = (
            _of_pairs([_only(pair, part) for pair, part in zip(data.pairs, parts, strict=True)])
            for parts in ([entry.learned for entry in splits], [entry.aside for entry in splits])
        )
        return learned, Aside("slices", aside, tuple(range(len(data.pairs))), max(entry.gap for entry in splits))
    of_path = {item.path: split(item) for item in (*data.source, *data.target)}
    sides = []
    for is_aside in (False, True):

        def part(item: CachedItem, is_aside: bool = is_aside) -> np.ndarray:
            return of_path[item.path].aside if is_aside else of_path[item.path].learned

        pairs = [_only(pair, np.intersect1d(pair[0].body, part(pair[0]))) for pair in data.pseudo_pairs]
        sides.append(
            TrainingData(
                [replace(item, body=part(item)) for item in data.source],
                [replace(item, body=part(item)) for item in data.target],
                [],
                pseudo_pairs=[pair for pair in pairs if len(pair[0].body)],
            )
        )
    gap = max(entry.gap for entry in of_path.values())
    return sides[0], Aside("slices", sides[1], tuple(range(len(data.source))), gap)


def _of_pairs(pairs: Sequence[Pair]) -> TrainingData:
    return TrainingData([a for a, _ in pairs], [b for _, b in pairs], list(pairs))


def _only(pair: Pair, body: np.ndarray) -> Pair:
    """A pair with these slices alone."""
    return replace(pair[0], body=body), replace(pair[1], body=body)
