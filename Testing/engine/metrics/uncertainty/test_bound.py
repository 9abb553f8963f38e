"""Bounds from features: the network, the groups' factors, and the map."""

import numpy as np
import pytest
from tiny_calibrations import constant_model

from surgical_style_engine.metrics.uncertainty.bound import (
    NOT_BOUNDED,
    asymmetry,
    bound_map,
    bounds_of,
    groups_of,
    likeness,
    raw_bounds,
)
from surgical_style_engine.metrics.uncertainty.features import QUICK_FEATURES
from surgical_style_engine.models.calibration import Layer

COUNT = len(QUICK_FEATURES)


def rows(**columns):
    values = np.zeros((len(next(iter(columns.values()))), COUNT), np.float32)
    for name, column in columns.items():
        values[:, QUICK_FEATURES.index(name)] = column
    return values


def test_the_network_is_what_its_numbers_say():
    first = np.zeros((2, COUNT))
    first[0, 0], first[1, 0] = 1, -1
    layers = [
        Layer(weights=first.tolist(), bias=[0.0, 0.0]),
        Layer(weights=[[1.0, 2.0]], bias=[-3.0]),
    ]
    model = constant_model(layers=layers, centre=[0.5] + [0.0] * (COUNT - 1), scale=[2.0] + [1.0] * (COUNT - 1))
    bounds = raw_bounds(model, rows(input=[0.5, 2.5, -1.5, 100.0]))
    # Rectified |value| with weights 1 and 2; a feature counts up to four deviations; a bound no more than the range.
    np.testing.assert_allclose(bounds, np.exp([-3, -2, -1, 0.7]), rtol=1e-5)


def test_groups_are_classes_of_the_translation_ordinary_or_abnormal():
    model = constant_model(edges=(-0.2, 0.4), unlike=0.3, factors=[1, 2, 3, 4, 5, 6])
    features = rows(
        output_mean=[-0.9, 0.0, 0.9, -0.9, 0.0, 0.9],
        output_region_asymmetry=[0.1, 0.0, -0.2, 0.2, -0.3, 0.5],
        input_region_asymmetry=[0.1, 0.2, 0.0, -0.2, 0.0, 0.1],
    )
    assert asymmetry(features)[3] == pytest.approx(0.4)
    assert groups_of(model, features).tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(bounds_of(model, features), 0.1 * np.arange(1, 7), rtol=1e-5)


def test_a_second_number_of_the_network_tells_what_is_abnormal():
    weights = np.zeros((2, COUNT))
    weights[0, QUICK_FEATURES.index("input")], weights[1, QUICK_FEATURES.index("input_tissue")] = 1, -2
    model = constant_model(layers=[Layer(weights=weights.tolist(), bias=[-2.0, 0.5])], edges=(-0.2, 0.4), unlike=1.0)
    features = rows(input=[0.0, 1.0, 0.0], input_tissue=[0.5, -0.3, -0.2], output_region_asymmetry=[9.0, 0.0, 0.0])
    np.testing.assert_allclose(likeness(model, features), [-0.5, 1.1, 0.9], rtol=1e-5)
    assert groups_of(model, features).tolist() == [1, 4, 1], "asymmetry counts where there is no second number alone"
    np.testing.assert_allclose(raw_bounds(model, features), np.exp([-2, -1, -2]), rtol=1e-5)


def test_the_map_has_a_bound_in_the_body_and_none_outside():
    body = np.zeros((3, 20, 24), bool)
    body[1:, 4:16, 5:19] = True
    image = np.random.default_rng(0).uniform(-1, 1, body.shape).astype(np.float32)
    bounds = bound_map(constant_model(0.25), image, image, body)
    assert bounds.dtype == np.float32 and np.all(bounds[~body] == NOT_BOUNDED)
    np.testing.assert_allclose(bounds[body], 0.25, rtol=1e-5)
