"""Tables of quality figures with their floors beside them, and what they warn of, from a report's ``quality``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CYCLE = (
    ("look_ahead_score", "Look-Ahead Score", "there and back again: mean error, out of 2", True),
    ("jigsaw_puzzle_error", "Jigsaw Puzzle Error", "the same after four translations", True),
)
PAIRED = (
    ("psnr", "PSNR (dB)", "inside the mask", "{:.2f}", False),
    ("ssim", "SSIM", "structural similarity, 1 is perfect", "{:.3f}", False),
    ("ms_ssim", "MS-SSIM", "the same on several scales", "{:.3f}", False),
    ("mae_normalised", "MAE, normalised", "mean absolute error, out of 2", "{:.3f}", True),
    ("mae", "MAE", "in the reference's own units", "{:.4g}", True),
)
FUSION = (
    ("q_abf", "Q^AB/F", "edges kept (Xydeas and Petrovic)", "{:.3f}"),
    ("piella", "Q", "structure kept (Piella and Heijmans)", "{:.3f}"),
    ("piella_weighted", "Q_W", "the same, weighted by salience", "{:.3f}"),
    ("piella_edge", "Q_E", "the same, with edges", "{:.3f}"),
    ("normalized_mutual_information_lowest", "Normalised MI, lowest", "with the input served worst", "{:.3f}"),
    ("entropy", "Entropy (bits)", "information in the image; noise raises it too", "{:.2f}"),
)
FLOOR_TITLES = {
    "input": "Floor: the input itself",
    "histogram_matched": "Floor: histogram matched",
    "reference": "Floor: reference alone",
    "average": "Floor: plain average",
}
STYLE_SHOWN = ("flicker", "flicker_content", "content_flicker", "flicker_independent", "seconds_per_slice")
MUCH_FLICKER = 3.0  # times the input's own change from slice to slice
HIDDEN_SIGNAL = 1.5  # times the error without noise from which the way back is said to live on a hidden signal


@dataclass(frozen=True)
class Row:
    """One figure: its name, what it means, its cells as text (the value first), and a verdict."""

    name: str
    meaning: str
    cells: list[str]
    verdict: str = ""


@dataclass(frozen=True)
class Table:
    """columns: headings of the cells. note: below it. judged: whether the rows have verdicts."""

    title: str
    columns: list[str]
    rows: list[Row]
    note: str = ""

    @property
    def judged(self) -> bool:
        return any(row.verdict for row in self.rows)


@dataclass
class Figures:
    """All tables of one report or volume, and sentences on what the figures warn of."""

    tables: list[Table] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def figures_of(quality: Mapping[str, Any]) -> Figures:
    """Everything that ``quality`` holds, figures that are not known included."""
    made = Figures()
    _cycle(quality, made)
    _paired(quality.get("reference"), made)
    _sets(quality.get("kid"), made)
    _tissues(quality.get("tissue_contrast"), made)
    _fusion(quality, made)
    _style(quality, made)
    _others(quality, made)
    return made


def number(value: Any, form: str = "{:.4g}") -> str:
    """A figure as text; a dash where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    return form.format(value)


def _cycle(quality: Mapping[str, Any], made: Figures) -> None:
    rows = []
    for key, name, meaning, _ in CYCLE:
        value, raw = quality.get(key), quality.get(f"{key}_raw")
        if _given(value):
            rows.append(Row(name, f"{meaning}; 0 is perfect", [number(value, "{:.3f}"), number(raw, "{:.3f}")]))
            if _given(raw) and raw > 0 and value > HIDDEN_SIGNAL * raw:
                made.warnings.append(
                    f"{name}: {value:.3f} with rounding and noise, {raw:.3f} without. The translation hides a faint "
                    "copy of the input that the way back reads; do not trust the way back."
                )
    if _given(quality.get("semantic_consistency")):
        how = {"dice": "Dice of the labels", "self-similarity": "agreement of local structure"}
        meaning = how.get(str(quality.get("semantic_consistency_method")), "agreement of structure")
        value = number(quality["semantic_consistency"], "{:.3f}")
        rows.append(Row("Semantic Consistency", f"{meaning} of input and translation; 1 is perfect", [value, "–"]))
    if _given(quality.get("disagreement")):
        meaning = "standard deviation over planes, flips and shifts, out of 2; 0 is perfect"
        rows.append(Row("Disagreement", meaning, [number(quality["disagreement"], "{:.3f}"), "–"]))
    if not rows:
        return
    notes = ["Each translation on the way is rounded to 8 bits and given noise of 3/255 before the way back."]
    if _given(quality.get("cycle_slices")):
        count = quality["cycle_slices"]
        notes.append(f"Judged on {count:g} slice{'' if count == 1 else 's'}.")
    notes.append(_where(quality))
    made.tables.append(
        Table("Without a reference", ["Value", "Without noise"], rows, " ".join(note for note in notes if note))
    )


def _where(quality: Mapping[str, Any]) -> str:
    kinds = {"body": "body mask that was found", "given": "mask that was given"}
    kind = kinds.get(str(quality.get("mask")))
    share = quality.get("mask_fraction")
    return f"Inside the {kind}" + (f" ({share:.0%} of all voxels)." if _given(share) else ".") if kind else ""


def _paired(paired: Any, made: Figures) -> None:
    if not isinstance(paired, Mapping):
        return
    floors = paired.get("floors") or {}
    rows, worse = [], []
    for key, name, meaning, form, low_is_good in PAIRED:
        if not _given(paired.get(key)):
            continue
        beside = [floors[floor].get(key) for floor in floors if isinstance(floors[floor], Mapping)]
        verdict = _verdict(paired[key], beside, low_is_good)
        if verdict == "worse than doing nothing":
            worse.append(name)
        rows.append(Row(name, meaning, [number(value, form) for value in (paired[key], *beside)], verdict))
    if not rows:
        return
    if worse:
        made.warnings.append(
            f"By {', '.join(worse)} the input itself is closer to the real image than the translation."
        )
    columns = ["Value", *(FLOOR_TITLES.get(floor, floor.replace("_", " ").capitalize()) for floor in floors)]
    notes = []
    if isinstance(paired.get("psnr_range"), list) and len(paired["psnr_range"]) == 2:
        low, high = (number(value) for value in paired["psnr_range"])
        notes.append(f"PSNR and SSIM for the range {low} to {high} ({paired.get('compared_in', '')}).")
    notes.append(str(paired.get("floors_note") or ""))
    made.tables.append(Table("Against the registered real image", columns, rows, " ".join(n for n in notes if n)))


def _verdict(value: float, floors: Sequence[Any], low_is_good: bool) -> str:
    """In words: the first floor is the input itself."""
    known = [floor for floor in floors if _given(floor)]
    if not known:
        return ""
    better = [value < floor if low_is_good else value > floor for floor in known]
    if all(better):
        return "better than every floor"
    return "better than the input only" if better[0] else "worse than doing nothing"


def _sets(distance: Any, made: Figures) -> None:
    if not isinstance(distance, Mapping) or not _given(distance.get("value")):
        return
    floors = {k: v for k, v in (distance.get("floors") or {}).items() if _given(v)}
    spread = distance.get("deviation")
    value = number(distance["value"]) + (f" ± {number(spread, '{:.2g}')}" if _given(spread) else "")
    verdict = _verdict(distance["value"], list(floors.values()), low_is_good=True)
    if verdict == "worse than doing nothing":
        made.warnings.append("By KID the inputs as they are look more like the target domain than the translations.")
    counts = [
        f"{distance[key]:g} {name}"
        for key, name in (("translated_slices", "translated slices"), ("reference_slices", "real ones"))
        if _given(distance.get(key))
    ]
    note = f"{' against '.join(counts)}. {distance.get('features', '')}".strip(". ") + "."
    row = Row("KID", "distance of the two sets' looks; 0 is best", [value, *map(number, floors.values())], verdict)
    columns = ["Value", *(FLOOR_TITLES.get(floor, floor) for floor in floors)]
    made.tables.append(Table("Translations and real images as sets", columns, [row], note))


def _tissues(contrast: Any, made: Figures) -> None:
    if not isinstance(contrast, Mapping) or not isinstance(contrast.get("tissues"), Mapping):
        return
    rows = [
        Row(str(name), f"{values.get('voxels', 0):g} voxels", [number(values.get(k)) for k in ("before", "after")])
        for name, values in contrast["tissues"].items()
    ]
    order = " < ".join(map(str, contrast.get("order_after") or []))
    expected = contrast.get("expected")
    note = f"After the translation: {order}."
    if expected:
        wanted = " < ".join(map(str, expected))
        note += f" Expected of the target domain: {wanted}."
        if contrast.get("as_expected") is False:
            made.warnings.append(f"The tissues come out in the wrong order: {order} instead of {wanted}.")
    made.tables.append(Table("Mean of each tissue", ["Before", "After"], rows, note))


def _fusion(quality: Mapping[str, Any], made: Figures) -> None:
    if not _given(quality.get("q_abf")):
        return
    floors = {k: v for k, v in (quality.get("floors") or {}).items() if isinstance(v, Mapping)}
    sides = [quality, *floors.values()]
    rows = []
    for key, name, meaning, form in FUSION:
        if _given(quality.get(key)):
            below = [
                FLOOR_TITLES.get(floor, floor).removeprefix("Floor: ")
                for floor, values in floors.items()
                if _given(values.get(key)) and values[key] > quality[key]
            ]
            verdict = f"below {' and '.join(below)}" if below else "above every floor"
            cells = [number(side.get(key), form) for side in sides]
            rows.append(Row(name, meaning, cells, "" if key == "entropy" or not floors else verdict))
    names = quality.get("inputs") or []
    for key, name, meaning in (
        ("mutual_information", "Mutual information (bits)", "with"),
        ("normalized_mutual_information", "Normalised MI", "1 for equal images, with"),
    ):
        values = [side.get(key) or [] for side in sides]
        for place in range(len(values[0])):
            which = names[place] if place < len(names) else f"input {place + 1}"
            cells = [number(each[place] if place < len(each) else None, "{:.3f}") for each in values]
            rows.append(Row(name, f"{meaning} {which}", cells))
    columns = ["Value", *(FLOOR_TITLES.get(floor, floor) for floor in floors)]
    note = f"{quality.get('floors_note') or ''} {_where(quality)}".strip()
    made.tables.append(Table("What the fusion kept of its inputs", columns, rows, note))


def _style(quality: Mapping[str, Any], made: Figures) -> None:
    """What an optimised style came to."""
    own = next((quality[key] for key in ("flicker_content", "content_flicker") if _given(quality.get(key))), None)
    if _given(quality.get("flicker")):
        alone = quality.get("flicker_independent")
        cells = [number(value, "{:.4f}") for value in (quality["flicker"], own, alone)]
        columns = ["Value", "The input's own", "Slices by themselves"]
        row = Row("Flicker", "mean change between neighbours in the body, of 1; near the input's is good", cells)
        made.tables.append(Table("From slice to slice", columns, [row]))
        if own is not None and quality["flicker"] > MUCH_FLICKER * own:
            made.warnings.append(
                f"The result changes from slice to slice {quality['flicker'] / max(own, 1e-9):.1f} times as much as "
                "the input: it flickers when scrolled."
            )
    losses = quality.get("losses")
    if isinstance(losses, Mapping):
        rows = [Row(str(name).capitalize(), "", [number(value)]) for name, value in losses.items() if _given(value)]
        if rows:
            made.tables.append(Table("Losses at the end", ["Value"], rows))
    if _given(quality.get("seconds_per_slice")):
        row = Row("Seconds per slice", "", [number(quality["seconds_per_slice"], "{:.2f}")])
        made.tables.append(Table("Speed", ["Value"], [row]))


def _others(quality: Mapping[str, Any], made: Figures) -> None:
    """Numbers that no table above has."""
    shown = {key for key, *_ in CYCLE} | {f"{key}_raw" for key, *_ in CYCLE} | {key for key, *_ in FUSION}
    shown |= {"semantic_consistency", "cycle_slices", "mask_fraction", "disagreement", *STYLE_SHOWN}
    rows = [
        Row(str(key).replace("_", " ").capitalize(), "", [number(value)])
        for key, value in quality.items()
        if key not in shown and _given(value)
    ]
    if rows:
        made.tables.append(Table("Other figures", ["Value"], rows))


def _given(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
