"""The figures of the court, and ranks over them."""

import numpy as np
import pytest
from lesion_phantom import phantom, smooth

from surgical_style_engine.metrics.court.figures import distance_from_best, figures, judged_values, mean_ranks
from surgical_style_engine.metrics.metric import JudgedCase

PHANTOM = phantom()
BY_KEY = {entry.key: entry for entry in figures()}


def values(image):
    case = JudgedCase(PHANTOM.source[None], image[None], PHANTOM.region, PHANTOM.real[None])
    return judged_values(case)


def test_the_real_image_is_perfect():
    perfect = values(PHANTOM.real)
    assert perfect["sharpness"] == pytest.approx(1) and perfect["edges"] == pytest.approx(1)
    assert perfect["tissue_dice"] == pytest.approx(1)


def test_blur_is_less_sharp_and_agrees_less():
    blurred = values(smooth(PHANTOM.real, 1.5))
    assert blurred["sharpness"] < 0.7 and blurred["edges"] < 0.9


def test_a_flat_image_has_no_edges_to_agree():
    flat = values(np.zeros_like(PHANTOM.real))
    assert flat["edges"] is None and flat["sharpness"] == 0 and flat["edge_offset_mm"] is None


def test_ranks_share_ties_and_leave_out_what_not_all_have():
    ranks = mean_ranks([{"psnr": 20.0, "edges": 0.5}, {"psnr": 18.0, "edges": None}, {"psnr": 18.0, "edges": 0.9}])
    assert ranks == [1.0, 2.5, 2.5]
    assert mean_ranks([{}, {}]) == [None, None]


def test_what_is_best_for_figures_without_a_direction():
    sharpness = BY_KEY["sharpness"]
    assert distance_from_best(sharpness, 1.0) == 0
    assert distance_from_best(sharpness, 0.5) == pytest.approx(distance_from_best(sharpness, 2.0))
    assert distance_from_best(BY_KEY["psnr"], 20) < distance_from_best(BY_KEY["psnr"], 10)
    assert distance_from_best(BY_KEY["coverage"], 0.9) is None
