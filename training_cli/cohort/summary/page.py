"""The page of a cohort: how many volumes are done, each metric over all of them, outliers first."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from surgical_style_engine.app.trust.verdict import TITLES
from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.common.version import __version__
from surgical_style_engine.errors import StyleTransferError
from training_cli.cohort.run.cohort_run import DETAILS, Places
from training_cli.cohort.run.manifest import BETWEEN, DONE, FAILED, MISFIT, NAME, WAITING, Row, read_manifest
from training_cli.report_page.page import environment, part

from .outliers import Column, Standing, columns_of, standings_of

PAGE = "summary.html"
MOST_PICTURES = 120  # in the page itself; further volumes have links
_URGENCY = {"red": 0, "amber": 1}


@dataclass(frozen=True)
class Shown:
    """One volume's line.

    Attributes:
        row: Of the manifest.
        standing: How far it stands out.
        why: In a few words, by which metric; empty where it does not.
        cells: Its metrics as texts.
        picture: data: URI; empty for none.
        link: Of the picture's file.
    """

    row: Row
    standing: Standing
    why: str
    cells: list[str]
    picture: str
    link: str

    @property
    def warnings(self) -> list[str]:
        """Sentences."""
        return [text for text in self.row.warnings.split(BETWEEN) if text]


def write_page(folder: Path, title: str) -> Path:
    """Make the summary page of the manifest in a folder, beside it.

    Args:
        folder: Where the manifest is.
        title: Of the page.

    Raises:
        InputError: Where there is no manifest.
        StyleTransferError: Where the page cannot be written.
    """
    metrics, rows = read_manifest(folder / NAME)
    page = folder / PAGE
    try:
        with replacing(page) as temporary:
            temporary.write_text(page_of(rows, metrics, folder, title), encoding="utf-8", errors="replace")
    except OSError as error:
        raise StyleTransferError(f"Cannot write the page {page}: {error.strerror or error}.") from None
    return page


def page_of(rows: Sequence[Row], metrics: Sequence[str], folder: Path, title: str) -> str:
    """The HTML of the summary page.

    Args:
        rows: Of the manifest.
        metrics: Names of its columns of metrics.
        folder: Where the manifest and the volumes' pictures are.
        title: Of the page.
    """
    done = [row for row in rows if row.state == DONE]
    columns = columns_of(done, [*metrics, "seconds"])
    standings = standings_of(done, columns)
    ordered = sorted(done, key=lambda row: _place(row, standings[row.volume]))
    shown = [_shown(row, standings[row.volume], columns, folder, at) for at, row in enumerate(ordered)]
    verdicts = Counter(row.verdict for row in done)
    return (
        environment()
        .get_template("cohort.html")
        .render(
            title=title,
            style=part("page.css"),
            version=__version__,
            written=datetime.now().strftime("%Y-%m-%d %H:%M"),
            counts=_counts(rows),
            verdicts=[(TITLES[level], verdicts[level]) for level in TITLES if verdicts[level]],
            verdict_titles=TITLES,
            failed=[row for row in rows if row.state == FAILED],
            misfits=[row for row in rows if row.state == MISFIT],
            waiting=sum(row.state == WAITING for row in rows),
            columns=columns,
            volumes=shown,
            outliers=sum(standing.is_outlier for standing in standings.values()),
        )
    )


def _place(row: Row, standing: Standing) -> tuple[Any, ...]:
    """What lines are sorted by: outliers and red verdicts first."""
    urgent = 0 if standing.is_outlier else _URGENCY.get(row.verdict, 2)
    return urgent, -standing.score, row.volume


def _shown(row: Row, standing: Standing, columns: Sequence[Column], folder: Path, at: int) -> Shown:
    why = ""
    if standing.is_outlier:
        column = next(column for column in columns if column.name == standing.column)
        low, middle, high = (column.text(value) for value in column.quartiles[1:4])
        why = f"{column.title} {column.text(row.number(column.name))}; half of all {low} to {high}, median {middle}"
    cells = [column.text(row.number(column.name)) for column in columns]
    link = quote(f"{DETAILS}/{row.volume}.png")
    picture = _picture(Places(folder).picture(row.volume)) if at < MOST_PICTURES else ""
    return Shown(row, standing, why, cells, picture, link)


def _picture(path: Path) -> str:
    try:
        return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return ""


def _counts(rows: Sequence[Row]) -> list[tuple[str, int]]:
    counts = Counter(row.state for row in rows)
    titles = {DONE: "Done", FAILED: "Failed", MISFIT: "Do not fit, left out", WAITING: "Not done yet"}
    return [("Volumes", len(rows)), *((text, counts[state]) for state, text in titles.items() if counts[state])]
