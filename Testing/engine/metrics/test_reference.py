"""Figures against a registered reference, checked with plain numpy and with MONAI's own metrics."""

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics import data_range, mae, ms_ssim, psnr, reference_metrics, ssim, ssim_metrics


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(2)
    coarse = rng.uniform(0, 1, (1, 3, 24, 24)).astype(np.float32)
    reference = np.kron(coarse, np.ones((1, 1, 8, 8), np.float32))
    return reference + rng.normal(0, 0.1, reference.shape).astype(np.float32), reference


def test_mae_and_psnr_are_their_definitions_inside_the_mask(pair):
    output, reference = pair
    mask = np.zeros(reference.shape[1:], bool)
    mask[1, 30:90, 30:90] = True
    difference = (output - reference)[0][mask]
    low, high = np.percentile(reference[0][mask], (0.5, 99.5))
    assert data_range(reference, mask) == pytest.approx((low, high))
    assert mae(output, reference, mask) == pytest.approx(np.abs(difference).mean(), rel=1e-5)
    expected = 10 * np.log10((high - low) ** 2 / np.mean(difference.astype(float) ** 2))
    assert psnr(output, reference, mask) == pytest.approx(expected, rel=1e-5)
    spoiled = np.where(mask, output, 1e6)
    assert mae(spoiled, reference, mask) == mae(output, reference, mask)
    assert psnr(spoiled, reference, mask) == psnr(output, reference, mask)
    assert psnr(reference, reference) == float("inf")


def test_ssim_is_monais_away_from_the_border(pair):
    import torch
    from monai.metrics import SSIMMetric

    output, reference = pair
    inside = np.zeros(reference.shape[1:], bool)
    inside[:, 5:-5, 5:-5] = True  # where MONAI, which does not pad, has values
    as_batch = [torch.from_numpy(a[0][:, None]) for a in (output, reference)]
    expected = SSIMMetric(spatial_dims=2, data_range=1.0)(*as_batch).mean()
    assert ssim(output, reference, inside, limits=(0.0, 1.0)) == pytest.approx(float(expected), abs=1e-5)


def test_ms_ssim_is_close_to_monais_on_a_whole_volume(pair):
    import torch
    from monai.metrics import MultiScaleSSIMMetric

    output, reference = pair
    as_batch = [torch.from_numpy(a[0][:, None]) for a in (output, reference)]
    expected = MultiScaleSSIMMetric(spatial_dims=2, data_range=1.0)(*as_batch).mean()
    # MONAI has no padding and combines image by image: small differences remain.
    assert ms_ssim(output, reference, limits=(0.0, 1.0)) == pytest.approx(float(expected), abs=0.03)


def test_perfect_is_one_and_worse_is_lower(pair):
    output, reference = pair
    assert ssim(reference, reference) == pytest.approx(1, abs=1e-5)
    assert ms_ssim(reference, reference) == pytest.approx(1, abs=1e-5)
    worse = reference + 3 * (output - reference)
    assert ssim(worse, reference) < ssim(output, reference) < 0.99
    assert ms_ssim(worse, reference) < ms_ssim(output, reference) < 0.999


def test_units_and_offset_do_not_change_similarity(pair):
    output, reference = pair
    in_hu = [3000 * a - 1000 for a in (output, reference)]
    assert ssim(*in_hu) == pytest.approx(ssim(output, reference), abs=1e-3)
    assert psnr(*in_hu) == pytest.approx(psnr(output, reference), abs=1e-3)
    assert mae(*in_hu) == pytest.approx(3000 * mae(output, reference), rel=1e-3)


def test_slice_axis_and_empty_slices(pair):
    output, reference = pair
    mask = np.ones(reference.shape[1:], bool)
    mask[0] = False
    whole = ssim_metrics(output, reference, mask)
    assert np.isnan(whole[2][0]) and np.all(np.isfinite(whole[2][1:]))
    turned = [np.moveaxis(a, 1, 2) for a in (output, reference)]
    swapped = ssim_metrics(*turned, np.moveaxis(mask, 0, 1), slice_axis=1)
    np.testing.assert_allclose(swapped[:2], whole[:2], rtol=1e-5)


def test_all_figures_with_one_value_a_slice(pair):
    output, reference = pair
    figures = reference_metrics(output, reference)
    assert set(figures) == {"mae", "psnr", "psnr_range", "ssim", "ms_ssim", "slices"}
    assert all(len(values) == 3 for values in figures["slices"].values())
    assert np.mean(figures["slices"]["mae"]) == pytest.approx(figures["mae"], rel=1e-4)


def test_small_pictures_use_fewer_scales():
    rng = np.random.default_rng(0)
    a = rng.uniform(size=(1, 2, 24, 24)).astype(np.float32)
    assert ms_ssim(a, a) == pytest.approx(1, abs=1e-4)
    with pytest.raises(InputError, match="at least"):
        ssim(a[..., :4, :4], a[..., :4, :4])


def test_bad_input_is_one_sentence(pair):
    output, reference = pair
    with pytest.raises(InputError, match="register"):
        mae(output[:, :2], reference)
    with pytest.raises(InputError, match="empty"):
        psnr(output, reference, np.zeros(reference.shape[1:], bool))
    with pytest.raises(InputError, match="constant"):
        psnr(output, np.ones_like(reference))
    with pytest.raises(InputError, match="mask has shape"):
        mae(output, reference, np.ones((2, 2, 2), bool))
