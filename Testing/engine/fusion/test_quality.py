"""Figures of fusion: known values, and that they rank as they should."""

import numpy as np
import pytest

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.fusion import fuse_volumes, fusion_metrics, fusion_quality
from surgical_style_engine.fusion.quality import entropy, mutual_information
from surgical_style_engine.volumes.filters import gaussian
from surgical_style_engine.volumes.volume import Volume

SHAPE = (6, 48, 48)


def texture(seed, sigma=1.5):
    noise = gaussian(np.random.default_rng(seed).standard_normal(SHAPE, dtype=np.float32), sigma, (1.0,) * 3)
    return np.clip(0.5 + 0.15 * noise / noise.std(), 0, 1).astype(np.float32)


def figures(fused, *inputs, region=None):
    region = np.ones(SHAPE, bool) if region is None else region
    return fusion_metrics([fused], list(inputs), region)[0]


def test_entropy_and_mutual_information_of_known_distributions():
    four = np.repeat([0.1, 0.3, 0.6, 0.9], 1000)
    assert entropy(four) == pytest.approx(2) and entropy(np.full(9, 0.3)) == 0
    assert mutual_information(four, four) == pytest.approx((2, 1))
    assert mutual_information(four, 1 - four) == pytest.approx((2, 1)), "contrast does not matter"
    halves = np.where(four < 0.5, 0.2, 0.8)
    assert mutual_information(four, halves) == pytest.approx((1, 2 / 3))
    independent = np.tile([0.2, 0.8], 2000)
    assert mutual_information(four, independent) == pytest.approx((0, 0), abs=1e-9)
    assert mutual_information(np.full(8, 0.5), np.full(8, 0.2)) == (0, 0)


def test_a_perfect_fusion_reaches_the_best_values():
    image = texture(0)
    found = figures(image, image, image)
    assert found["q_abf"] == pytest.approx(0.975, abs=0.002), "all that the constants of the paper allow"
    for key in ("piella", "piella_weighted", "piella_edge", "normalized_mutual_information_lowest"):
        assert found[key] == pytest.approx(1, abs=1e-4)


def test_edges_of_opposite_contrast_count_as_kept_but_not_as_similar():
    image = texture(1)
    found = figures(1 - image, image)
    assert found["q_abf"] == pytest.approx(0.975, abs=0.002)
    assert found["normalized_mutual_information_lowest"] > 0.9
    assert found["piella_weighted"] < -0.5


def test_each_window_is_judged_by_the_input_that_has_structure_there():
    left = np.arange(SHAPE[2]) < 24
    image, flat = texture(2), np.float32(0.5)
    first, second = np.where(left, image, flat), np.where(left, flat, image)
    # Without the seam, where both inputs have an edge that is none of the picture's.
    region = np.broadcast_to(np.abs(np.arange(SHAPE[2]) - 23.5) > 5, SHAPE)
    good, lost, average = (
        figures(fused, first, second, region=region) for fused in (image, first, (first + second) / 2)
    )
    for key in ("q_abf", "piella_weighted", "piella_edge"):
        assert good[key] > 0.9 and good[key] > average[key] + 0.03, key
        assert good[key] > lost[key] + 0.2, key
    assert good["normalized_mutual_information_lowest"] > lost["normalized_mutual_information_lowest"] + 0.1


def test_q_abf_of_an_edge_of_half_the_strength():
    """G = 1/2 and A = 1 everywhere: Q = 0.9994 / 2 * 0.9879 / (1 + exp(-22 * 0.2))."""
    ramp = np.broadcast_to(np.linspace(0, 1, SHAPE[2], dtype=np.float32), SHAPE)
    region = np.zeros(SHAPE, bool)
    region[:, 5:-5, 5:-5] = True
    found = figures(ramp * 0.5, ramp, region=region)
    assert found["q_abf"] == pytest.approx(0.9994 / 2 * 0.9879 / (1 + np.exp(-22 * 0.2)), abs=1e-3)
    # A quarter turn: nothing of the orientation is left.
    turned = np.ascontiguousarray(ramp.transpose(0, 2, 1))
    assert figures(turned, ramp, region=region)["q_abf"] < 1e-3


def test_piella_agrees_with_a_plain_reckoning_of_one_window():
    rng = np.random.default_rng(3)
    a, b, f = (rng.random(SHAPE).astype(np.float32) for _ in range(3))
    region = np.zeros(SHAPE, bool)
    region[2, 20, 30] = True
    part = (2, slice(17, 24), slice(27, 34))

    def ssim(x, y):
        mx, my, vx, vy = x.mean(), y.mean(), x.var(), y.var()
        covariance = ((x - mx) * (y - my)).mean()
        return (2 * mx * my + 1e-4) * (2 * covariance + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))

    a_, b_, f_ = (image[part].astype(float) for image in (a, b, f))
    share = a_.var() / (a_.var() + b_.var())
    found = figures(f, a, b, region=region)
    assert found["piella"] == pytest.approx(share * ssim(a_, f_) + (1 - share) * ssim(b_, f_), abs=1e-4)
    assert found["piella_weighted"] == pytest.approx(found["piella"], abs=1e-6), "one window has all the weight"


def test_only_the_region_counts_on_any_slice_axis():
    image, other = texture(4), texture(5)
    region = np.zeros(SHAPE, bool)
    region[:, 10:30, 12:28] = True
    spoiled = image.copy()
    spoiled[:, 40:] = 1
    spoiled[:, :, 40:] = 0
    assert figures(image, image, other, region=region) == figures(spoiled, image, other, region=region)
    upright = [np.ascontiguousarray(np.moveaxis(a, 0, 2)) for a in (spoiled, image, other, region)]
    turned = fusion_metrics([upright[0]], upright[1:3], upright[3], slice_axis=2)[0]
    for key, value in figures(image, image, other, region=region).items():
        assert turned[key] == pytest.approx(value, rel=1e-5), key
    with pytest.raises(InputError, match="empty"):
        figures(image, other, region=np.zeros(SHAPE, bool))


def test_constant_images_give_numbers():
    flat = np.full(SHAPE, 0.5, np.float32)
    found = figures(flat, flat, flat)
    assert all(np.all(np.isfinite(value)) for value in found.values())
    assert found["entropy"] == 0 and found["q_abf"] == 0


def test_the_figures_of_a_fusion_stand_beside_its_floors():
    body = np.hypot(*np.meshgrid(np.arange(48) - 24, np.arange(48) - 24)) < 20
    volumes = [Volume((1000 * texture(seed) * body)[None].astype(np.float32), (1.0, 1.0, 3.0)) for seed in (6, 7)]
    fusion = fuse_volumes(volumes, method="weighted")
    found = fusion_quality(fusion)
    assert found["floors"]["average"]["q_abf"] == pytest.approx(found["q_abf"], abs=1e-3), "it is the average"
    assert found["floors"]["reference"]["mutual_information"][0] > found["mutual_information"][0]
    assert found["inputs"] == ["The reference", "Input 2"] and len(found["mutual_information"]) == 2
    assert 0.4 < found["mask_fraction"] < 0.8 and "Floors" in found["floors_note"]
    with pytest.raises(Cancelled):
        fusion_quality(fusion, cancelled=lambda: True)
