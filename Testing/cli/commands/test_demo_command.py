"""`sst demo`: what a newcomer gets, on the template and on a volume of one's own."""

import numpy as np
import pytest

from surgical_style_engine.app.report import read_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.models import folder as model_folder
from surgical_style_engine.models.names import DEFAULT_MODEL, list_models, shipped_models_folder
from training_cli.pictures import demo_volume


@pytest.fixture(scope="module")
def template():
    pytest.importorskip("nilearn")
    return demo_volume.icbm152()


def test_the_template_is_a_t1_in_scanner_space(template):
    head, maps = template
    assert head.size == (197, 233, 189) and head.spacing == (1.0, 1.0, 1.0)
    means = {name: float(head.array[0][region].mean()) for name, region in maps.items()}
    assert means["CSF"] < means["grey"] < means["white"]
    # The origin of MNI space is the anterior commissure: a voxel well inside the brain.
    index = np.linalg.solve(head.direction * head.spacing, -np.asarray(head.origin)).round().astype(int)
    assert head.array[0][tuple(index[::-1])] > 0.2


def test_on_the_template(sst, template, tiny_model, tmp_path, monkeypatch):
    head, maps = template
    # Every sixth slice: the untrained network has nothing to show, and this is about the files.
    fewer = head.with_array(np.ascontiguousarray(head.array[:, ::6]))
    fewer = type(head)(fewer.array, (1.0, 1.0, 6.0), head.origin, head.direction)
    monkeypatch.setattr(demo_volume, "icbm152", lambda: (fewer, {name: m[::6] for name, m in maps.items()}))
    ended = sst("demo", "--model", tiny_model, "--output", tmp_path / "out", "--device", "cpu")
    assert ended.code == 0, ended
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"ICBM152_2009_T1_T2w_synthetic.nii.gz", "report.json", "comparison.png"}
    report = read_report(tmp_path / "out" / "report.json")
    contrast = report["quality"]["tissue_contrast"]
    assert set(contrast["tissues"]) == {"white", "grey", "CSF"} and contrast["expected"] == ["white", "grey", "CSF"]
    assert contrast["order_before"] == ["CSF", "grey", "white"]
    assert contrast["as_expected"] == (contrast["order_after"] == ["white", "grey", "CSF"])
    assert read_volume(report["output"]).same_grid(fewer)
    assert "Look-Ahead" in ended.out and "white" in ended.out and report["quality"]["verdict"]["sentence"] in ended.out


def test_on_ones_own_volume_with_a_reference(sst, head_volume, tiny_model, tmp_path):
    volume = head_volume()
    write_volume(volume, tmp_path / "mine_T1.nii.gz")
    write_volume(volume.with_array((900 - volume.array) * (volume.array > 0)), tmp_path / "mine_T2.nii.gz")
    ended = sst(
        "demo",
        tmp_path / "mine_T1.nii.gz",
        "--reference",
        tmp_path / "mine_T2.nii.gz",
        "--model",
        tiny_model,
        "--output",
        tmp_path / "out",
        "--device",
        "cpu",
    )
    assert ended.code == 0, ended
    report = read_report(tmp_path / "out" / "report.json")
    assert report["quality"]["reference"]["psnr"] > 0 and "tissue_contrast" not in report["quality"]
    assert (tmp_path / "out" / "mine_T1_T2w_synthetic.nii.gz").exists()
    assert "PSNR" in ended.out


def test_what_is_refused_leaves_nothing(refused, head_volume, tiny_model, tmp_path):
    write_volume(head_volume(), tmp_path / "t1.nii.gz")
    (tmp_path / "file").write_text("x")
    out = tmp_path / "out"
    for arguments, words in (
        ((tmp_path / "absent.nii",), "does not exist"),
        ((tmp_path / "file",), "format"),
        ((tmp_path / "t1.nii.gz", "--reference", tmp_path / "absent.nii"), "does not exist"),
        ((tmp_path / "t1.nii.gz", "--direction", "up"), "direction"),
        ((tmp_path / "t1.nii.gz", "--progress", "loud"), "--progress"),
    ):
        sentence = refused("demo", *arguments, "--model", tiny_model, "--output", out)
        assert words in sentence, (arguments, sentence)
        assert not out.exists()
    assert "is a file" in refused("demo", "--model", tiny_model, "--output", tmp_path / "file")


def test_without_nilearn_it_says_what_to_install(refused, tiny_model, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "nilearn.datasets", None)
    assert "pip install nilearn" in refused("demo", "--model", tiny_model, "--output", tmp_path / "out")


def test_the_shipped_model_makes_a_t2_of_the_template(template, tmp_path):
    """The project's main claim, on the real weights: white < grey < CSF, ventricles brightest, geometry exact."""
    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.metrics.tissues import tissue_contrast
    from surgical_style_engine.models.folder import load_model

    assert (shipped_models_folder() / DEFAULT_MODEL).is_dir(), "the shipped model is missing"
    head, maps = template
    part = slice(60, 110, 2)  # through the ventricles
    some = type(head)(np.ascontiguousarray(head.array[:, part]), (1.0, 1.0, 2.0), head.origin, head.direction)
    model = load_model(DEFAULT_MODEL)
    done = translate_volume(some, model, device="cpu")
    found = tissue_contrast(some.array, done.volume.array, {n: m[part] for n, m in maps.items()}, "T2w")
    assert found["as_expected"], found
    means = found["tissues"]
    assert means["CSF"]["after"] > 1.15 * means["white"]["after"] and not done.warnings
    air = some.array == 0
    assert np.abs(done.normalized_output[air] + 1).mean() < 0.02
    assert done.volume.same_grid(some)


def test_the_shipped_models_are_whole_and_small():
    for folder, card, problem in list_models([shipped_models_folder()]):
        assert card is not None and not problem, problem
        model_folder.verify_model(folder)
        assert card.weights.bytes < 15_000_000
        assert card.licence != "unstated" and card.citation and "diagnosis" in card.intended_use
        assert (folder / "README.md").read_text().count("\n") > 20
