"""The whole adaptation on a small style: better and written, or refused; nothing left behind."""

import json

import pytest
from adapting import head_pair

from surgical_style_engine.common.cancelling import cancellable
from surgical_style_engine.errors import Cancelled
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.calibration import read_calibration
from surgical_style_engine.models.folder import load_model
from training_cli.adapt import settings as settings_of_training
from training_cli.adapt.adapt import Watcher, adapt
from training_cli.adapt.proof import NotBetterError


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_a_better_style_is_written_with_both_figures_and_no_patient(asked, quick, tmp_path):
    stages, lines = [], []
    work = tmp_path / "work"
    work.mkdir()
    request = asked(tmp_path / "mine", title="My scanner")
    result = adapt(request, Watcher(lines.append, lambda stage, share, left: stages.append(stage)), work)
    assert left_in(work) == [] and result.folder == tmp_path / "mine" / "mine" and result.steps == 30
    assert stages[0] == "prepare" and "train" in stages and stages[-1] == "prove" and lines
    proof = result.proofs["forward"]
    assert not proof.why_not and proof.gain("psnr") > 1 and result.warnings == []
    card = load_model(result.folder).card
    entry = card.training["adapted"]
    assert card.title == "My scanner" and entry["style"] == "base" and entry["pairs"] == 1
    aside = entry["aside"]["forward"]
    assert aside["same_patient"] and aside["kind"] == "slices" and aside["slices"] == result.aside.slices
    assert aside["original"]["psnr"] < aside["adapted"]["psnr"] == pytest.approx(proof.adapted["psnr"], abs=1e-4)
    label = next(name for name in card.metrics if "T1w to T2w" in name)
    assert "of the same patient" in label and card.metrics[label]["psnr"] == aside["adapted"]["psnr"]
    # Its tone is the user's, its domains those of the style to begin with; no calibration is carried on.
    assert card.domains.target.inverse.maximum == pytest.approx(800, abs=20)
    assert card.domains.source.name == "T1w" and read_calibration(result.folder, card) is None
    readme = (result.folder / "README.md").read_text(encoding="utf-8")
    assert "Adapted from base" in readme and "not calibrated" in readme
    told = readme + json.dumps(card.model_dump(mode="json"))
    assert "Doe" not in told and str(tmp_path) not in told
    translated = translate_volume(request.sources[0], load_model(result.folder), device="cpu", precision="fp32")
    assert any("Adapted to one scanner" in warning for warning in translated.warnings)
    assert not any("Adapted" in doubt for doubt in translated.doubts), "it is no doubt about the input"


def test_several_pairs_keep_the_last_aside_and_one_may_lie_elsewhere(asked, quick, tmp_path):
    (source, target), (second, other) = head_pair(1), head_pair(2)
    coarse = type(other)(other.array[:, :, ::2, ::2], spacing=(4.0, 4.0, 4.0))
    far = type(target)(target.array, spacing=target.spacing, origin=(10.0, 0.0, 0.0))
    request = asked(tmp_path, sources=[source, second], targets=[far, coarse], register=True)
    result = adapt(request)
    aside = result.card.training["adapted"]["aside"]["forward"]
    assert aside["kind"] == "volumes" and not aside["same_patient"] and result.aside.numbers == (1,)
    assert result.warnings == [] and "a volume kept aside" in next(iter(result.card.metrics))


def test_what_is_not_better_is_refused_and_nothing_written(asked, tmp_path, monkeypatch):
    monkeypatch.setitem(settings_of_training._SMALL, "learning_rate", 1e-9)
    with pytest.raises(NotBetterError, match=r"is not better than base .* nothing was saved\.$"):
        adapt(asked(tmp_path / "mine", steps=1), scratch=tmp_path)
    assert left_in(tmp_path) == []


def test_a_cancel_leaves_nothing(asked, quick, tmp_path):
    trained = []

    def progress(stage, share, left):
        if stage == "train":
            trained.append(share)

    with pytest.raises(Cancelled), cancellable(lambda: bool(trained)):
        adapt(asked(tmp_path / "mine", steps=10_000), Watcher(progress=progress), tmp_path)
    assert len(trained) == 1 and left_in(tmp_path) == []


def test_volumes_of_different_patients_are_laid_on_each_other(asked, quick, tmp_path):
    """Whatever comes of it: better by the measures that need no pair, or refused by them."""
    source, target = (type(one)(one.array, spacing=(3.0, 3.0, 4.0)) for one in head_pair())
    request = asked(tmp_path / "mine", paired=False, sources=[source], targets=[target], steps=4)
    try:
        entry = adapt(request, scratch=tmp_path).card.training["adapted"]
    except NotBetterError as error:
        assert "likeness to the input" in str(error) and left_in(tmp_path) == []
    else:
        assert entry["volumes"] == 2 and entry["pairs"] == 0 and "placed" in entry["aside"]["forward"]["adapted"]
