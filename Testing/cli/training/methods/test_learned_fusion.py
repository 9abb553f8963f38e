"""Several source modalities: found by name, trained together, and applied by `sst fuse --method learned`."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_training import as_options, disc_volume

from surgical_style_engine.app.report import read_report
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model
from training_cli.training.config import load_config
from training_cli.training.data.extra_sources import ExtraSources


def study(seed: int) -> tuple[sitk.Image, sitk.Image, sitk.Image]:
    """T1, FLAIR and T2 of one head: a disc; FLAIR alone shows where in it a square lies that is bright in T2."""
    head = sitk.GetArrayFromImage(disc_volume(seed, inverted=False))
    random = np.random.default_rng(seed + 100)
    top, left = random.integers(10, 24, 2)
    flair = np.where(head > 0, 300, 0).astype(np.float32)
    flair[:, top : top + 7, left : left + 7] = 700
    target = np.where(head > 0, 250, 0).astype(np.float32)
    target[:, top : top + 7, left : left + 7] = 800
    images = []
    for number, array in enumerate((head, flair, target)):
        noise = np.random.default_rng((seed, number)).normal(0, 8, array.shape)
        image = sitk.GetImageFromArray((array + noise * (array > 0)).astype(np.float32))
        image.SetSpacing((1.0, 1.0, 3.0))
        images.append(image)
    return tuple(images)


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """A folder of studies p1..p4 and a list of pairs of three of them."""
    folder = tmp_path_factory.mktemp("heads")
    for number in range(1, 5):
        for name, image in zip(("T1", "FLAIR", "T2"), study(number), strict=True):
            sitk.WriteImage(image, str(folder / f"p{number}_{name}.nii.gz"))
    lines = [f"p{number}_T1.nii.gz,p{number}_T2.nii.gz" for number in range(1, 4)]
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def settings(heads) -> dict:
    return {
        "source": heads,
        "target": heads,
        "pairs": heads / "pairs.csv",
        "pattern_source": "*_T1*",
        "pattern_target": "*_T2*",
        "extra_sources": "*_FLAIR*",
        "extra_names": "FLAIR",
        "source_name": "T1",
        "target_name": "T2",
        "exclude": "p4",
        "method": "paired",
        "lambda_adversarial": 0,
        "max_steps": 100,
        "learning_rate": 4e-3,
        "patch_size": 32,
        "ngf": 6,
        "n_blocks": 1,
        "precision": "fp32",
        "device": "cpu",
        "sample_every": 50,
        "checkpoint_every": 1000,
        "trackers": ["csv"],
        "constant_fraction": 0.7,
    }


@pytest.fixture(scope="module")
def model(settings, tmp_path_factory):
    """The folder of a model T1 + FLAIR -> T2, trained on the command line."""
    from training_cli.main import main

    run = tmp_path_factory.mktemp("runs") / "run"
    with pytest.raises(SystemExit) as ended:
        main(["train", *as_options(settings | {"output": run})])
    assert not ended.value.code
    assert {path.name for path in (run / "samples").iterdir()} == {"step-00000050.png", "step-00000100.png"}
    return run / "model" / "model"


def test_the_card_names_the_inputs(model):
    card = read_card(model)
    assert [part.name for part in card.domains.source.inputs] == ["T1", "FLAIR"]
    assert card.domains.source.channels == 2 and card.directions == ["forward"]
    assert card.architecture.arguments["in_channels"] == 2
    assert "T1 + FLAIR -> T2" in (model / "README.md").read_text(encoding="utf-8")


def test_the_fusion_uses_every_input(model, heads, tmp_path, sst):
    """The square is where the right FLAIR shows it; with another head's, it is not."""
    truth = read_volume(heads / "p4_T2.nii.gz").array[0]
    errors = {}
    for number in (4, 3):
        output, report = tmp_path / f"{number}.nrrd", tmp_path / f"{number}.json"
        ended = sst(
            "fuse",
            heads / "p4_T1.nii.gz",
            heads / f"p{number}_FLAIR.nii.gz",
            output,
            "--method",
            "learned",
            "--model",
            model,
            "--device",
            "cpu",
            "--precision",
            "fp32",
            "--report",
            report,
            "--picture",
            tmp_path / f"{number}.png",
        )
        assert ended.code == 0, ended
        made = read_volume(output)
        assert made.same_grid(read_volume(heads / "p4_T1.nii.gz"))
        errors[number] = np.abs(made.array[0] - truth)[1:3].mean()
    assert errors[4] < 0.5 * errors[3], errors

    header = sitk.ReadImage(str(tmp_path / "4.nrrd"))
    digest = read_card(model).weights.sha256
    assert header.GetMetaData("StyleModel") == "model" and header.GetMetaData("StyleModelSHA256") == digest
    assert (header.GetMetaData("SyntheticFrom"), header.GetMetaData("SyntheticTo")) == ("T1 + FLAIR", "T2")
    written = read_report(tmp_path / "4.json")
    assert written["model"]["sha256"] == digest and written["fusion"]["method"] == "learned"
    assert set(written["quality"]["floors"]) == {"reference", "average"} and written["synthetic"] is True
    assert any("cannot tell whether" in sentence for sentence in written["warnings"])


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["p4_FLAIR", "p4_T2"], "The model model takes 2 volumes (T1, FLAIR), not 3."),
        (["p4_FLAIR", "--weights", "1,1"], "the model decides"),
        (["p4_FLAIR", "--method", "pyramid"], "--model goes with --method learned."),
    ],
)
def test_what_does_not_go_together_is_one_sentence(more, sentence, model, heads, tmp_path, refused):
    others = [heads / f"{name}.nii.gz" for name in more if name.startswith("p4")]
    options = [word for word in more if not word.startswith("p4")]
    output = tmp_path / "o.nrrd"
    found = refused("fuse", heads / "p4_T1.nii.gz", *others, output, "--method", "learned", "--model", model, *options)
    assert sentence in found and not output.exists()


def test_models_of_one_input_and_no_model_are_one_sentence(tiny_model, heads, tmp_path, refused):
    inputs = [heads / "p4_T1.nii.gz", heads / "p4_FLAIR.nii.gz", tmp_path / "o.nrrd", "--method", "learned"]
    assert "takes one volume" in refused("fuse", *inputs, "--model", tiny_model)
    assert "needs --model" in refused("fuse", *inputs)


def test_a_model_of_several_inputs_refuses_one_volume(model, heads):
    with pytest.raises(InputError, match=r"of 2 registered volumes \(T1, FLAIR\); use it with sst fuse"):
        translate_volume(read_volume(heads / "p4_T1.nii.gz"), load_model(model), device="cpu")


def test_a_card_of_strange_channels_is_refused(model, tmp_path):
    values = json.loads((model / "model.json").read_text())
    values["domains"]["source"]["inputs"].pop()
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="as many as inputs are named"):
        read_card(tmp_path / "m")


def extras(settings, **more) -> ExtraSources:
    return ExtraSources(load_config(None, settings | {"output": "r"} | more))


def test_files_belong_together_by_name(settings, heads, tmp_path):
    assert extras(settings).of(heads / "p2_T1.nii.gz") == [heads / "p2_FLAIR.nii.gz"]
    other = tmp_path / "flair"
    other.mkdir()
    for number in (1, 3):
        sitk.WriteImage(study(number)[1], str(other / f"p{number}_T1.nii.gz"))
    found = extras(settings, extra_sources=str(other))
    assert found.of(heads / "p3_T1.nii.gz") == [other / "p3_T1.nii.gz"]
    said = []
    paths = [heads / f"p{number}_T1.nii.gz" for number in (1, 2, 3)]
    assert found.complete(paths, said.append) == [paths[0], paths[2]]
    assert said == ["left out, for want of a further modality: p2_T1.nii.gz"]
    with pytest.raises(InputError, match="belongs to p2_T1"):
        found.of(paths[1])


def test_another_patients_modality_is_never_taken(settings, tmp_path):
    def made(*names):
        for name in names:
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(study(1)[0], str(path))

    def found(source, entry="*FLAIR*"):
        folder = tmp_path / "data"
        matches = extras(settings, source=str(folder), extra_sources=entry)
        matches.sources = [folder / source]
        try:
            return [str(path.relative_to(folder)) for path in matches.of(folder / source)]
        except InputError:
            return None

    made("p1/T1.nii", "p2/T1.nii", "p2/FLAIR.nii", "p3/head1_T1.nii", "p4/head1_FLAIR.nii")
    assert found("p2/T1.nii") == ["p2/FLAIR.nii"] and found("p1/T1.nii") is None and found("p3/head1_T1.nii") is None
    made("p5/scan.nii", "p5/FLAIR.nii", "s_T1.nii", "x_FLAIR.nii", "t1/p7_T1.nii", "flair/p7_FLAIR.nii")
    assert found("p5/scan.nii") == ["p5/FLAIR.nii"] and found("s_T1.nii") is None
    assert found("t1/p7_T1.nii") == ["flair/p7_FLAIR.nii"]
    made("other/p1/T1.nii", "other/p9/T1.nii")
    assert found("p1/T1.nii", str(tmp_path / "data" / "other")) == ["other/p1/T1.nii"]
    assert found("p2/T1.nii", str(tmp_path / "data" / "other")) is None


def test_missing_folders_and_patterns_are_one_sentence(settings, tmp_path, refused):
    for value, sentence in (("x/y", "The folder x/y of extra_sources"), ("*_CT*", "No volume matches '*_CT*'")):
        assert sentence in refused("train", *as_options(settings | {"extra_sources": value, "output": tmp_path / "r"}))
    found = refused("train", *as_options(settings | {"extra_names": "A,B", "output": tmp_path / "r"}))
    assert "a name for each" in found
    found = refused("train", *as_options(settings | {"method": "cut", "output": tmp_path / "r"}))
    assert "equal channels" in found


def test_cyclegan_takes_several_inputs_too(settings, tmp_path, sst):
    more = {"method": "cyclegan", "max_steps": 1, "output": tmp_path / "r", "sample_every": 1, "ndf": 4, "n_layers": 2}
    assert sst("train", *as_options(settings | more)).code == 0
    assert read_card(tmp_path / "r" / "model" / "model").directions == ["forward"]
