"""`sst report`: what the page holds, what it leaves out, and what it refuses."""

import json
import re

import numpy as np
from page_reader import Page, page_of, sheet

from surgical_style_engine.app.report import new_report, read_report, write_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume
from training_cli.report_page.cases import MOST_CASES
from training_cli.report_page.page import build_page


def test_a_page_of_a_translation(sst, run, tmp_path):
    report = read_report(run / "report.json")
    page = page_of(sst, run / "report.json", to=tmp_path / "p.html")
    assert "Synthetic image, not for diagnosis" in page.text and "T1w to T2w" in page.text
    for name in ("SMITH_JOHN_T1.nrrd", "SMITH_JOHN_T2.nrrd", report["model"]["sha256"], "Intended use", "Research."):
        assert name in page.text, name
    assert f"{report['quality']['look_ahead_score']:.3f}" in page.text
    assert f"{report['quality']['semantic_consistency']:.3f}" in page.text
    assert str(run) not in page.text, "folders may be named after patients"
    (viewer,) = page.viewers
    assert [pane["title"] for pane in viewer["panes"]] == ["Input (T1w)", "Translation (T2w)", "Cycle error"]
    assert viewer["slices"] == list(range(10)) and viewer["total"] == 10
    assert [name for name in ("h1",) if len(page.all(name)) == 1] and len(page.all("h2")) >= 4


def test_the_card_is_that_of_the_very_weights(sst, run, tmp_path):
    report = read_report(run / "report.json")
    assert "Licence of the weights" in page_of(sst, run / "report.json").text
    for change in ({"sha256": "0" * 64}, {"folder": str(tmp_path / "gone")}):
        write_report(tmp_path / "r.json", {**report, "model": {**report["model"], **change}})
        page = page_of(sst, tmp_path / "r.json")
        assert "card is not at hand" in page.text and "Licence of the weights" not in page.text
        assert page.viewers[0]["panes"][0]["title"] == "Input", "domains are the card's"


def test_text_of_a_report_is_never_markup(sst, run, tmp_path):
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    report = read_report(run / "report.json")
    report["warnings"] = [evil]
    report["model"]["title"] = evil
    report["quality"]["slices"][evil] = report["quality"]["slices"]["look_ahead"]
    write_report(tmp_path / "r.json", report)
    page = page_of(sst, tmp_path / "r.json")
    assert len(page.all("script")) == 2 and all("onerror" not in attributes for _, attributes in page.elements)
    assert evil in page.text


def test_nothing_is_loaded_from_elsewhere(sst, run):
    page = page_of(sst, run / "report.json")
    for tag, attributes in page.elements:
        for key in ("src", "href", "srcset", "action", "poster", "data"):
            value = attributes.get(key, "#")
            assert value.startswith(("data:", "#")), (tag, key, value)
    text = (run / "report.html").read_text()
    assert not re.search(r"https?://|@import|url\(", text)
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy.partition("script-src")[2]


def test_images_and_controls_have_names(sst, run):
    page = page_of(sst, run / "report.json")
    assert all(image.get("alt") for image in page.all("img")) and page.all("img")
    assert all(canvas.get("aria-label") for canvas in page.all("canvas"))
    assert all(svg.get("role") == "img" and svg.get("aria-label") for svg in page.all("svg"))
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def test_a_page_of_an_evaluation(sst, cohort):
    report = read_report(cohort / "r.json")
    assert all(set(entry["maps"]) == {"cycle_error", "translation", "reference"} for entry in report["volumes"])
    page = page_of(sst, cohort / "r.json")
    assert len(page.viewers) == 2
    titles = ["Input (T1w)", "Translation (T2w)", "Real T2w", "Cycle error", "Difference to the real image"]
    assert [pane["title"] for pane in page.viewers[1]["panes"]] == titles
    assert {"#volume-1", "#volume-2"} <= {link.get("href") for link in page.all("a")}
    assert {"volume-1", "volume-2"} <= {section.get("id") for section in page.all("section")}
    for words in ("Floor: histogram matched", "Kernel MMD of slice statistics", "mean of all volumes"):
        assert words in page.text
    assert f"{report['quality']['reference']['psnr']:.2f}" in page.text
    assert [each["title"] for each in page.viewers[0]["curves"]] == [
        "Look-Ahead error",
        "Semantic Consistency",
        "MAE",
        "PSNR (dB)",
        "SSIM",
    ]


def test_an_evaluation_without_maps_says_how_to_get_pictures(sst, cohort, tmp_path):
    report = read_report(cohort / "r.json")
    for entry in report["volumes"]:
        entry["maps"] = {}
    write_report(tmp_path / "r.json", report)
    page = page_of(sst, tmp_path / "r.json")
    assert page.viewers == [] and "--maps" in page.text


def test_large_cohorts_get_few_pictures(cohort):
    report = read_report(cohort / "r.json")
    report["volumes"] = report["volumes"] * MOST_CASES
    page = Page(build_page(report, cohort / "r.json"))
    assert len(page.viewers) == MOST_CASES and max(len(viewer["slices"]) for viewer in page.viewers) <= 10
    assert f"first {MOST_CASES} volumes only" in page.text


def test_a_page_of_a_demo(sst, run, head_volume, tiny_model, tmp_path):
    volume = head_volume()
    write_volume(volume.with_array((900 - volume.array) * (volume.array > 0)), tmp_path / "T2.nrrd")
    ended = sst(
        "demo",
        run / "SMITH_JOHN_T1.nrrd",
        "--reference",
        tmp_path / "T2.nrrd",
        "--model",
        tiny_model,
        "--device",
        "cpu",
        "--output",
        tmp_path / "out",
        "--maps",
        tmp_path / "absent" / "maps",
    )
    assert ended.code == 2 and "does not exist" in ended.err and not (tmp_path / "out").exists()
    ended = sst(
        "demo",
        run / "SMITH_JOHN_T1.nrrd",
        "--reference",
        tmp_path / "T2.nrrd",
        "--model",
        tiny_model,
        "--device",
        "cpu",
        "--output",
        tmp_path / "out",
        "--maps",
        tmp_path / "out" / "maps",
    )
    assert ended.code == 0, ended
    page = page_of(sst, tmp_path / "out" / "report.json")
    titles = ["Input (T1w)", "Translation (T2w)", "Real T2w", "Cycle error", "Difference to the real image"]
    assert [pane["title"] for pane in page.viewers[0]["panes"]] == titles
    assert "Floor: histogram matched" in page.text


def test_a_fusion_lies_as_its_report_says(sst, run, tmp_path):
    """The other volume is drawn through the transform of the report, not where its header puts it."""
    reference = read_volume(run / "SMITH_JOHN_T1.nrrd")
    moved = Volume(reference.array, reference.spacing, tuple(np.asarray(reference.origin) + 10.0), reference.direction)
    write_volume(moved, tmp_path / "other.nrrd")
    matrix = np.column_stack([np.eye(3), [10.0, 10.0, 10.0]]).tolist()
    quality = {
        "mutual_information": [1.0, 2.0],
        "q_abf": 0.6,
        "inputs": ["SMITH_JOHN_T1.nrrd", "other.nrrd"],
        "floors": {"reference": {"q_abf": 0.5, "mutual_information": [3.0, 0.5]}, "average": {"q_abf": 0.7}},
    }
    report = new_report(
        inputs=[str(run / "SMITH_JOHN_T1.nrrd"), str(tmp_path / "other.nrrd")],
        output=str(run / "SMITH_JOHN_T2.nrrd"),
        quality=quality,
        fusion={
            "method": "pyramid",
            "weights": [0.5, 0.5],
            "registrations": [
                {
                    "input": "other.nrrd",
                    "method": "rigid",
                    "rotation_deg": 0.0,
                    "translation_mm": 17.3,
                    "matrix": matrix,
                },
            ],
        },
    )
    write_report(tmp_path / "f.json", report)
    page = page_of(sst, tmp_path / "f.json")
    titles = [pane["title"] for pane in page.viewers[0]["panes"]]
    assert titles == ["Reference: SMITH_JOHN_T1.nrrd", "Other: other.nrrd", "Fusion"]
    first, second = (sheet(page.viewers[0]["panes"][pane]["sheet"]) for pane in (0, 1))
    assert np.abs(first - second).mean() < 2
    assert "Fusion: SMITH_JOHN_T1.nrrd and 1 more" in page.text and "below plain average" in page.text
    assert "17.3 mm moved" in page.text and "pyramid" in page.text
    hidden = page_of(sst, tmp_path / "f.json", "--anonymous")
    assert "with volume 2" in hidden.text and "other.nrrd" not in hidden.text


def test_what_is_refused_leaves_nothing(refused, run, tmp_path):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "other.json").write_text('{"inputs": []}')
    report = read_report(run / "report.json")
    (tmp_path / "odd.json").write_text(json.dumps({**report, "quality": {"slices": {"look_ahead": 3}}, "volumes": [7]}))
    good = run / "report.json"
    (tmp_path / "out").mkdir()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    to = ("--output", tmp_path / "out" / "p.html")
    for arguments, words in (
        ((tmp_path / "absent.json", *to), "does not exist"),
        ((tmp_path, *to), "no file"),
        ((tmp_path / "bad.json", *to), "not JSON"),
        ((tmp_path / "other.json", *to), "not a report"),
        ((tmp_path / "odd.json", *to), "not a report"),
        ((run / "SMITH_JOHN_T1.nrrd", *to), "not JSON"),
        ((good, "--output", tmp_path / "absent" / "p.html"), "does not exist"),
        ((good, "--output", tmp_path / "out"), "folder"),
        ((good, "--output", good), ".html"),
    ):
        sentence = refused("report", *arguments)
        assert words in sentence, (arguments, sentence)
        assert sorted(path.name for path in tmp_path.rglob("*")) == before, arguments


def test_an_unwritable_place_is_one_sentence(refused, run, tmp_path, monkeypatch):
    import errno
    import os

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    sentence = refused("report", run / "report.json", "--output", tmp_path / "p.html", code=1)
    assert "No space left" in sentence and list(tmp_path.iterdir()) == []
