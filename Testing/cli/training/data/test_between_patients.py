"""Affine registration of made-up heads of different size, place and contrast."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from training_cli.training.data.between_patients import centred, coarse, fit_affine, laid_on

SIZE = (40, 60, 52)  # voxels of 3, 2 and 2 mm


def head(scale: float = 1.0, shift: tuple[float, float, float] = (0, 0, 0), inverted: bool = False) -> np.ndarray:
    """An ellipsoid with two inner ones off its middle, in normalised intensities, air -1; axes z, y, x in mm."""
    axes = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(SIZE, (3.0, 2.0, 2.0), strict=True)]
    z, y, x = (a / scale - s for a, s in zip(np.meshgrid(*axes, indexing="ij"), shift, strict=True))
    image = np.full(SIZE, -1.0, np.float32)
    tissue, first, second = (-0.3, 0.7, 0.2) if inverted else (0.5, -0.6, 0.0)
    image[(z / 45) ** 2 + (y / 48) ** 2 + (x / 38) ** 2 < 1] = tissue
    image[((z - 8) / 18) ** 2 + ((y - 14) / 12) ** 2 + ((x + 6) / 16) ** 2 < 1] = first
    image[((z + 14) / 12) ** 2 + ((y + 16) / 14) ** 2 + ((x - 8) / 10) ** 2 < 1] = second
    return image


def image_of(array: np.ndarray) -> sitk.Image:
    return centred(array, 3.0, 2.0)


def test_another_contrast_size_and_place_are_found():
    fixed, moving = image_of(head()), image_of(head(0.9, (4, -5, 3), inverted=True))
    fit = fit_affine(coarse(fixed), coarse(moving))
    assert fit.plausible and fit.stretch == pytest.approx((0.9, 0.9), abs=0.06)
    moved, covered = laid_on(fixed, moving, fit.transform)
    wanted = head(inverted=True)
    inside = covered & (wanted > -0.9)
    before = np.abs(head(0.9, (4, -5, 3), inverted=True) - wanted)[inside].mean()
    assert np.abs(moved - wanted)[inside].mean() < 0.3 * before


def test_the_same_images_give_the_same_transform():
    images = [coarse(image_of(head())), coarse(image_of(head(0.95, inverted=True)))]
    first, second = fit_affine(*images), fit_affine(*images)
    assert first.transform.GetParameters() == second.transform.GetParameters()
    assert first.information == second.information


def test_what_has_nothing_in_common_does_not_fit():
    noise = np.random.default_rng(0).uniform(-0.85, 1, SIZE).astype(np.float32)
    assert not fit_affine(coarse(image_of(head())), coarse(image_of(noise))).plausible
