"""The verdict on a translation: green, amber, red or none, in one sentence, with the numbers behind it.

Command line, worker, report page and JSON report all have it from `verdict_of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from surgical_style_engine.models.calibration import DirectionCalibration, Range

from .error_bound import ErrorBound

Level = Literal["green", "amber", "red", "none"]
TITLES = {"green": "Green", "amber": "Amber", "red": "Red", "none": "No verdict"}
MOST_UNTRUSTED = 0.5  # share of voxels without information from which an image is not to be relied on
LEAST_OF_TUMOURS = 0.87  # of their voxels, below which a bound that is to hold for 90 % does not hold for them
LEAST_OF_ONE = 0.5  # of the voxels of the worst patient's tumour, below which that is said although others' lie within
FAR = 0.5  # of the width of the left-out patients' range, by which a metric is far outside of it


@dataclass(frozen=True)
class Compared:
    """A metric beside the range of the model's left-out patients.

    Attributes:
        key: expected_psnr, mean_bound, untrusted_share or semantic_consistency.
        title: What people call it.
        value: Of this image.
        low: Least of the left-out patients.
        high: Most of them.
        unit: Of all three; "" for none.
        higher_is_better: Which side is the good one.
        margin: Half the width of the value's own interval, where it is an estimate; else None.
    """

    key: str
    title: str
    value: float
    low: float
    high: float
    unit: str
    higher_is_better: bool
    margin: float | None = None

    @property
    def outside(self) -> float:
        """By how much it is worse than all left-out patients, in widths of their range; 0 within it."""
        beyond = self.low - self.value if self.higher_is_better else self.value - self.high
        return max(0.0, beyond) / max(self.high - self.low, 1e-6)

    def text(self) -> str:
        """The value beside the range."""
        percent = self.key == "untrusted_share"
        numbers = [f"{100 * each:.0f}" if percent else f"{each:.3g}" for each in (self.value, self.low, self.high)]
        own = "" if self.margin is None else f" ± {self.margin:.2g}"
        unit = " %" if percent else f" {self.unit}" if self.unit else ""
        return f"{numbers[0]}{own}{unit} (left-out patients {numbers[1]} to {numbers[2]})"


@dataclass(frozen=True)
class Verdict:
    """What is said of a translation.

    Attributes:
        level: green, amber, red; "none" where nothing was calibrated that would allow one.
        sentence: The verdict with its first reason.
        reasons: All of them, sentences, the gravest first.
        compared: Metrics beside their ranges.
        calibrated: Whether the image has an error bound.
        bound: Mean error bound, its limit, the share of voxels at or above that and the units; None without a bound.
        left_out: Of how many ``patients`` and ``hospitals`` the ranges are, and which share of the voxels of tumours
            lay within the bound (``tumour``: mean and worst patient, or None), and their true PSNR in dB (``psnr``:
            low and high, or None).
    """

    level: Level
    sentence: str
    reasons: list[str] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    calibrated: bool = False
    bound: dict[str, Any] | None = None
    left_out: dict[str, Any] | None = None

    def entry(self) -> dict[str, Any]:
        """For a report, JSON-ready; ``compared`` also says what is ``within`` and has the ``text``."""
        values = asdict(self)
        values["compared"] = [
            {**asdict(each), "within": each.outside == 0, "text": each.text()} for each in self.compared
        ]
        return values


def verdict_of(
    quality: Mapping[str, Any],
    doubts: Sequence[str],
    calibration: DirectionCalibration | None,
    bound: ErrorBound | None,
    why_none: str,
) -> Verdict:
    """Judge a translation in words.

    Red: the input is not what the model was trained on, so that nothing calibrated holds; or half of the body is no
    better than one grey, and more than of any left-out patient; or a metric is far outside of these patients' range;
    or, against a reference, the input itself is closer. Amber: a metric is outside of that range, or half of the body
    is no better than one grey. Green: all are within. None of these without a calibration, unless it is red.

    Args:
        quality: The metrics, as in a report.
        doubts: Why the input may not be what the model takes, sentences.
        calibration: Of the model in this direction; None where there is none.
        bound: Of the image's error; None where it has none.
        why_none: Why it has none, a sentence.
    """
    compared = _compared(quality, calibration, bound) if calibration is not None and bound is not None else []
    grave = list(doubts) + _worse_than_input(quality)
    mild: list[str] = []
    if calibration is not None and bound is not None and bound.untrusted_share > MOST_UNTRUSTED:
        usual = calibration.ranges.get("untrusted_share")
        is_usual = usual is not None and bound.untrusted_share <= usual.high
        reason = f"{bound.untrusted_share:.0%} of the body tell no more than one grey would."
        (mild if is_usual else grave).append(reason)
    for each in compared:
        if each.outside > 0:
            (grave if each.outside > FAR else mild).append(_outside(each))
    reasons = grave + mild
    left_out: dict[str, Any] | None = None
    if calibration is not None:
        tumour = calibration.coverage.get("tumour")
        left_out = {"patients": calibration.patients, "hospitals": calibration.hospitals}
        left_out["tumour"] = None if tumour is None else {"mean": tumour.mean, "worst": tumour.worst}
        psnr = calibration.ranges.get("psnr")
        left_out["psnr"] = None if psnr is None else {"low": psnr.low, "high": psnr.high}
    level: Level = "red" if grave else "none" if bound is None else "amber" if mild else "green"
    return Verdict(
        level=level,
        sentence=_sentence(level, reasons, bound, why_none, calibration),
        reasons=reasons or ([why_none] if bound is None else []),
        compared=compared,
        calibrated=bound is not None,
        bound=None if bound is None else _bound_entry(bound),
        left_out=left_out,
    )


def verdict_line(entry: Mapping[str, Any]) -> str:
    """A verdict of a report in one line: its colour and its sentence."""
    level, sentence = str(entry.get("level") or "none"), str(entry.get("sentence") or "")
    return sentence if level == "none" else f"{TITLES[level]}. {sentence}"


def _sentence(
    level: Level,
    reasons: Sequence[str],
    bound: ErrorBound | None,
    why_none: str,
    calibration: DirectionCalibration | None,
) -> str:
    if level == "red":
        return f"Do not rely on it. {reasons[0]}"
    if level == "amber":
        return f"With care. {reasons[0]}"
    if bound is None:
        return f"No verdict. {why_none}"
    units = f" {bound.units}" if bound.units else ""
    sentence = (
        "As on patients that the model had not seen: nine of ten voxels are expected "
        f"within ±{bound.mean:.3g}{units} of the real image on average."
    )
    tumour = None if calibration is None else calibration.coverage.get("tumour")
    if tumour is not None and tumour.mean < LEAST_OF_TUMOURS:
        held = f"{tumour.mean:.0%} of the voxels lay within it, in the worst patient {tumour.worst:.0%}"
        sentence += f" Not within tumours: there {held}."
    elif tumour is not None and tumour.worst < LEAST_OF_ONE:
        sentence += (
            f" Tumours may be missed: {tumour.mean:.0%} of their voxels lay within it, "
            f"but in the worst patient {tumour.worst:.0%}."
        )
    return sentence


def _outside(each: Compared) -> str:
    side = "below" if each.higher_is_better else "above"
    return f"{each.title} is {side} that of all left-out patients: {each.text()}."


def _worse_than_input(quality: Mapping[str, Any]) -> list[str]:
    paired = quality.get("reference") or {}
    floor = (paired.get("floors") or {}).get("input") or {}
    own, untouched = paired.get("psnr"), floor.get("psnr")
    if own is None or untouched is None or own >= untouched:
        return []
    numbers = f"the real image ({untouched:.1f} dB) than the translation ({own:.1f} dB)"
    return [f"By PSNR the input itself is closer to {numbers}."]


def _compared(quality: Mapping[str, Any], calibration: DirectionCalibration, bound: ErrorBound) -> list[Compared]:
    ranges, rows = calibration.ranges, []

    def add(key: str, title: str, value: Any, span: Range | None, unit: str, higher: bool, margin: Any = None) -> None:
        if isinstance(value, int | float) and span is not None:
            rows.append(Compared(key, title, float(value), span.low, span.high, unit, higher, margin))

    if bound.expected_psnr is not None:
        value, low, high = bound.expected_psnr
        add("expected_psnr", "Expected PSNR", value, ranges.get("psnr"), "dB", True, (high - low) / 2)
    widths = ranges.get("mean_bound")
    if widths is not None:
        slope = bound.limit / calibration.uninformed
        widths = Range(low=widths.low * slope, high=widths.high * slope)
    add("mean_bound", "Mean error bound", bound.mean, widths, bound.units, False)
    share = ranges.get("untrusted_share")
    add("untrusted_share", "Body that tells no more than one grey", bound.untrusted_share, share, "", False)
    consistency = quality.get("semantic_consistency")
    if quality.get("semantic_consistency_method") == "self-similarity":
        add("semantic_consistency", "Semantic Consistency", consistency, ranges.get("semantic_consistency"), "", True)
    return rows


def _bound_entry(bound: ErrorBound) -> dict[str, Any]:
    expected = None
    if bound.expected_psnr is not None:
        expected = dict(zip(("value", "low", "high"), bound.expected_psnr, strict=True))
    return {
        "mean": bound.mean,
        "limit": bound.limit,
        "untrusted_share": bound.untrusted_share,
        "level": bound.level,
        "units": bound.units or "arbitrary",
        "expected_psnr": expected,
        "by": bound.quickness,
    }
