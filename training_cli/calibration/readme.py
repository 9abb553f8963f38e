"""What a model's README says of its calibration."""

from __future__ import annotations

from pathlib import Path

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.models.calibration import Calibration, Coverage
from surgical_style_engine.models.card import ModelCard

HEADING = "## How far it errs"
_ROWS = ("all", "dark", "middle", "bright", "tumour")


def section(card: ModelCard, calibration: Calibration) -> str:
    """The section, Markdown.

    Args:
        card: Of the model.
        calibration: Of the model.
    """
    lines = [
        HEADING,
        "",
        f"Error bounds calibrated on {calibration.data}. Share of voxels within the bound, mean and standard deviation "
        "over left-out patients, and the worst of them; dark, middle and bright are three classes of "
        "the translation's intensities.",
        "",
        f"| | patients | {' | '.join(_ROWS)} | PSNR |",
        "|---|---|" + "---|" * (len(_ROWS) + 1),
    ]
    for direction, known in calibration.directions.items():
        cells = [_cell(known.coverage.get(name)) for name in _ROWS]
        psnr = known.ranges.get("psnr")
        spread = "-" if psnr is None else f"{psnr.low:.1f} to {psnr.high:.1f} dB"
        ways = f"{card.domain_from(direction).name} to {card.domain_to(direction).name}"
        lines.append(f"| {ways} | {known.patients} | {' | '.join(cells)} | {spread} |")
    missing = [name for name in card.directions if name not in calibration.directions]
    for direction in missing:
        ways = f"{card.domain_from(direction).name} to {card.domain_to(direction).name}"
        lines += ["", f"{ways} is not calibrated."]
    return "\n".join(lines) + "\n"


def put_section(folder: Path, text: str) -> None:
    """Put the section at the end of a model folder's README, in the place of an earlier one. Raises OSError."""
    path = folder / "README.md"
    before = path.read_text(encoding="utf-8").split(HEADING)[0].rstrip()
    with replacing(path) as temporary:
        temporary.write_text(f"{before}\n\n{text}", encoding="utf-8")


def _cell(coverage: Coverage | None) -> str:
    if coverage is None:
        return "-"
    return f"{100 * coverage.mean:.0f} ± {100 * coverage.deviation:.0f} %, {100 * coverage.worst:.0f} %"
