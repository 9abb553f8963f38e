"""The registry of metrics: what it says of a report, and metrics that are added from outside."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from surgical_style_engine.metrics import registry
from surgical_style_engine.metrics.registry import JudgedCase, Metric, add_computed, lines

QUALITY = {
    "look_ahead_score": 0.12345,
    "look_ahead_score_raw": 0.1,
    "jigsaw_puzzle_error": None,
    "semantic_consistency": 0.5,
    "mask_fraction": 0.25,
    "reference": {
        "compared_in": "HU",
        "mae": 123.456,
        "psnr": float("inf"),
        "ssim": 0.75,
        "floors": {"input": {"ssim": 0.5, "mae": 200.0}, "histogram_matched": {"ssim": None, "mae": 150.0}},
    },
    "kid": {"value": 0.1, "deviation": 0.01, "floors": {"input": 0.4, "histogram_matched": 0.2}},
    "slices": {"axis": "z"},
}


def test_lines_of_a_report_are_in_the_order_of_the_tables():
    found = {line.metric.key: line for line in lines(QUALITY)}
    assert list(found) == ["look_ahead_score", "semantic_consistency", "ssim", "mae", "kernel_mmd"]
    assert found["look_ahead_score"].raw == 0.1 and found["look_ahead_score"].text() == "0.123"
    assert found["look_ahead_score"].text(precise=True) == "0.1235"
    assert found["look_ahead_score"].remark() == "raw 0.100; 0 is perfect"
    assert found["ssim"].floors == {"input": 0.5, "histogram_matched": None}
    assert found["ssim"].remark() == "the input itself 0.500, histogram matched –"
    assert found["mae"].text() == "123.5 HU", "in the reference's units"
    assert found["kernel_mmd"].floors == {"input": 0.4, "histogram_matched": 0.2}
    assert [line.metric.key for line in lines(QUALITY, registry.ABOUT)] == ["mask_fraction"]
    every = [(line.metric.key, line.text()) for line in lines(QUALITY, registry.CYCLE, missing=True)]
    assert every == [("look_ahead_score", "0.123"), ("jigsaw_puzzle_error", registry.NOTHING)]


def test_units_and_what_is_no_number():
    psnr, mae = registry.metric("psnr"), registry.metric("mae")
    assert psnr.text(17.2) == "17.20 dB" and psnr.number(17.2) == "17.20" and psnr.heading == "PSNR (dB)"
    assert mae.text(3.0) == "3" and mae.heading == "MAE"
    for nothing in (None, float("nan"), float("inf"), "1", True):
        assert psnr.text(nothing) == registry.NOTHING


def test_the_better_of_two():
    assert registry.metric("psnr").better(20, 10) and not registry.metric("psnr").better(10, 20)
    assert registry.metric("mae").better(10, 20) and not registry.metric("entropy").better(2, 1)


def test_slices_know_their_metric():
    assert registry.of_slices("look_ahead").key == "look_ahead_score" and registry.of_slices("psnr").unit == "dB"
    assert registry.of_slices("unheard of") is None
    assert [registry.of_slices(key).slice_heading for key in ("look_ahead", "psnr")] == [
        "Look-Ahead error",
        "PSNR (dB)",
    ]


def test_every_metric_is_whole_and_has_a_place_of_its_own():
    known = registry.metrics()
    assert len({entry.path for entry in known}) == len({entry.key for entry in known}) == len(known)
    for entry in known:
        assert entry.title and entry.plain and entry.help and entry.precise
        assert entry.format.format(0.5) and entry.precise.format(0.5)
        assert entry.needs_reference == (entry.group == registry.REFERENCE)


@pytest.fixture
def added():
    keys = []

    def add(**fields):
        keys.append(registry.register(Metric(**fields)).key)

    yield add
    for key in keys:
        registry.unregister(key)


def case(**more):
    rng = np.random.default_rng(0)
    source, delivered, reference = (rng.uniform(-1, 1, (1, 4, 8, 8)).astype(np.float32) for _ in range(3))
    region = np.zeros((4, 8, 8), bool)
    region[1:3] = True
    return JudgedCase(source, delivered, region, **{"reference": reference, **more})


def test_a_metric_from_outside_is_computed_and_shown(added):
    added(
        key="bias",
        title="Bias",
        plain="mean difference",
        unit="of 2",
        compute=lambda c: float((c.delivered - c.source)[:, c.region].mean()),
    )
    added(
        key="worst",
        title="Worst voxel",
        plain="largest difference",
        higher_is_better=False,
        needs_reference=True,
        compute=lambda c: float(np.abs(c.delivered - c.reference)[:, c.region].max()),
    )
    judged = case(valid=np.arange(4)[:, None, None] * np.ones((4, 8, 8)) < 2)
    quality = {"reference": {"psnr": 12.0, "floors": {"input": {"psnr": 9.0}}}}
    add_computed(quality, judged, {"input": judged.source})
    difference = np.abs(judged.delivered - judged.reference)
    assert quality["bias"] == pytest.approx((judged.delivered - judged.source)[:, 1:3].mean(), abs=1e-6)
    assert quality["reference"]["worst"] == difference[:, 1].max() < difference[:, 1:3].max(), "where it is covered"
    floor = quality["reference"]["floors"]["input"]
    assert floor["worst"] == np.abs(judged.source - judged.reference)[:, 1].max() and floor["psnr"] == 9.0
    shown = {line.metric.key: line.text() for line in lines(quality)}
    assert shown["bias"].endswith(" of 2") and list(shown) == ["bias", "psnr", "worst"]


def test_without_a_reference_nothing_is_compared(added):
    added(key="worst", title="Worst", plain="x", needs_reference=True, compute=lambda c: 1.0)
    for quality, judged in (({}, case()), ({"reference": None}, case()), ({"reference": {}}, case(reference=None))):
        before = dict(quality)
        add_computed(quality, judged)
        assert quality == before


def test_a_metric_without_a_value_is_null(added):
    added(key="sometimes", title="Sometimes", plain="x", compute=lambda c: None)
    quality = {}
    add_computed(quality, case())
    assert quality == {"sometimes": None} and lines(quality) == []


def test_keys_and_places_are_taken_once(added):
    for fields in ({"key": "ssim"}, {"key": "other", "path": ("reference", "ssim")}):
        with pytest.raises(ValueError, match="ssim"):
            registry.register(Metric(title="x", plain="x", **fields))
    with pytest.raises(ValueError, match="group"):
        Metric("x", "x", "x", group="unheard of")


def test_packages_from_outside_are_found(tmp_path, monkeypatch):
    (tmp_path / "their_metrics.py").write_text(
        "from surgical_style_engine.metrics.registry import Metric, register\n"
        "register(Metric('theirs', 'Theirs', 'from outside', compute=lambda case: 1.0))\n"
    )
    (tmp_path / "broken_metrics.py").write_text("raise RuntimeError('no such thing')\n")
    information = tmp_path / "theirs-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        f"[{registry.ENTRY_POINTS}]\nbroken = broken_metrics\ntheirs = their_metrics\n"
    )
    script = "from surgical_style_engine.metrics.registry import metric; print(metric('theirs').title)"
    path = ":".join([str(tmp_path), *sys.path]) if sys.platform != "win32" else ";".join([str(tmp_path), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": path}, capture_output=True, text=True, timeout=120
    )
    assert ended.stdout.strip() == "Theirs", ended.stderr
    assert "broken_metrics cannot be loaded: no such thing" in ended.stderr


def test_it_is_light():
    script = (
        "import sys; import surgical_style_engine.metrics.registry;"
        "print([name for name in ('torch', 'SimpleITK', 'pydantic', 'scipy', 'monai') if name in sys.modules])"
    )
    environment = {"PYTHONPATH": (";" if sys.platform == "win32" else ":").join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert ended.stdout.strip() == "[]", ended.stderr


def test_the_metric_of_the_documentation():
    text = (Path(__file__).parents[3] / "docs" / "extending.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "metrics.registry" in block)
    exec(compile(code, "extending.md", "exec"), {"__name__": "their_metrics"})
    try:
        judged = case()
        quality = {"reference": {"psnr": 12.0}}
        add_computed(quality, judged, {"input": judged.source, "perfect": judged.reference})
        line = next(line for line in lines(quality) if line.metric.key == "edges_kept")
        assert 0 < line.value < 1 and line.floors["perfect"] == 1 and line.metric.meaning.endswith("1 is perfect")
    finally:
        registry.unregister("edges_kept")
