"""The bound of a translation's error: in units, on the input's grid, in the body alone; and when there is none."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import Fake
from tiny_calibrations import calibrate, constant_model, direction_calibration
from tiny_models import head, make_tiny_model

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.app.trust.error_bound import bound_or_reason, calibration_of, error_bound
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.metrics.uncertainty.bound import NOT_BOUNDED
from surgical_style_engine.models.calibration import CALIBRATION_NAME
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.volume import Volume

SLOPE = 900 / 1.9  # of the tiny model's target: 0 to 900 for -1 to 0.9


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(calibrate(make_tiny_model(tmp_path_factory.mktemp("models")), bound=0.1, full=0.05))


@pytest.fixture(scope="module")
def volume():
    array = head(1)
    direction = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    return Volume(array[None].astype(np.float32), (2.0, 1.5, 4.0), (3.0, -5.0, 7.0), direction)


def run(volume, model, **more):
    return translate_volume(volume, model, runner=Fake(), **more)


def bound_of(volume, model, translation, known=None, quickness="quick", **options):
    known = known or direction_calibration(0.1, full=0.05)
    region = body_mask(volume)
    return region, error_bound(volume, model, "forward", translation, region, known, quickness, RunOptions(**options))


def test_it_is_in_the_targets_units_on_the_inputs_grid_and_in_the_body_alone(model, volume):
    region, bound = bound_of(volume, model, run(volume, model))
    assert bound.volume.same_grid(volume) and bound.volume.array.dtype == np.float32
    np.testing.assert_allclose(bound.volume.array[0][region], 0.1 * SLOPE, rtol=1e-4)
    assert np.all(bound.volume.array[0][~region] == NOT_BOUNDED)
    assert bound.mean == pytest.approx(0.1 * SLOPE, rel=1e-4) and bound.limit == pytest.approx(0.5 * SLOPE, rel=1e-4)
    assert bound.untrusted_share == 0 and bound.quickness == "quick" and bound.units == ""
    # 10 log10(4 / 0.1^2) is 26 dB.
    assert bound.expected_psnr == pytest.approx((26.02, 24.02, 28.02), abs=0.01)


def test_where_the_bound_is_one_greys_nothing_can_be_trusted(model, volume):
    known = direction_calibration(uninformed=0.1, quick=constant_model(0.1, factors=[1.001] * 6), psnr=None)
    _, bound = bound_of(volume, model, run(volume, model), known)
    assert bound.untrusted_share == 1 and bound.expected_psnr is None


def test_full_runs_the_turned_variants(model, volume):
    runner = Fake()
    translation = translate_volume(volume, model, runner=runner)
    runner.shapes.clear()
    region, bound = bound_of(volume, model, translation, quickness="full", runner=runner)
    np.testing.assert_allclose(bound.volume.array[0][region], 0.05 * SLOPE, rtol=1e-4)
    assert bound.quickness == "full" and sum(shape[0] for shape in runner.shapes) == 4 * translation.slices


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"strength": 0.5}, "a strength below 1"),
        ({"mask": True}, "a region"),
        ({"adjustments": Adjustments(structure_guard_mm=4.0)}, "structure guard"),
        ({"adjustments": Adjustments(flatten_bias=True)}, "a flattened bias"),
        ({"adjustments": Adjustments(ensemble=True)}, "an average"),
        ({"planes": ["coronal"]}, "another plane"),
    ],
)
def test_other_images_than_the_networks_have_none(model, volume, changes, why):
    mask = None
    if "mask" in changes:
        mask = changes["mask"] = volume.with_array((volume.array > 0).astype(np.uint8))
    translation = run(volume, model, **changes)
    options = RunOptions(planes=changes.get("planes"))
    known, bound, said = bound_or_reason(
        volume, model, "forward", translation, body_mask(volume), mask, "quick", options
    )
    assert known is not None and bound is None and why in said and said.endswith(".")


def test_a_single_slice_has_none(model, volume):
    one = replace(volume, array=volume.array[:, 6:7])
    translation = run(one, model)
    region = np.ones(one.array.shape[1:], bool)
    assert "single slice" in bound_or_reason(one, model, "forward", translation, region, None, "quick", RunOptions())[2]


def test_why_a_direction_is_not_calibrated(model, tmp_path):
    known, why = calibration_of(model, "backward")
    assert known is None and why == "The style tiny is not calibrated from T2w to T1w: how far it errs is not known."
    assert calibration_of(model, "forward")[1] == ""
    bare = load_model(make_tiny_model(tmp_path))
    assert "not calibrated" in calibration_of(bare, "forward")[1]
    (bare.folder / CALIBRATION_NAME).write_text("{}")
    known, why = calibration_of(bare, "forward")
    assert known is None and "is wrong at" in why
