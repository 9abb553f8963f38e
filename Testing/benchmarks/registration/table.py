"""The figures of the tries as tables: only tries that every listed method has done are compared."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

FAILED_MM = 5.0  # mean error of a try from which it has failed
FAR_MM = 15.0  # mean motion that makes a try a far one
RANGES_MM = (0, 10, 20, 30, 45, 60, 200)  # of the mean motion, for the capture range


def tables(rows: Sequence[dict]) -> str:
    """Markdown: rigid and deformable, folds and check patients; each pair of methods on the tries that both did."""
    parts = []
    for kind in ("rigid", "far", "turned", "deformable"):
        for checks in (False, True):
            chosen = [row for row in rows if row["kind"] == kind and bool(row["fold"]) != checks]
            methods = list(dict.fromkeys(row["method"] for row in chosen))
            counts = sorted({_keys(chosen, [method]) for method in methods}, key=len, reverse=True)
            for keys in counts:
                listed = [method for method in methods if keys <= _keys(chosen, [method])]
                parts.append(_table(chosen, keys, listed, f"{kind}{', check patients' if checks else ''}"))
    parts.append(capture_range([row for row in rows if row["kind"] != "deformable" and row["fold"]]))
    return "\n\n".join(parts)


def capture_range(rows: Sequence[dict]) -> str:
    """Markdown: how many rigid registrations came home, by the mean motion in the body."""
    spans = list(itertools.pairwise(RANGES_MM))
    lines = [
        "capture range: came home, of the tries moved by so many mm",
        "",
        "| |" + "".join(f" {low} to {high} |" for low, high in spans),
        "|---|" + "---|" * len(spans),
    ]
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = []
        for low, high in spans:
            bad = [failed(row) for row in rows if row["method"] == method and low <= row["moved"] < high]
            cells.append(f" {len(bad) - sum(bad)} of {len(bad)} |" if bad else " |")
        lines.append(f"| {method} |" + "".join(cells))
    return "\n".join(lines)


def failed(row: dict) -> bool:
    """Whether a registration failed: refused, more than FAILED_MM off, or no better than nothing."""
    return "failed" in row or row["mean"] > FAILED_MM or row["mean"] >= row["moved"]


def _keys(rows: Sequence[dict], methods: Sequence[str]) -> frozenset[str]:
    found = [{row["key"] for row in rows if row["method"] == method} for method in methods]
    return frozenset(set.intersection(*found)) if found else frozenset()


def _table(rows: Sequence[dict], keys: frozenset[str], methods: Sequence[str], title: str) -> str:
    lines = [
        f"{title}, {len(keys)} tries",
        "",
        "| | median error (mm) | 95 % | failed | failed, moved by over 15 mm | mean of what did not fail | CPU (s) |",
        "|---|---|---|---|---|---|---|",
    ]
    for method in methods:
        own = [row for row in rows if row["method"] == method and row["key"] in keys]
        errors = np.array([row.get("mean", row["moved"]) for row in own])
        bad = np.array([failed(row) for row in own])
        far = np.array([row["moved"] > FAR_MM for row in own])
        lines.append(
            f"| {method} | {np.median(errors):.2f} | {np.percentile(errors, 95):.2f} | {bad.sum()} | "
            f"{(bad & far).sum()} of {far.sum()} | {errors[~bad].mean() if (~bad).any() else float('nan'):.2f} | "
            f"{np.median([row['seconds'] for row in own]):.1f} |"
        )
    return "\n".join(lines)
