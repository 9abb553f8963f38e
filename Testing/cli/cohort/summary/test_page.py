"""The page of a cohort: all volumes, outliers first, and no more work than there are rows and pictures."""

import re
from pathlib import Path

import numpy as np

from training_cli.cohort.run.manifest import Manifest, Row
from training_cli.cohort.summary import page

METRICS = ("look_ahead_score", "semantic_consistency", "mean_bound")


def manifest(folder, count, **special):
    """A manifest of ``count`` volumes with ordinary metrics; ``special`` are values of "p3" and so on."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        values = dict(zip(METRICS, rng.normal((0.05, 0.9, 80.0), (0.005, 0.01, 4.0)), strict=True))
        values |= special.get(f"p{number}", {})
        texts = {name: f"{value:.6g}" for name, value in values.items()}
        rows.append(Row(f"p{number}.nii.gz", "done", f"{rng.uniform(1, 2):.3f}", "green", metrics=texts))
    manifest = Manifest(folder)
    manifest.begin(rows, METRICS)
    return manifest


def volumes_of(html):
    return re.findall(r'<th scope="row">(p\d+\.nii\.gz)', html)


def test_outliers_come_first_with_their_reason(tmp_path):
    manifest(tmp_path, 30, p17={"semantic_consistency": 0.5}, p4={"look_ahead_score": 0.001}, p9={"mean_bound": 140.0})
    html = page.write_page(tmp_path, "T1w to T2w").read_text()
    assert volumes_of(html)[:2] == ["p17.nii.gz", "p9.nii.gz"]  # p4 is only better than the others
    assert len(volumes_of(html)) == 30 and html.count("Stands out:") == 2
    assert "Stands out: Semantic Consistency 0.500; half of all 0.89" in html


def test_with_few_volumes_none_is_called_usual(tmp_path):
    manifest(tmp_path, 7, p3={"semantic_consistency": 0.1})
    assert "Stands out:" not in page.write_page(tmp_path, "x").read_text()


def test_what_is_not_done_is_told_and_nothing_is_markup(tmp_path):
    made = manifest(tmp_path, 2)
    made.record(Row("<b>x.nii", "failed", reason="It is <script> bad."))
    made.record(Row("ct.nii", "misfit", reason="It is CT."))
    made.record(Row("later.nii"))
    html = page.write_page(tmp_path, "a & b").read_text()
    assert "&lt;b&gt;x.nii</strong>: It is &lt;script&gt; bad." in html and "<script" not in html
    assert "<strong>ct.nii</strong>: It is CT." in html and "<dt>Not done yet</dt><dd>1</dd>" in html
    assert "<h1>a &amp; b</h1>" in html


def test_ten_thousand_volumes_are_one_file_and_a_bounded_number_of_pictures(tmp_path, monkeypatch):
    manifest(tmp_path, 10_000, p77={"semantic_consistency": 0.2})
    read = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or original(path))
    parsed = []
    numbers = Row.number
    monkeypatch.setattr(Row, "number", lambda row, name: parsed.append(name) or numbers(row, name))
    html = page.write_page(tmp_path, "x").read_text()
    assert read.count("manifest.csv") == 1 and len(read) == 1 + page.MOST_PICTURES
    assert volumes_of(html)[0] == "p77.nii.gz" and len(set(volumes_of(html))) == 10_000
    assert len(parsed) <= 4 * (len(METRICS) + 1) * 10_000  # nothing is looked at again and again
    assert len(html) < 10_000_000
