"""Local structure, place and asymmetry: what each feature is."""

import numpy as np
import pytest

from surgical_style_engine.metrics.uncertainty.features import FULL_FEATURES, QUICK_FEATURES, box, slice_features

RNG = np.random.default_rng(0)


def features(source, output, body, **more):
    (part,) = slice_features(source[None], output[None], body[None], **more)
    names = FULL_FEATURES if "disagreement" in more else QUICK_FEATURES
    assert part.values.shape == (body.sum(), len(names)) and part.values.dtype == np.float32
    return dict(zip(names, part.values.T, strict=True))


@pytest.mark.parametrize("radius", [1, 2, 10])
def test_the_box_is_the_mean_of_its_pixels(radius):
    image = RNG.uniform(-1, 1, (23, 31)).astype(np.float32)
    padded = np.pad(image, radius, mode="edge")
    width = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (width, width))
    np.testing.assert_allclose(box(image, radius), windows.mean((2, 3)), atol=1e-5)


def test_flat_images_have_no_texture_and_mirror_images_no_asymmetry():
    body = np.ones((40, 50), bool)
    flat = np.full((40, 50), 0.25, np.float32)
    half = RNG.uniform(-1, 1, (40, 25)).astype(np.float32)
    known = features(flat, np.hstack([half, half[:, ::-1]]), body)
    assert np.abs(known["input_deviation"]).max() < 1e-2 and known["output_deviation"].mean() > 0.1
    np.testing.assert_allclose(known["input_mean"], 0.25, atol=1e-5)
    np.testing.assert_allclose(known["output_asymmetry"], 0, atol=1e-5)


def test_one_sided_brightness_is_asymmetric_with_opposite_signs():
    image = np.full((40, 50), -0.5, np.float32)
    image[15:25, 5:15] = 0.5
    body = np.ones(image.shape, bool)
    asymmetry = features(image, image, body)["input_asymmetry"].reshape(image.shape)
    assert asymmetry[20, 10] > 0.9 and asymmetry[20, 39] < -0.9 and abs(asymmetry[5, 25]) < 1e-5


def test_the_mirror_is_the_middle_of_the_body():
    image = np.full((30, 60), -1.0, np.float32)
    image[:, 30:50] = 0.0
    known = features(image, image, image > -1)
    np.testing.assert_allclose(known["input_asymmetry"], 0, atol=1e-5)


def test_what_lies_at_the_edge_knows_it():
    body = np.zeros((60, 60), bool)
    body[5:55, 5:55] = True
    share = np.full(body.shape, np.nan)
    share[body] = features(np.zeros((60, 60), np.float32), np.zeros((60, 60), np.float32), body)["body_share"]
    assert share[30, 30] == pytest.approx(1) and share[5, 5] == pytest.approx(11 * 11 / 21**2, abs=0.05)


def test_slices_without_a_body_and_those_not_chosen_are_left_out():
    images = np.zeros((4, 8, 8), np.float32)
    body = np.zeros(images.shape, bool)
    body[1:, 2:6, 2:6] = True
    assert [part.index for part in slice_features(images, images, body)] == [1, 2, 3]
    assert [part.index for part in slice_features(images, images, body, chosen=[0, 2])] == [2]
    assert list(slice_features(images, images, np.zeros_like(body))) == []


def test_disagreement_is_the_last_feature():
    image = np.zeros((12, 12), np.float32)
    spread = np.full((1, 12, 12), 0.3, np.float32)
    known = features(image, image, np.ones((12, 12), bool), disagreement=spread)
    np.testing.assert_allclose(known["disagreement"], 0.3, atol=1e-6)
