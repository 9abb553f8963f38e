"""The slices a page shows: whose they are, how they lie, which are chosen, what is said of those that are missing."""

import shutil

import numpy as np
import SimpleITK as sitk
from page_reader import Page, page_of, sheet, tile

from surgical_style_engine.app.report import new_report, read_report, write_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume
from training_cli.report_page.page import build_page
from training_cli.report_page.pictures import pictures_of
from training_cli.report_page.sheets import choose_slices


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


def test_choice_of_slices():
    body = np.zeros(200, bool)
    body[40:160] = True
    chosen = choose_slices(body, [3, 77], 64)
    assert len(chosen) <= 64 and {3, 77, 40, 159} <= set(chosen) and chosen == sorted(set(chosen))
    assert max(np.diff([index for index in chosen if 40 <= index <= 159])) <= 3
    assert choose_slices(body[:64], [], 64) == list(range(64))
    assert len(choose_slices(np.zeros(100, bool), [], 10)) == 10


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
