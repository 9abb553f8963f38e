"""`sst report`: what the page holds, what it leaves out, what it refuses, and that it works in a browser."""

import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from surgical_style_engine.app.maps import NOT_JUDGED
from surgical_style_engine.app.report import new_report, read_report, write_report
from surgical_style_engine.imageio.volume_io import read_volume, write_volume
from surgical_style_engine.volumes.volume import Volume
from training_cli.report_page.curves import curve, worst_slices
from training_cli.report_page.figures import figures_of
from training_cli.report_page.names import Names
from training_cli.report_page.page import MOST_CASES, build_page
from training_cli.report_page.pictures import choose_slices, pictures_of

VOID = {"meta", "link", "img", "input", "br", "path"}


class Page(HTMLParser):
    """A page taken apart: text people see, elements with their attributes, the viewers' data; tags must match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements, self.words, self.viewers, self._open = [], [], [], []
        self.feed(text)
        assert not self._open, self._open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append((tag, dict(attributes).get("class", "")))

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open and self._open[-1][0] == tag, (tag, self._open, self.getpos())
            self._open.pop()

    def handle_data(self, data):
        inside = self._open[-1] if self._open else ("", "")
        if inside == ("script", "data"):
            self.viewers.append(json.loads(data))
        elif inside[0] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def sheet(uri: str) -> np.ndarray:
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(float)


def tile(viewer: dict, pane: int, place: int) -> np.ndarray:
    """The pixels of one slice in a pane's sheet."""
    width, height = viewer["tile"]
    row, column = divmod(place, viewer["columns"])
    image = sheet(viewer["panes"][pane]["sheet"])
    return image[row * height : (row + 1) * height, column * width : (column + 1) * width]


@pytest.fixture(scope="module")
def run(tmp_path_factory, head_volume, tiny_model):
    """A folder with a real run of a tiny model: SMITH_JOHN_T1.nrrd, its translation, maps, and report.json."""
    from training_cli.main import main

    folder = tmp_path_factory.mktemp("run")
    write_volume(head_volume(), folder / "SMITH_JOHN_T1.nrrd")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                str(word)
                for word in (
                    "translate",
                    folder / "SMITH_JOHN_T1.nrrd",
                    folder / "SMITH_JOHN_T2.nrrd",
                    "--model",
                    tiny_model,
                    "--device",
                    "cpu",
                    "--report",
                    folder / "report.json",
                    "--maps",
                    folder / "maps",
                    "--progress",
                    "none",
                )
            ]
        )
    assert not ended.value.code
    return folder


def page_of(sst, report, *options, to=None) -> Page:
    to = to or report.with_suffix(".html")
    ended = sst("report", report, "--output", to, *options)
    assert ended.code == 0 and ended.err == "" and str(to) in ended.out, ended
    return Page(to.read_text(encoding="utf-8"))


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


def test_the_pictures_are_those_of_the_volumes(run):
    """Slice by slice, in the file's order: the sheet follows the voxels, and the error map those that were judged."""
    entry = {
        "input": str(run / "SMITH_JOHN_T1.nrrd"),
        "output": str(run / "SMITH_JOHN_T2.nrrd"),
        "maps": {"cycle_error": str(run / "maps" / "SMITH_JOHN_T1_cycle_error.nii.gz")},
    }
    made = pictures_of(entry, None, "forward", run)
    assert made.notes == [] and [pane.kind for pane in made.panes] == ["source", "translation", "error"]
    source, error = read_volume(entry["input"]).array[0], read_volume(entry["maps"]["cycle_error"]).array[0]
    viewer = {"tile": made.tile, "columns": made.columns, "panes": [{"sheet": pane.sheet} for pane in made.panes]}
    assert made.positions[0] != made.positions[-1] and made.positions[0].endswith(" mm")
    for place in range(10):
        for pane, array in ((0, source[place]), (2, error[place])):
            picture = tile(viewer, pane, place)
            picture = picture if picture.ndim == 2 else picture.sum(axis=2)
            # Spacing 1.1 x 0.9: drawn in square pixels.
            expected = sitk.GetImageFromArray(array.astype(np.float32))
            ratio = [a / b for a, b in zip(expected.GetSize(), made.tile, strict=True)]
            shrunk = sitk.Resample(
                expected,
                list(made.tile),
                sitk.Transform(),
                sitk.sitkLinear,
                [(r - 1) / 2 for r in ratio],
                ratio,
                [1, 0, 0, 1],
            )
            wanted = sitk.GetArrayFromImage(shrunk)
            if wanted.std() > 0.02:  # JPEG has its own idea of slices with next to nothing in them
                assert np.corrcoef(picture.ravel(), wanted.ravel())[0, 1] > 0.9, (pane, place)


def test_patients_left_is_on_the_right_and_anterior_up(tmp_path):
    """A volume stored along L, A, S turned about: one bright corner must come out where a radiologist looks for it."""
    array = np.zeros((1, 6, 24, 20), np.float32)
    array[:, :, 4:20, 4:16] = 100
    array[:, :, 14:18, 5:8] = 400  # high y, low x
    # x runs to Right, y to Anterior: the corner is anterior and on the patient's left.
    volume = Volume(array, (1, 1, 4), direction=np.diag([-1.0, -1.0, 1.0]))
    write_volume(volume, tmp_path / "a.nrrd")
    write_volume(volume.with_array(array * 2 + 1), tmp_path / "b.nrrd")
    entry = {"input": str(tmp_path / "a.nrrd"), "output": str(tmp_path / "b.nrrd")}
    made = pictures_of(entry, None, "forward", tmp_path)
    assert made.plane == "axial" and made.tile == (20, 24)
    picture = sheet(made.panes[0].sheet)[:24, :20]
    quarters = [picture[:12, :10], picture[:12, 10:], picture[12:, :10], picture[12:, 10:]]
    assert int(np.argmax([part.mean() for part in quarters])) == 1


def test_slices_of_another_axis_are_counted_as_the_report_does(tmp_path):
    array = np.random.default_rng(0).integers(50, 60, (1, 20, 22, 5)).astype(np.float32)
    array[..., 3] += 200
    volume = Volume(array, (5.0, 1.0, 2.0), (0, 0, 0), np.diag([-1.0, 1.0, 1.0]))
    write_volume(volume, tmp_path / "s.nrrd")
    write_volume(volume.with_array(array + 1), tmp_path / "t.nrrd")
    entry = {
        "input": str(tmp_path / "s.nrrd"),
        "output": str(tmp_path / "t.nrrd"),
        "quality": {"slices": {"axis": "x"}},
    }
    made = pictures_of(entry, None, "forward", tmp_path)
    assert made.plane == "sagittal" and made.total == 5 and made.tile == (22, 40), "2 mm high, 1 mm wide pixels"
    viewer = {"tile": made.tile, "columns": made.columns, "panes": [{"sheet": made.panes[0].sheet}]}
    means = [tile(viewer, 0, place).mean() for place in range(5)]
    assert int(np.argmax(means)) == 3 and made.positions[3] == "R 15.0 mm"


def test_without_the_volumes_it_says_so(sst, run, tmp_path):
    (tmp_path / "r.json").write_text((run / "report.json").read_text())
    report = read_report(tmp_path / "r.json")
    report.update(inputs=["/gone/a_T1.nrrd"], output="/gone/a_T2.nrrd", maps={"cycle_error": "/gone/a_error.nii.gz"})
    write_report(tmp_path / "r.json", report)
    page = page_of(sst, tmp_path / "r.json")
    assert page.viewers == [] and page.all("canvas") == [] and page.all("img") == []
    assert "a_T2.nrrd is not there any more" in page.text and "no pictures of this volume" in page.text
    assert "/gone" not in page.text
    assert len(page.all("svg")) == 2 and "Worst: slice" in page.text, "curves and figures stay"
    # The input alone is missing: the translation is shown without it.
    report.update(output=str(run / "SMITH_JOHN_T2.nrrd"))
    write_report(tmp_path / "r.json", report)
    page = page_of(sst, tmp_path / "r.json")
    assert [pane["title"] for pane in page.viewers[0]["panes"]] == ["Translation (T2w)"]
    assert "a_T1.nrrd is not there any more" in page.text


def test_what_moved_along_with_the_report_is_found(sst, run, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(run, copy)
    report = read_report(copy / "report.json")
    for key, path in (("inputs", ["/gone/SMITH_JOHN_T1.nrrd"]), ("output", "SMITH_JOHN_T2.nrrd")):
        report[key] = path
    write_report(copy / "report.json", report)
    assert len(page_of(sst, copy / "report.json").viewers[0]["panes"]) == 3


def test_damaged_and_foreign_volumes_become_sentences(sst, run, tmp_path):
    report = read_report(run / "report.json")
    cut = tmp_path / "cut.nrrd"
    cut.write_bytes((run / "SMITH_JOHN_T1.nrrd").read_bytes()[:-300])
    other = read_volume(run / "SMITH_JOHN_T1.nrrd")
    write_volume(Volume(other.array[:, :5], other.spacing), tmp_path / "other.nrrd")
    for path, words in ((cut, "truncated"), (tmp_path / "other.nrrd", "not on the grid")):
        write_report(tmp_path / "r.json", {**report, "inputs": [str(path)]})
        page = page_of(sst, tmp_path / "r.json")
        assert words in page.text and str(tmp_path) not in page.text
        assert page.viewers[0]["panes"][0]["kind"] == "translation"


def test_the_card_is_that_of_the_very_weights(sst, run, tmp_path):
    report = read_report(run / "report.json")
    assert "Licence of the weights" in page_of(sst, run / "report.json").text
    for change in ({"sha256": "0" * 64}, {"folder": str(tmp_path / "gone")}):
        write_report(tmp_path / "r.json", {**report, "model": {**report["model"], **change}})
        page = page_of(sst, tmp_path / "r.json")
        assert "card is not at hand" in page.text and "Licence of the weights" not in page.text
        assert page.viewers[0]["panes"][0]["title"] == "Input", "domains are the card's"


def test_anonymous_pages_name_no_file(sst, run, tmp_path):
    report = read_report(run / "report.json")
    report["warnings"] = [
        "SMITH_JOHN_T1.nrrd: odd.",
        f"{run}/SMITH_JOHN_T2.nrrd is odd.",
        "SMITH_JOHN_T1 has a T1w look.",
    ]
    report["failed"] = [{"input": f"{run}/MEIER.nii.gz", "reason": f"The file {run}/MEIER.nii.gz is damaged."}]
    write_report(run / "named.json", report)
    text = (build_page(report, run / "named.json", anonymous=True)).lower()
    for part in ("smith", "john", "meier", str(run).lower(), "named.json"):
        assert part not in text, part
    page = page_of(sst, run / "named.json", "--anonymous", to=tmp_path / "anonymous.html")
    assert "volume 1: odd." in page.text and "output 1 is odd." in page.text
    assert "volume 1 has a T1w look." in page.text and "The file volume 2 is damaged." in page.text
    assert len(page.viewers) == 1, "the pictures stay"
    assert "Tiny, tiny" in page.text, "and so does the model's name"
    named = page_of(sst, run / "named.json")
    assert "MEIER.nii.gz could not be translated" in named.text.replace(" :", ":")


def test_names():
    report = new_report(inputs=["/a/SMITH/t1.nii.gz", "D:\\scans\\Müller T2.nrrd"], output="/a/SMITH/t1_out.nii.gz")
    report["fusion"] = {"registrations": [{"input": "Müller T2.nrrd"}]}
    plain, hidden = Names(report), Names(report, anonymous=True)
    sentence = "/a/SMITH/t1.nii.gz and Müller T2.nrrd made t1_out; t1 is not t1w."
    assert plain.text(sentence) == "t1.nii.gz and Müller T2.nrrd made t1_out; t1 is not t1w."
    assert hidden.text(sentence) == "volume 1 and volume 2 made output 1; volume 1 is not t1w."
    stray = "See /data/MEIER/a b.txt, C:\\scans\\MEIER\\x and MEIER.nii.gz; 3/255 and his/her stay."
    assert plain.text(stray) == "See a b.txt, x and MEIER.nii.gz; 3/255 and his/her stay."
    assert "MEIER" not in hidden.text(stray) and "3/255 and his/her stay." in hidden.text(stray)
    assert hidden.of("Müller T2.nrrd") == "volume 2" and plain.of("D:\\scans\\Müller T2.nrrd") == "Müller T2.nrrd"


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


def test_worst_slices():
    values = [None, 0.1, 0.9, 0.8, 0.2, 0.3, 0.7, None, 0.6, 0.05]
    assert worst_slices(values, low_is_good=True) == [2, 6, 8]
    assert worst_slices(values, low_is_good=False) == [9, 1, 4]
    assert worst_slices([None, None, 0.5], low_is_good=True) == [2]
    made = curve("look_ahead", values)
    assert made.worst == [2, 6, 8] and (made.low, made.high) == (0.05, 0.9)
    assert made.path.count("M") == 2, "a gap where a slice was not judged"
    assert curve("look_ahead", [None, 0.3, None]) is None
    assert curve("unheard_of", [1.0, 2.0]).worst == []


def test_choice_of_slices():
    body = np.zeros(200, bool)
    body[40:160] = True
    chosen = choose_slices(body, [3, 77], 64)
    assert len(chosen) <= 64 and {3, 77, 40, 159} <= set(chosen) and chosen == sorted(set(chosen))
    assert max(np.diff([index for index in chosen if 40 <= index <= 159])) <= 3
    assert choose_slices(body[:64], [], 64) == list(range(64))
    assert len(choose_slices(np.zeros(100, bool), [], 10)) == 10


def test_floors_stand_beside_the_figures():
    floors = {"input": {"psnr": 20.0, "ssim": 0.5}, "histogram_matched": {"psnr": 22.0, "ssim": 0.7}}
    made = figures_of({"reference": {"psnr": 19.0, "ssim": 0.9, "floors": floors}})
    (table,) = made.tables
    assert table.columns == ["Value", "Floor: the input itself", "Floor: histogram matched"]
    assert [row.cells for row in table.rows] == [["19.00", "20.00", "22.00"], ["0.900", "0.500", "0.700"]]
    assert [row.verdict for row in table.rows] == ["worse than doing nothing", "better than every floor"]
    assert made.warnings == ["By PSNR (dB) the input itself is closer to the real image than the translation."]
    between = figures_of({"reference": {"psnr": 21.0, "floors": floors}})
    assert between.tables[0].rows[0].verdict == "better than the input only" and between.warnings == []


def test_what_figures_warn_of():
    hidden = figures_of({"look_ahead_score": 0.3, "look_ahead_score_raw": 0.1})
    assert "faint copy" in hidden.warnings[0]
    assert figures_of({"look_ahead_score": 0.3, "look_ahead_score_raw": 0.29}).warnings == []
    contrast = {
        "tissues": {name: {"before": 1.0, "after": 2.0, "voxels": 5} for name in ("white", "CSF")},
        "order_after": ["CSF", "white"],
        "expected": ["white", "CSF"],
        "as_expected": False,
    }
    assert "wrong order" in figures_of({"tissue_contrast": contrast}).warnings[0]
    kid = {"value": 0.5, "deviation": 0.1, "floors": {"input": 0.2, "histogram_matched": 0.4}}
    assert "KID" in figures_of({"kid": kid}).warnings[0]
    assert [table.title for table in figures_of({"new_figure": 3.0}).tables] == ["Other figures"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, head_volume, tiny_model):
    """The report of `sst evaluate` on two volumes with references on their own grids, maps kept."""
    from training_cli.main import main

    folder = tmp_path_factory.mktemp("cohort")
    for name in ("t1", "t2"):
        (folder / name).mkdir()
    for number in (1, 2):
        volume = head_volume(number, (12, 48, 48))
        write_volume(volume, folder / "t1" / f"p{number}_T1.nii.gz")
        second = volume.with_array((900 - volume.array) * (volume.array > 0))
        write_volume(second, folder / "t2" / f"p{number}_T2.nii.gz")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                str(word)
                for word in (
                    "evaluate",
                    "--model",
                    tiny_model,
                    "--source",
                    folder / "t1",
                    "--reference",
                    folder / "t2",
                    "--device",
                    "cpu",
                    "--report",
                    folder / "r.json",
                    "--maps",
                    folder / "maps",
                    "--progress",
                    "json",
                )
            ]
        )
    assert not ended.value.code
    return folder


def test_a_page_of_an_evaluation(sst, cohort):
    report = read_report(cohort / "r.json")
    assert all(set(entry["maps"]) == {"cycle_error", "translation", "reference"} for entry in report["volumes"])
    page = page_of(sst, cohort / "r.json")
    assert len(page.viewers) == 2
    titles = ["Input (T1w)", "Translation (T2w)", "Real T2w", "Cycle error", "Difference to the real image"]
    assert [pane["title"] for pane in page.viewers[1]["panes"]] == titles
    assert {"#volume-1", "#volume-2"} <= {link.get("href") for link in page.all("a")}
    assert {"volume-1", "volume-2"} <= {section.get("id") for section in page.all("section")}
    assert "Floor: histogram matched" in page.text and "KID" in page.text and "mean of all volumes" in page.text
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


def test_a_map_keeps_what_was_not_judged_apart(run):
    from surgical_style_engine.app.maps import save_maps
    from surgical_style_engine.metrics import CycleMetrics, CycleScore

    volume = read_volume(run / "SMITH_JOHN_T1.nrrd")
    error = np.full(volume.array.shape, np.nan, np.float32)
    error[:, 4] = 0.25
    score = CycleScore(0.25, 0.25)
    kept = save_maps(run / "some", "x", volume, CycleMetrics(score, None, error, error, 1), {})
    stored = read_volume(kept["cycle_error"])
    assert stored.same_grid(volume) and (stored.array[:, 4] == 0.25).all() and (stored.array[:, 5] == NOT_JUDGED).all()


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


def test_a_picture_in_colour(tmp_path):
    array = np.random.default_rng(0).integers(0, 255, (3, 1, 30, 40)).astype(np.uint8)
    write_volume(Volume(array, is_2d=True), tmp_path / "a.png")
    write_volume(Volume(255 - array, is_2d=True), tmp_path / "b.png")
    entry = {"input": str(tmp_path / "a.png"), "output": str(tmp_path / "b.png")}
    made = pictures_of(entry, None, "forward", tmp_path)
    assert made.total == 1 and made.tile == (40, 30)
    assert [pane.kind for pane in made.panes] == ["source", "translation", "error"]
    assert sheet(made.panes[0].sheet).shape == (30, 40, 3)


def test_a_large_volume_stays_small(tmp_path):
    """256 x 256 x 48 with the noise of a scan, three images: under 8 MB."""
    rng = np.random.default_rng(0)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (48, 256, 256)), indexing="ij")
    body = (z**2 + y**2 + x**2 < 0.9) * (500 + 200 * np.sin(20 * x) * np.cos(17 * y))
    volume = Volume((body + np.abs(rng.normal(0, 25, body.shape))).astype(np.float32)[None], (1, 1, 3))
    write_volume(volume, tmp_path / "a.nii.gz")
    write_volume(volume.with_array(1000 - volume.array), tmp_path / "b.nii.gz")
    report = new_report(inputs=str(tmp_path / "a.nii.gz"), output=str(tmp_path / "b.nii.gz"))
    page = build_page(report, tmp_path / "r.json")
    assert len(Page(page).viewers[0]["slices"]) == 48 and len(page) < 8e6


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


# In a real browser

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium behind its driver, with its console and network recorded; skips where it is not installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("Chromium and its driver are not installed (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()


@pytest.fixture
def opened(sst, browser, run, cohort, tmp_path):
    """``opened(name, width, dark)`` -> the browser with a page: 'translation' or 'evaluation'."""
    from selenium.webdriver.support.ui import WebDriverWait

    def show(name="translation", width=1280, dark=False):
        report = run / "report.json" if name == "translation" else cohort / "r.json"
        page = tmp_path / f"{name}.html"
        assert sst("report", report, "--output", page).code == 0
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        browser.get("about:blank")
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(page.as_uri())
        # Sheets are decoded when their viewer comes near the window.
        browser.execute_script("document.querySelector('.viewer').scrollIntoView()")
        WebDriverWait(browser, 20).until(lambda _: max(pixels(browser, 0)) > 0)
        return browser

    return show


def pixels(browser, canvas: int) -> list[int]:
    """Red values of a canvas of the page."""
    return browser.execute_script(
        "const c = document.querySelectorAll('canvas')[arguments[0]];"
        "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 == 0))",
        canvas,
    )


@pytest.mark.parametrize("name", ["translation", "evaluation"])
@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser_nothing_is_loaded_and_nothing_complained_about(opened, name, width):
    browser = opened(name, width, dark=width == 400)
    # A page whose pixels another test has read gets advice on reading them faster; the page itself reads none.
    assert [entry for entry in browser.get_log("browser") if "getImageData" not in entry["message"]] == []
    requests = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [each["params"]["request"]["url"] for each in requests if each["method"] == "Network.requestWillBeSent"]
    assert len([url for url in urls if url.startswith("file:")]) == 1, urls
    assert all(url.startswith(("file:", "data:", "about:")) for url in urls), urls
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    light = sum(int(part) for part in re.findall(r"\d+", background)[:3]) > 380
    assert light == (width == 1280), "follows the system's preference"


def test_in_a_browser_slices_scroll_and_fade(opened):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser = opened()
    viewer = browser.find_element(By.CLASS_NAME, "viewer")

    def readout():
        return browser.find_element(By.TAG_NAME, "output").text

    assert readout().startswith("Slice 6 of 10")
    before = pixels(browser, 0)
    viewer.send_keys(Keys.ARROW_RIGHT)
    assert readout().startswith("Slice 7 of 10") and pixels(browser, 0) != before
    viewer.send_keys(Keys.HOME)
    assert readout().startswith("Slice 1 of 10")
    viewer.send_keys(Keys.END, Keys.PAGE_DOWN)
    assert readout().startswith("Slice 5 of 10")
    browser.find_element(By.CLASS_NAME, "previous").click()
    assert readout().startswith("Slice 4 of 10")
    slider = browser.find_element(By.CLASS_NAME, "slice")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert readout().startswith("Slice 5 of 10") and "Slice 5" in slider.get_attribute("aria-valuetext")
    # One click goes to the worst slice.
    button = browser.find_element(By.CSS_SELECTOR, "button[data-slice]")
    button.click()
    worst = int(button.get_attribute("data-slice")) + 1
    assert readout().startswith(f"Slice {worst} of 10") and f"slice {worst} " in button.text
    mark = browser.find_element(By.CSS_SELECTOR, ".plot b")
    assert mark.is_displayed() and mark.get_attribute("style") == f"left: {100 * (worst - 0.5) / 10:g}%;"
    # Fade: at 0 the input alone, at 100 the translation alone.
    middle = viewer
    middle.send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 4)
    source, translation = pixels(browser, 0), pixels(browser, 1)
    viewer.send_keys("f")
    faded = len(browser.find_elements(By.TAG_NAME, "canvas")) - 1
    assert not browser.find_element(By.CLASS_NAME, "panes").is_displayed()
    mix = browser.find_element(By.CLASS_NAME, "mix")
    mix.send_keys(Keys.HOME)
    assert pixels(browser, faded) == source
    mix.send_keys(Keys.END)
    assert pixels(browser, faded) == translation and source != translation
    viewer.send_keys("f")
    assert browser.find_element(By.CLASS_NAME, "panes").is_displayed()


def test_in_a_browser_fingers_and_curves_work(opened):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
    from selenium.webdriver.common.actions.pointer_input import PointerInput
    from selenium.webdriver.common.by import By

    browser = opened("translation", 400)
    output = browser.find_element(By.TAG_NAME, "output")
    canvas = browser.find_element(By.TAG_NAME, "canvas")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    assert output.text.startswith("Slice 6 ")
    touch = ActionBuilder(browser, mouse=PointerInput(POINTER_TOUCH, "finger"))
    touch.pointer_action.move_to(canvas, -40, 0).pointer_down().move_to(canvas, 0, 0).move_to(canvas, 20, 0)
    touch.pointer_action.pointer_up()
    touch.perform()
    assert int(output.text.split()[1]) > 6, output.text
    area = browser.find_element(By.CSS_SELECTOR, ".plot .area")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", area)
    ActionChains(browser).move_to_element_with_offset(area, -area.size["width"] // 2 + 12, 0).click().perform()
    assert output.text.startswith("Slice 1 "), output.text


def test_in_a_browser_paper_shows_still_pictures(opened):
    from selenium.webdriver.common.by import By

    browser = opened("evaluation")
    still, viewer = browser.find_element(By.CLASS_NAME, "still"), browser.find_element(By.CLASS_NAME, "viewer")
    assert viewer.is_displayed() and not still.is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert still.is_displayed() and not viewer.is_displayed()
        assert browser.execute_script("return document.querySelector('.still img').naturalWidth") > 0
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
