"""Matching to a reference: whose distribution the output follows, in whose units, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_models import head

from surgical_style_engine.adjust.matching import check_units, match_to_reference
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture(scope="module")
def volumes():
    """An image to match and a reference of another grid and range, with their body masks."""
    array = head(1, (12, 40, 36)) + np.random.default_rng(0).uniform(0, 90, (12, 40, 36)).astype(np.float32)
    made = Volume(array[None])
    other = head(2, (10, 44, 48))
    # Broad enough to have no gaps: within one, any quantile is as good as another.
    other = np.where(other > 0, 900 + 2 * other + np.random.default_rng(1).gamma(3, 300, other.shape), 40)
    reference = Volume(other[None].astype(np.float32), (2.0, 2.0, 3.0))
    return made, body_mask(made), reference, body_mask(reference)


def test_the_quantiles_are_the_references(volumes):
    made, region, reference, inside = volumes
    matched = match_to_reference(made.array, region, reference)
    steps = np.linspace(0.02, 0.98, 25)
    wanted = np.quantile(reference.array[0][inside], steps)
    np.testing.assert_allclose(np.quantile(matched[0][region], steps), wanted, atol=0.01 * np.ptp(wanted))
    assert np.abs(np.quantile(made.array[0][region], steps) - wanted).max() > 0.3 * np.ptp(wanted)
    order = np.argsort(made.array[0][region])
    assert (np.diff(matched[0][region][order]) >= 0).all(), "brighter stays brighter"


def test_simpleitk_agrees(volumes):
    """The library's filter, which works with few levels, lands on the same distribution."""
    import SimpleITK as sitk

    made, _, reference, _ = volumes
    everywhere = np.ones(made.array.shape[1:], bool)
    mine = match_to_reference(
        made.array, everywhere, reference, reference_region=np.ones(reference.array.shape[1:], bool)
    )
    images = (sitk.GetImageFromArray(each.array[0].astype(np.float32)) for each in (made, reference))
    theirs = sitk.GetArrayFromImage(sitk.HistogramMatching(*images, 1024, 200, False))
    assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.995
    assert np.abs(mine - theirs).mean() < 0.03 * np.ptp(reference.array)


def test_moments(volumes):
    made, region, reference, inside = volumes
    matched = match_to_reference(made.array, region, reference, "moments")[0][region].astype(float)
    wanted = reference.array[0][inside].astype(float)
    assert matched.mean() == pytest.approx(wanted.mean(), rel=1e-3)
    assert matched.std() == pytest.approx(wanted.std(), rel=1e-3)
    assert np.corrcoef(matched, made.array[0][region])[0, 1] > 0.99999


def test_the_background_stays_the_darkest(volumes):
    made, region, reference, _ = volumes
    array = made.array.copy()
    array[0][~region] = 0
    for by in ("histogram", "moments"):
        matched = match_to_reference(array, region, reference, by)
        assert (matched[0][~region] == reference.array.min()).all()


def test_each_channel_by_itself():
    rng = np.random.default_rng(0)
    colours = rng.uniform(0, 255, (3, 1, 30, 30)).astype(np.float32)
    reference = Volume(np.stack([rng.normal(m, 9, (1, 20, 20)) for m in (40, 120, 200)]).astype(np.float32), is_2d=True)
    matched = match_to_reference(colours, np.ones((1, 30, 30), bool), reference)
    np.testing.assert_allclose(matched.mean(axis=(1, 2, 3)), [40, 120, 200], atol=2)
    with pytest.raises(InputError, match="3 channels, the translation 1"):
        match_to_reference(colours[:1], np.ones((1, 30, 30), bool), reference)


@pytest.mark.parametrize("modality", ["", "CT", "MR"])
def test_hu_and_arbitrary_units_do_not_mix(modality, volumes):
    mr = volumes[2]
    ct = mr.with_array(mr.array - 1000)
    ct, mr = (replace(each, metadata={"Modality": modality} if modality else {}) for each in (ct, mr))
    if modality != "CT":
        check_units(mr, "")
        with pytest.raises(InputError, match="is not in HU, but the translation is"):
            check_units(mr, "HU")
    if modality != "MR":
        check_units(ct, "HU")
        with pytest.raises(InputError, match="is in HU, but the translation is not"):
            check_units(ct, "")
