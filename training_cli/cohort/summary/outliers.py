"""Which volumes of a cohort stand out from the others, by the metrics of its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surgical_style_engine.metrics import registry
from training_cli.cohort.run.manifest import DONE, Row

FAR = 3.5  # modified z-score from which a value is an outlier (Iglewicz and Hoaglin, 1993)
FEWEST = 8  # volumes below which nothing is called usual
_SAME = 1.4826, 1.2533  # make the median, or mean, absolute deviation a standard deviation of normal values
_BINS = 24
# What verdicts compare beside the metrics of the registry: title, whether more is better, and how it is written.
_OTHERS = {
    "expected_psnr": ("Expected PSNR (dB)", True, "{:.1f}"),
    "mean_bound": ("Mean error bound", False, "{:.3g}"),
    "untrusted_share": ("Body that tells no more than one grey", False, "{:.0%}"),
    "seconds": ("Seconds", None, "{:.1f}"),
}


@dataclass(frozen=True)
class Column:
    """A metric over all volumes that have it.

    Attributes:
        name: In the manifest.
        title: For people.
        form: How a value is written.
        higher_is_better: None where neither direction is better.
        quartiles: Lowest value, the three quartiles, highest value.
        heights: Of the bars of a histogram from the lowest to the highest value, in per cent of the tallest.
        count: Of the volumes.
    """

    name: str
    title: str
    form: str
    higher_is_better: bool | None
    quartiles: tuple[float, ...]
    heights: tuple[float, ...]
    count: int

    def text(self, value: float | None) -> str:
        """A value as it is shown; empty for none."""
        return "" if value is None else self.form.format(value)


@dataclass(frozen=True)
class Standing:
    """How far a volume stands out: the modified z-score of its worst metric, and that metric's name."""

    score: float = 0.0
    column: str = ""

    @property
    def is_outlier(self) -> bool:
        """Whether it stands out."""
        return self.score > FAR


def columns_of(rows: Sequence[Row], names: Sequence[str]) -> list[Column]:
    """The metrics that volumes of a manifest have.

    Args:
        rows: Of the manifest.
        names: Of the metrics.
    """
    known = {metric.key: metric for metric in registry.metrics()}
    columns = []
    for name in names:
        values = np.array([value for row in rows if (value := row.number(name)) is not None])
        if not values.size:
            continue
        title, higher, form = _OTHERS.get(name, (name, None, "{:.3g}"))
        if name in known:
            title, higher, form = known[name].heading, known[name].higher_is_better, known[name].format
        counts = np.histogram(values, _BINS)[0]
        quartiles = tuple(float(value) for value in np.percentile(values, (0, 25, 50, 75, 100)))
        heights = tuple(round(100 * float(count) / counts.max(), 1) for count in counts)
        columns.append(Column(name, title, form, higher, quartiles, heights, len(values)))
    return columns


def standings_of(rows: Sequence[Row], columns: Sequence[Column]) -> dict[str, Standing]:
    """How far each volume that is done stands out, by its name.

    Of a metric with a good side only the bad one counts. (Modified z-score: the distance from the median in units of
    the median absolute deviation.)
    """
    done = [row for row in rows if row.state == DONE]
    best = {row.volume: Standing() for row in done}
    if len(done) < FEWEST:
        return best
    for column in columns:
        if column.name == "seconds":
            continue
        values = np.array([row.number(column.name) for row in done], float)
        for row, score in zip(done, _scores(values, column.higher_is_better), strict=True):
            if score > best[row.volume].score:
                best[row.volume] = Standing(float(score), column.name)
    return best


def _scores(values: np.ndarray, higher_is_better: bool | None) -> np.ndarray:
    """(n,) how far values lie on the bad side; 0 for NaN."""
    distance = values - np.nanmedian(values)
    spread = _SAME[0] * float(np.nanmedian(np.abs(distance))) or _SAME[1] * float(np.nanmean(np.abs(distance)))
    if not spread > 0:
        return np.zeros(len(values))
    signed = np.abs(distance) if higher_is_better is None else -distance if higher_is_better else distance
    return np.nan_to_num(np.maximum(signed / spread, 0), nan=0.0)
