"""The fusion methods on arrays: what each keeps, and what none may do."""

import numpy as np
import pytest

from surgical_style_engine.fusion import METHODS
from surgical_style_engine.fusion.inputs import FusionInputs
from surgical_style_engine.fusion.pyramid import grow, levels, shrink
from surgical_style_engine.fusion.selection import measure, select
from surgical_style_engine.volumes.filters import gaussian

SPACING = (2.0, 1.0, 1.0)
SHAPE = (20, 40, 40)


def texture(seed, sigma=2.0, amplitude=0.2):
    noise = gaussian(np.random.default_rng(seed).standard_normal(SHAPE, dtype=np.float32), sigma, SPACING)
    return (amplitude * noise / noise.std()).astype(np.float32)


def fuse(method, arrays, weights=None, supports=None, ticks=None):
    inputs = FusionInputs(
        arrays, supports or [None] * len(arrays), weights or [1.0] * len(arrays), SPACING, np.ones(SHAPE, bool)
    )
    return METHODS[method](inputs, (ticks if ticks is not None else []).append)


@pytest.mark.parametrize("method", METHODS)
def test_the_fusion_of_equal_inputs_is_the_input(method):
    array = np.clip(0.5 + texture(0), 0, 1)
    ticks = []
    fused = fuse(method, [array, array.copy(), array.copy()], ticks=ticks)
    assert fused.dtype == np.float32 and fused.shape == SHAPE
    np.testing.assert_allclose(fused, array, atol=2e-4)
    assert ticks == sorted(ticks) and ticks[-1] == pytest.approx(1) and ticks[0] > 0


@pytest.mark.parametrize("method", METHODS)
def test_an_input_of_weight_zero_leaves_no_trace(method):
    first, second, third = (np.clip(0.5 + texture(seed), 0, 1) for seed in (1, 2, 3))
    alone = fuse(method, [first, second])
    with_it = fuse(method, [first, second, third], weights=[1.0, 1.0, 0.0])
    np.testing.assert_allclose(with_it, alone, atol=1e-5)


@pytest.mark.parametrize("method", ["pyramid", "guided", "detail"])
def test_detail_that_only_one_input_has_is_kept_where_the_mean_halves_it(method):
    """Left half textured in one input, right half in the other, both on an even ground with a little noise."""
    rng = np.random.default_rng(5)
    left = np.arange(SHAPE[2]) < SHAPE[2] // 2
    pattern = texture(4, sigma=1.5, amplitude=0.15)
    first, second = (
        0.5 + np.where(part, pattern, 0) + rng.normal(0, 0.002, SHAPE).astype(np.float32) for part in (left, ~left)
    )
    first, second = first.astype(np.float32), second.astype(np.float32)
    inner = (slice(3, -3), slice(6, -6))

    def kept(fused):
        return [
            float((fused[inner + (part,)] * pattern[inner + (part,)]).mean() / (pattern[inner + (part,)] ** 2).mean())
            for part in (slice(5, 15), slice(25, 35))
        ]

    assert max(kept(fuse("weighted", [first, second]) - 0.5)) < 0.6
    assert min(kept(fuse(method, [first, second]) - 0.5)) > 0.85


@pytest.mark.parametrize("method", ["pyramid", "detail"])
def test_noise_is_averaged_where_there_is_no_detail(method):
    rng = np.random.default_rng(6)
    arrays = [(0.5 + rng.normal(0, 0.02, SHAPE)).astype(np.float32) for _ in range(3)]
    # One small structure, so that the noise is not all there is.
    arrays[0][8:12, 18:22, 18:22] += 0.4
    fused = fuse(method, arrays)
    assert fused[:, :10].std() < 0.8 * arrays[0][:, :10].std()
    assert fused[9:11, 19:21, 19:21].mean() > 0.5 + 0.8 * 0.4


def test_opposite_edges_do_not_extinguish_each_other():
    axes = ((np.arange(n) - n / 2 + 0.5) * mm for n, mm in zip(SHAPE, SPACING, strict=True))
    z, y, x = np.meshgrid(*axes, indexing="ij")
    ball = (z**2 + y**2 + x**2 < 64).astype(np.float32)
    bright, dark = 0.5 + 0.3 * ball, 0.5 - 0.25 * ball
    mean, pyramid = fuse("weighted", [bright, dark]), fuse("pyramid", [bright, dark])
    inside, shell = ball > 0, (ball == 0) & (z**2 + y**2 + x**2 < 144)
    assert abs(mean[inside].mean() - mean[shell].mean()) < 0.05
    assert pyramid[inside].mean() - pyramid[shell].mean() > 0.25, "all of the ball from the stronger input"
    assert pyramid[inside].std() < 0.06, "no rim of one input around the inside of another"


def test_weights_of_the_weighted_mean():
    first, second = np.full(SHAPE, 0.2, np.float32), np.full(SHAPE, 0.8, np.float32)
    np.testing.assert_allclose(fuse("weighted", [first, second], [3, 1]), 0.35, atol=1e-6)
    support = np.zeros(SHAPE, np.float32)
    support[10:] = 1
    fused = fuse("weighted", [first, second], [1, 1], [None, support])
    np.testing.assert_allclose(fused[:10], 0.2, atol=1e-6)
    np.testing.assert_allclose(fused[10:], 0.5, atol=1e-6)


def test_where_only_inputs_without_weight_lie_the_reference_stays():
    first, second = np.full(SHAPE, 0.2, np.float32), np.full(SHAPE, 0.8, np.float32)
    support = np.zeros(SHAPE, np.float32)
    support[10:] = 1
    fused = fuse("weighted", [first, second], [0, 1], [None, support])
    np.testing.assert_allclose(fused[:10], 0.2, atol=1e-6)
    np.testing.assert_allclose(fused[10:], 0.8, atol=1e-6)


def test_the_pyramid_halves_thick_axes_last_and_comes_back_exactly():
    plan = levels((48, 256, 256), (3.0, 0.9, 0.9))
    assert [axes for _, axes in plan[:3]] == [(1, 2), (1, 2), (0, 1, 2)]
    assert plan[2][0] == pytest.approx((3.0, 3.6, 3.6))
    array = np.random.default_rng(0).random((7, 9, 8)).astype(np.float32)
    low = shrink(array, (0, 1, 2))
    assert low.shape == (4, 5, 4)
    detail = array - grow(low, (0, 1, 2), array.shape)
    np.testing.assert_allclose(detail + grow(low, (0, 1, 2), array.shape), array, atol=1e-6)
    np.testing.assert_allclose(grow(shrink(np.ones_like(array), (1, 2)), (1, 2), array.shape), 1, atol=1e-6)
    assert levels((1, 3, 3), (1.0,) * 3) == [], "nothing to halve"


def test_selection_takes_the_stronger_and_averages_what_matches():
    detail = np.where(np.arange(SHAPE[2]) < 20, texture(8), 0).astype(np.float32)  # half of it quiet
    body = np.ones(SHAPE, bool)

    def chosen(factors, **options):
        return select([measure(detail * f, 2.0, SPACING, body) for f in factors], [0.5, 0.5], 2.0, SPACING, **options)

    strong = np.abs(detail) > 0.3
    for other in (0.2, -0.9):
        share = (chosen((1, other)) * detail)[strong].sum() / (detail**2)[strong].sum()
        assert share > 0.85, "neither averaged with the weaker nor cancelled by the opposite one"
    both, hard = chosen((1, 0.9))[strong], chosen((1, 0.9), average_matching=False)[strong]
    np.testing.assert_allclose(both, 0.955 * detail[strong], rtol=0.02)
    assert np.abs(hard).mean() > 1.02 * np.abs(both).mean()
