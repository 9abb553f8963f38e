"""The tables of docs/trust.md from the results of a calibration.

python -m Testing.benchmarks.quality.uncertainty.tables
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..protocol import RESULTS

COVERAGES = (
    ("all", "all"),
    ("dark", "dark"),
    ("middle", "middle"),
    ("bright", "bright"),
    ("tissue 0", "tissue, dark"),
    ("tissue 1", "middle"),
    ("tissue 2", "bright"),
    ("tumour", "tumours"),
)


def coverage_rows(entries: list[dict]) -> list[str]:
    """Coverage of the quick bounds in %: mean and standard deviation over left-out patients, and the worst."""
    heads = " | ".join(title for _, title in COVERAGES)
    lines = [f"| | folds | patients | {heads} |", "|---|---|---|" + "---|" * len(COVERAGES)]
    for entry in entries:
        table = entry["quick"]["coverage"]
        cells = [_covered(table.get(key)) for key, _ in COVERAGES]
        ways = f"{entry['source']} to {entry['target']}"
        lines.append(f"| {ways} | {', '.join(entry['folds'])} | {table['all']['patients']} | {' | '.join(cells)} |")
    return lines


def width_rows(entries: list[dict]) -> list[str]:
    """Mean widths, errors of the surest voxels, and what the width says of the PSNR."""
    lines = [
        "| | mean bound, quick | full | one bound for all voxels | disagreement of variants | error of the surest 10 % "
        "| 50 % | all | PSNR by the width: slope | rank correlation |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        quick, full, psnr = entry["quick"], entry.get("full"), entry["psnr"]
        widths = [_number(quick["width"]), _number(full and full["width"])]
        widths += [_number(entry.get(key) and entry[key]["width"]) for key in ("one_bound", "disagreement")]
        risks = [_number(quick["risk"][place]) for place in (0, 4, 9)]
        expected = ["-", "-"] if psnr is None else [f"{psnr['slope']:.1f}", f"{psnr['spearman']:.2f}"]
        ways = f"{entry['source']} to {entry['target']}"
        lines.append(f"| {ways} | {' | '.join([*widths, *risks, *expected])} |")
    return lines


def check_rows(entries: list[dict]) -> list[str]:
    """Coverage of the check patients in %, mean width, and their PSNR."""
    lines = ["| | patient | all | tumour | mean bound | PSNR (dB) |", "|---|---|---|---|---|---|"]
    for entry in entries:
        for name, figures in entry["patients"].items():
            tumour = f"{100 * figures['tumour']:.0f}" if "tumour" in figures else "-"
            ways = f"{entry['source']} to {entry['target']}"
            covered = f"{100 * figures['coverage']:.0f}"
            lines.append(f"| {ways} | {name} | {covered} | {tumour} | {figures['width']:.3f} | {figures['psnr']:.1f} |")
    return lines


def _covered(values: dict | None) -> str:
    if values is None:
        return "-"
    return f"{100 * values['mean']:.0f} ± {100 * values['deviation']:.0f} ({100 * values['worst']:.0f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--result", type=Path, default=RESULTS / "uncertainty.json")
    parser.add_argument("--checks", type=Path, default=RESULTS / "uncertainty-checks.json")
    arguments = parser.parse_args()
    entries = [entry for entry in json.loads(arguments.result.read_text(encoding="utf-8")) if "quick" in entry]
    for rows in (coverage_rows(entries), width_rows(entries)):
        print("\n".join(rows), end="\n\n")
    if arguments.checks.exists():
        print("\n".join(check_rows(json.loads(arguments.checks.read_text(encoding="utf-8")))))


if __name__ == "__main__":
    main()
