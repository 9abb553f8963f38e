"""Slices begin from their neighbours and do not flicker."""

import numpy as np
from style_pictures import QUICK, waves
from tiny_models import head

from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.stylize.random_features import random_features
from surgical_style_engine.stylize.sequence import flicker, middle_first, stylize_sequence


def test_order_and_flicker():
    body = np.zeros((5, 2, 2), bool)
    body[1:4, 0] = True
    body[2] = True
    assert middle_first(body) == [(2, None), (3, 2), (4, 3), (1, 2), (0, 1)]
    slices = np.arange(5, dtype=np.float32)[None, :, None, None] * np.ones((1, 5, 2, 2), np.float32)
    assert flicker(slices, body) == 1 and flicker(slices[:, :1], body[:1]) is None


def test_neighbours_hold_each_other():
    z, y, x = np.mgrid[:5, :40, :36].astype(np.float32)
    content = (0.5 + 0.1 * np.sin(0.2 * x + 0.3 * z) + 0.1 * np.cos(0.15 * y))[None].astype(np.float32)
    body = np.ones(content.shape[1:], bool)
    settings = StyleSettings(features="random", steps=24, neighbour_steps=8)
    held = stylize_sequence(content, waves(), random_features, settings, body=body)
    by_itself = settings.model_copy(update={"independent": True})
    alone = stylize_sequence(content, waves(), random_features, by_itself, body=body)
    assert held.flicker < 0.7 * alone.flicker
    assert held.slices.shape == (3, 5, 40, 36) and "consistency" in held.terms and "consistency" not in alone.terms
    assert held.flicker_content == alone.flicker_content > 0
    assert held.order == [0, 1, 2, 3, 4]


def test_layers_change_the_result():
    content = head()[None, 6:7, :40, :36] / 800
    fine, coarse = (
        stylize_sequence(content, waves(), random_features, StyleSettings(layers={name: 1.0}, **QUICK)).slices
        for name in ("fine1", "strokes4")
    )
    assert np.abs(fine - coarse).mean() > 0.005
