"""Registration through a translation: which volume is translated, and when mutual information takes over, and why."""

from dataclasses import replace

import numpy as np
import pytest
import registration_phantom as phantom
import SimpleITK as sitk
from fakes import Fake, make_model
from tiny_calibrations import calibrate, direction_calibration
from tiny_models import make_tiny_model

from surgical_style_engine.app.through import translated as translating
from surgical_style_engine.app.through import ways as choosing
from surgical_style_engine.app.through.register_case import MUTUAL_INFORMATION, THROUGH, RegisterCase, register_case
from surgical_style_engine.app.through.translated import fewer_slices
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.registration import register_rigid
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Calibrated both ways; from T2w to T1w surer."""
    folder = make_tiny_model(tmp_path_factory.mktemp("models"))
    return load_model(calibrate(folder, ("forward", "backward"), bound=0.1))


@pytest.fixture(scope="module")
def pair():
    """T1w, T2w elsewhere, where the T1w's points lie in the T2w, and inside."""
    first, second, inside = phantom.contrasts()
    back = phantom.rigid()
    named = replace(first, name="p1_T1w.nii.gz"), replace(phantom.moved(second, back), name="p1_T2w.nii.gz")
    return *named, back.GetInverse(), inside


@pytest.fixture(autouse=True)
def a_network_that_exchanges_dark_and_bright(monkeypatch):
    """What turns one contrast of the phantom into the other; air stays air."""

    def exchanged(batch):
        return np.where(batch > -0.95, -batch, batch)

    monkeypatch.setattr("surgical_style_engine.inference.translate.runner_for", lambda *_, **__: Fake(exchanged))


def case(pair, model, **more):
    return RegisterCase(pair[0], pair[1], model, **more)


def test_it_goes_through_the_translation_and_moves_the_volume_itself(pair, model):
    told = []
    registered = register_case(case(pair, model, stage=told.append))
    assert registered.by == THROUGH and told == ["translate", "register"] and not registered.warnings
    assert phantom.errors(registered.result.transform, pair[2], pair[3]).max() < 1.0
    moved = registered.result.moved
    assert moved.same_grid(pair[0])
    # MOVING's own voxels, not those of a translation: what was sampled is in its range, and like it.
    expected = sitk.Resample(pair[1].to_sitk(), pair[0].to_sitk(), registered.result.transform, sitk.sitkLinear, 0.0)
    np.testing.assert_allclose(moved.array[0], sitk.GetArrayFromImage(expected), atol=1e-3)
    entry = registered.entry()
    assert entry["by"] == THROUGH and entry["through"]["translated"] == registered.way.translated
    assert entry["method"] == "rigid, weighted difference to a translation, then mutual information"
    assert entry["verdict"]["level"] == "green" and "T1w" in entry["how"] and "T2w" in entry["how"]


def test_the_surer_direction_is_taken(pair, model, monkeypatch):
    for surer, translated in (("backward", "moving"), ("forward", "fixed")):
        monkeypatch.setattr(choosing, "_untrusted", lambda _model, way, surer=surer: way != surer)
        ways, what = choosing.ways_of(model, pair[0], pair[1])
        assert [way.translated for way in ways][0] == translated and len(ways) == 2
        assert "fixed volume is T1w and the moving one T2w" in what


@pytest.mark.parametrize("reason", ["wrong contrast", "uncalibrated", "red"])
def test_mutual_information_takes_over_and_says_why(pair, model, monkeypatch, reason):
    asked = case(pair, model)
    if reason == "wrong contrast":
        asked = replace(asked, moving=replace(pair[1], name="p1_FLAIR.nii.gz"))
        sentence = "is for T1w and T2w, but by the recogniser the fixed volume is T1w and the moving one FLAIR"
    elif reason == "uncalibrated":
        asked = replace(asked, model=make_model())
        sentence = "not calibrated"
    else:
        known = direction_calibration(0.6, uninformed=0.1, ranges={})
        monkeypatch.setattr("surgical_style_engine.app.trust.error_bound.calibration_of", lambda *_: (known, ""))
        sentence = "Do not rely on it"
    registered = register_case(asked)
    assert registered.by == MUTUAL_INFORMATION and registered.way is None
    assert sentence in registered.sentence and registered.warnings == [registered.sentence]
    if reason == "red":
        usual = register_rigid(asked.fixed, asked.moving)
        assert registered.result.transform.GetParameters() == usual.transform.GetParameters()
        assert registered.result.figures() == usual.figures()


def test_a_deformation_and_a_region(pair, model):
    region = pair[3].copy()
    region[:12] = False
    registered = register_case(case(pair, model, kind="deformable", region=region))
    assert registered.by == THROUGH and registered.result.kind == "deformable" and registered.displacement is not None
    assert phantom.errors(registered.linear, pair[2], pair[3]).mean() < 0.5
    assert phantom.errors(registered.result.transform, pair[2], region).mean() < 2.0
    with pytest.raises(InputError, match="no registration 'elastic'"):
        register_case(case(pair, model, kind="elastic"))
    with pytest.raises(InputError, match="goes through a translation"):
        register_case(case(pair, None, kind="deformable"))


def test_only_so_many_slices_are_translated():
    volume = Volume(np.random.default_rng(0).random((1, 30, 8, 9), np.float32), (1.0, 1.0, 1.0), (5.0, 6.0, 7.0))
    fewer = fewer_slices(volume)
    assert fewer.spacing == (1.0, 1.0, 3.0) and fewer.origin == volume.origin
    np.testing.assert_array_equal(fewer.array, volume.array[:, ::3])
    assert fewer_slices(fewer) is fewer
    sagittal = Volume(volume.array, (1.0, 1.0, 5.0), direction=np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]))
    assert fewer_slices(sagittal).array.shape[1] == 3  # of the axis that runs to the head


def test_weights_fall_with_the_bound(pair, model):
    way = choosing.ways_of(model, pair[0], pair[1])[0][0]
    volume = pair[1] if way.translated == "moving" else pair[0]
    translated = translating.translated_for(volume, model, way, RunOptions())
    assert translated.level == "green"
    weight = translated.weighed.weight
    assert weight.max() == 1 and 0 < weight[0].max() <= 0.31 and weight[0, 0, 0] == 0
