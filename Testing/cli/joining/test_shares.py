"""Shares of several inputs are those that err least, and an input that only harms is left out."""

import numpy as np
import pytest
from tiny_models import make_tiny_pairs

from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.joined import JoinedPairs
from training_cli.joining.shares import best_shares, measured_shares, products_of

BOTH, THERE = ("forward", "backward"), ("forward",)


def errors(seed: int, **spreads: float) -> dict[str, np.ndarray]:
    """Independent errors of these standard deviations."""
    random = np.random.default_rng(seed)
    return {name: random.normal(0, spread, 20_000) for name, spread in spreads.items()}


def test_products_are_mean_squares_over_the_range():
    values = products_of({"a": np.array([0.4, -0.4]), "b": np.array([0.2, 0.2])}, 2.0)
    assert values["a", "a"] == pytest.approx(0.04) and values["b", "b"] == pytest.approx(0.01)
    assert values["a", "b"] == values["b", "a"] == pytest.approx(0.0)


def test_independent_errors_count_by_the_inverse_of_their_squares():
    shares = best_shares([products_of(errors(seed, a=0.1, b=0.2), 2.0) for seed in range(3)], ["a", "b"])
    assert shares["a"] == pytest.approx(0.8, abs=0.01) and sum(shares.values()) == pytest.approx(1)


def test_no_other_shares_have_a_higher_mean_psnr():
    common = np.random.default_rng(9).normal(0, 0.1, 20_000)
    patients = [errors(seed, a=0.1 + 0.05 * seed, b=0.2, c=0.15) for seed in range(3)]
    patients = [{name: values + common for name, values in each.items()} for each in patients]
    products = [products_of(each, 2.0) for each in patients]

    def psnr(shares: dict[str, float]) -> float:
        mixed = [sum(shares.get(name, 0.0) * values for name, values in each.items()) for each in patients]
        return float(np.mean([-10 * np.log10(np.mean(one**2)) for one in mixed]))

    best = psnr(best_shares(products, ["a", "b", "c"]))
    grid = [(a / 10, b / 10, 1 - a / 10 - b / 10) for a in range(11) for b in range(11 - a)]
    assert best >= max(psnr(dict(zip("abc", weights, strict=True))) for weights in grid) - 0.01


def test_an_input_that_harms_is_left_out():
    base = errors(0, a=0.1)["a"]
    harmful = {"a": base, "b": 2 * base}
    assert best_shares([products_of(harmful, 2.0)], ["a", "b"]) == {"a": 1.0}


def test_one_input_counts_alone():
    assert best_shares([products_of(errors(0, a=0.1), 2.0)], ["a"]) == {"a": 1.0}


def test_sets_without_patients_keep_equal_shares(tmp_path):
    ways = (("T1w", "T2w", BOTH), ("FLAIR", "T2w", THERE), ("PD", "T2w", THERE))
    pairs = JoinedPairs([load_model(path) for path in make_tiny_pairs(tmp_path, ways)])
    products = [products_of(errors(seed, T1w=0.1, FLAIR=0.2), 2.0) for seed in range(2)]
    shares, patients = measured_shares(pairs, {"T2w": products})
    assert shares[frozenset({"T1w", "FLAIR"}), "T2w"]["T1w"] == pytest.approx(0.8, abs=0.02)
    assert shares[frozenset({"T1w", "PD"}), "T2w"] == {"T1w": 0.5, "PD": 0.5}
    assert shares[frozenset({"T1w"}), "T2w"] == {"T1w": 1.0}
    assert patients == {"T1w+FLAIR>T2w": 2}


def test_what_does_not_count_changes_nothing(tmp_path):
    """The shares of T1w and FLAIR are those of all patients that have both, with or without a PD that only harms."""
    ways = (("T1w", "T2w", BOTH), ("FLAIR", "T2w", THERE), ("PD", "T2w", THERE))
    pairs = JoinedPairs([load_model(path) for path in make_tiny_pairs(tmp_path, ways)])
    base = errors(7, T1w=0.1)["T1w"]
    harmful = [{**errors(seed, T1w=0.1, FLAIR=0.2), "PD": 3 * base} for seed in range(2)]
    others = [errors(seed, T1w=0.1, FLAIR=0.1) for seed in range(5, 8)]
    shares, _ = measured_shares(pairs, {"T2w": [products_of(each, 2.0) for each in (*harmful, *others)]})
    two = shares[frozenset({"T1w", "FLAIR"}), "T2w"]
    assert shares[frozenset({"T1w", "FLAIR", "PD"}), "T2w"] == two and 0.55 < two["T1w"] < 0.75
