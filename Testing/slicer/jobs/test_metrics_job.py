"""A sequence is judged frame by frame; the panel shows the mean."""

import csv
from pathlib import Path

import numpy as np
import pytest

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_means_are_taken_number_by_number(slicer_app):
    from SurgicalStyleTransferLib.jobs.metrics_job import mean

    first = {"a": 1.0, "b": None, "c": "text", "d": {"e": [1, None, 3]}, "f": None, "g": True}
    second = {"a": 3.0, "b": 4.0, "c": "other", "d": {"e": [3, 5, float("nan")]}, "f": None, "g": False}
    found = mean([first, second])
    assert found.pop("frames") == [first, second]
    assert found == {"a": 2.0, "b": 4.0, "c": "text", "d": {"e": [2, 5, 3]}, "f": None, "g": True}
    assert mean([first]) is first


def test_all_frames_of_a_sequence_are_judged(slicer_app, ready, apply, until, sequence, volume, tmp_path):
    _browser, proxy = sequence
    widget = ready(node=proxy, frames="all", figures="all", referenceVolume=volume("Reference", seed=9))
    said = []
    status = widget.panel.context.status
    show = status.show
    status.show = lambda text, error=False: (said.append(text), show(text, error))
    apply(widget)
    until(lambda: widget.panel.quality.verdict is not None, "the figures")
    figures = widget.panel.quality.verdict.metrics
    scores = [frame["look_ahead_score"] for frame in figures["frames"]]
    assert len(scores) == 3 and len(set(scores)) == 3
    assert figures["look_ahead_score"] == pytest.approx(np.mean(scores))
    psnr = [frame["reference"]["psnr"] for frame in figures["frames"]]
    assert figures["reference"]["psnr"] == pytest.approx(np.mean(psnr))
    table = widget.ui.figuresTable
    shown = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount)}
    assert shown["Frames"] == "3" and shown["Lost there and back"] == f"{np.mean(scores):.4f}"
    totals = {text.rsplit(" of ", 1)[1] for text in said if "Judging it" in text}
    assert any(int(text.rstrip(".")) % 3 == 0 for text in totals)
    widget.panel.quality.export(str(tmp_path / "figures.csv"))
    lines = list(csv.reader((tmp_path / "figures.csv").open(encoding="utf-8")))
    start = next(index for index, line in enumerate(lines) if line[:1] == ["Frame"])
    column = lines[start].index("Look-Ahead Score")
    assert [line[column] for line in lines[start + 1 :]] == [f"{score:.4f}" for score in scores]


def test_stopped_between_two_frames(slicer_app, ready, apply, until, sequence):
    _browser, proxy = sequence
    widget = ready(node=proxy, frames="all", figures="off")
    apply(widget)
    widget.ui.computeButton.click()
    until(lambda: widget.logic.engine.metrics_job.frames_done == 1, "the first frame's figures")
    widget.ui.computeButton.click()
    until(lambda: widget.logic.engine.metrics_job is None, "the end")
    assert widget.panel.quality.verdict is None
