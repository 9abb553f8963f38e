"""`sst report` of a training's folder and of a style transfer: curves, samples, card, figures."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from surgical_style_engine.app.report import new_report, write_report
from surgical_style_engine.imageio.write import write_volume
from training_cli.report_page.charts import POINTS, chart, optimisation_charts
from training_cli.report_page.training_run import build_run_page, read_run


@pytest.fixture
def run(tmp_path, tiny_model):
    """A run folder as ``sst train`` leaves it: 600 steps, an identity term every second one, three samples."""
    folder = tmp_path / "SMITH_run"
    (folder / "samples").mkdir(parents=True)
    columns = ("step", "seconds", "waiting", "learning_rate", "generators", "cycle", "identity", "nce")
    with (folder / "losses.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        for step in range(1, 601):
            writer.writerow(
                {
                    "step": step,
                    "seconds": 0.5,
                    "waiting": 0.05,
                    "learning_rate": 2e-4,
                    "generators": 100 / step,
                    "cycle": 0.3 - step * 1e-4,
                    "identity": 0.1 if step % 2 else "",
                    "nce": "",
                }
            )
        stream.write("601,0.5,0.0")  # a crash
    (folder / "config.json").write_text(
        json.dumps(
            {
                "name": "brain",
                "source_name": "T1w",
                "target_name": "T2w",
                "source": "/patients/smith",
                "method": "cyclegan",
                "lambda_cycle": 10.0,
                "max_steps": None,
            }
        )
    )
    for step in (200, 400, 600):
        Image.fromarray(np.full((40, 240), step // 3, np.uint8)).save(folder / "samples" / f"step-{step:08d}.png")
    shutil.copytree(tiny_model, folder / "model" / "tiny")
    return folder


def test_what_a_run_folder_tells(run):
    found = read_run(run)
    assert found.steps == 600 and found.minutes == pytest.approx(5) and found.waiting == pytest.approx(0.1)
    assert [each.title for each in found.charts] == ["Generators, all terms", "Cycle", "Identity", "Learning rate"]
    generators, cycle = found.charts[:2]
    assert generators.note.startswith("logarithmic axis") and "means of 2 steps" in generators.note
    assert not cycle.note.startswith("log") and (cycle.first, cycle.last) == (1, 600)
    assert cycle.final == pytest.approx(0.24, abs=2e-4) and cycle.high == pytest.approx(0.3, abs=3e-4)
    assert [caption for caption, *_ in found.samples] == ["Step 600", "Step 400", "Step 200"]
    assert found.warnings == []


def test_the_page_of_a_training(sst, run):
    ended = sst("report", run)
    assert ended.code == 0 and str(run / "report.html") in ended.out, ended
    text = (run / "report.html").read_text()
    assert "Training T1w to T2w: brain" in text and "Weight of the cycle" in text and "Step 600" in text
    assert "Model card" in text and "Research." in text and "Steps" in text
    assert text.count("data:image/jpeg;base64,") == 3 and "/patients/smith" not in text
    assert "SMITH_run" in text and "SMITH" not in build_run_page(run, anonymous=True)
    assert not re.search(r"(src|href)=\"(?!data:|#)", text) and "<script" not in text


def test_a_run_that_is_not_over(sst, refused, run, tmp_path):
    shutil.rmtree(run / "model")
    shutil.rmtree(run / "samples")
    (run / "config.json").write_text("{")
    found = read_run(run)
    assert "No model was exported" in found.warnings[0] and "no sample pictures" in found.warnings[1]
    assert sst("report", run, "--output", tmp_path / "p.html").code == 0
    (run / "losses.csv").write_text("step,seconds\n")
    assert "tells no step" in refused("report", run, "--output", tmp_path / "q.html")
    assert not (tmp_path / "q.html").exists()


def test_waiting_for_data_is_said(run):
    text = (run / "losses.csv").read_text().replace(",0.05,", ",0.4,")
    (run / "losses.csv").write_text(text)
    assert any("80% of the time went into waiting for data" in each for each in read_run(run).warnings)


def test_charts():
    assert chart("x", [1], [3.0]) is None and chart("x", [1, 2], [None, float("nan")]) is None
    flat = chart("x", [1, 2, 3], [2.0, 2.0, 2.0])
    assert flat.path == "M0.00 95.00L50.00 95.00L100.00 95.00" and flat.note == ""
    long = chart("x", range(1000), np.linspace(1, 2, 1000).tolist())
    assert long.path.count("L") == POINTS - 1 and long.note == "means of 4 steps"
    made = optimisation_charts({"loss_curve": [{"scale": s, "total": t} for s in (2, 1) for t in (9.0, 4.0)]})
    assert [each.title for each in made] == ["Loss at scale 2", "Loss at scale 1"]
    assert optimisation_charts({"curve": [3.0, 2.0, 1.0]})[0].final == 1 and optimisation_charts({}) == []


@pytest.fixture
def stylized(head_volume, tmp_path):
    """The report of a style transfer, its volumes and the style's picture beside it."""
    volume = head_volume()
    write_volume(volume, tmp_path / "t1.nrrd")
    write_volume(volume.with_array((900 - volume.array).astype(np.int16)), tmp_path / "styled.nrrd")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 80, 3), np.uint8)).save(tmp_path / "smith.png")
    quality = {
        "semantic_consistency": 0.8,
        "features": "vgg19",
        "flicker": 0.09,
        "flicker_content": 0.02,
        "losses": {"style": 0.004, "content": 0.1},
        "seconds_per_slice": 1.5,
        "loss_curve": [{"scale": 1, "total": 5.0 / k} for k in range(1, 20)],
        "slices": {"axis": "z", "look_ahead": None, "semantic_consistency": [0.8] * 6 + [0.3] + [0.8] * 3},
    }
    model = {
        "name": "tiny",
        "title": "Style of smith",
        "direction": "forward",
        "from": "T1w",
        "to": "smith",
        "sha256": "ab" * 32,
        "intended_use": "Illustration.",
        "style": str(tmp_path / "smith.png"),
    }
    report = new_report(
        inputs=str(tmp_path / "t1.nrrd"),
        output=str(tmp_path / "styled.nrrd"),
        model=model,
        seconds=15.0,
        slices=10,
        quality=quality,
        warnings=[],
        strength=1.0,
    )
    return write_report(tmp_path / "s.json", report)


def test_the_page_of_a_style_transfer(sst, stylized):
    assert sst("report", stylized).code == 0
    text = stylized.with_suffix(".html").read_text()
    assert "Style transfer T1w to smith: t1.nrrd" in text and "Illustration." in text
    for words in ("Flicker", "0.0900", "0.0200", "4.5 times as much", "Losses at the end", "Loss at scale 1", "1.50"):
        assert words in text, words
    assert 'data-slice="6"' in text and "Model card" not in text
    pictures = text.count("data:image/jpeg;base64,")
    stylized.with_name("smith.png").unlink()
    assert sst("report", stylized).code == 0
    assert stylized.with_suffix(".html").read_text().count("data:image/jpeg;base64,") == pictures - 1


@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser_both_pages_are_quiet_and_fit(sst, browser, run, stylized, tmp_path, width):
    from selenium.webdriver.common.by import By

    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for source in (run, stylized):
        page = tmp_path / f"{source.name}.html"
        assert sst("report", source, "--output", page).code == 0
        browser.get("about:blank")
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(page.as_uri())
        assert [each for each in browser.get_log("browser") if "getImageData" not in each["message"]] == []
        messages = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
        urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        assert all(url.startswith("data:") or url == page.as_uri() for url in urls), urls
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        for image in browser.find_elements(By.CSS_SELECTOR, ".sample img"):
            assert image.get_property("naturalWidth") > 0 and image.is_displayed()
    # One click goes to the worst slice of the style transfer.
    button = browser.find_element(By.CSS_SELECTOR, "button[data-slice]")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    assert browser.find_element(By.TAG_NAME, "output").text.startswith("Slice 7 of 10")
