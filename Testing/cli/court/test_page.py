"""Tables and intervals of a comparison, and that the page escapes what it is given."""

import numpy as np
import pytest

from surgical_style_engine.app.court import Verdicts
from training_cli.court.page import differences_of, page_of, tables_of

ENTRY = {
    "contrasts": {"source": "T1w", "target": "T2w"},
    "figures": [{"key": "psnr"}, {"key": "edge_offset_mm"}],
    "candidates": [
        {
            "name": name,
            "rank": rank,
            "mean": {"psnr": psnr, "edge_offset_mm": None},
            "patients": {"p1": {"psnr": psnr, "edge_offset_mm": None}},
            "lesions": None,
        }
        for name, rank, psnr in (("<b>worse</b>", 2.0, 17.0), ("better", 1.0, 19.0))
    ],
    "floors": {"input": {"psnr": 9.0}, "real_image": {"edge_offset_mm": 0.2}},
    "differences": [
        {"first": "<b>worse</b>", "second": "better", "figure": "psnr", "difference": -2.0, "low": -3.0, "high": -1.0}
    ],
    "people": 4,
    "methods": {"rank": "mean"},
    "machine": {"better": {"seconds": 1.5, "cpu_seconds": 1.0, "peak_mb": None}},
}


def test_the_best_comes_first_and_floors_last():
    first, machine = tables_of(ENTRY)
    assert [row.name for row in first.rows] == ["better", "<b>worse</b>", "the input itself", "the real image"]
    assert first.columns == ["Mean rank", "PSNR (dB)", "Edge offset (mm)"]
    assert first.rows[0].cells == ["1.00", "19.00", "–"] and first.rows[3].cells == ["", "–", "0.20"]
    assert machine.rows[0].cells == ["1.50", "1.00", "–"]


def test_an_interval_on_one_side_decides():
    ((heading, (line,)),) = differences_of(ENTRY)
    assert heading == "PSNR (dB)" and line.decided == "better" and line.text == "-2 (-3 to -1)"
    assert line.low == pytest.approx(2) and line.at == pytest.approx(18) and line.high == pytest.approx(34)


def test_without_an_interval_nothing_is_decided():
    pair = {**ENTRY["differences"][0], "low": None, "high": None}
    ((_, (line,)),) = differences_of({**ENTRY, "differences": [pair]})
    assert line.decided == "" and line.text == "-2"


def test_the_page_loads_nothing_and_escapes_names():
    page = page_of(
        Verdicts(ENTRY, {"Input": [np.zeros((20, 30), np.float32)]}, ["<i>care\x1b[31m</i>"]), "T1w\x1b to T2w"
    )
    assert "\x1b" not in page, "escapes of a terminal"
    assert "&lt;b&gt;worse" in page and "<b>worse" not in page and "<i>care" not in page
    assert page.count("data:image/jpeg;base64,") == 1 and 'src="http' not in page
