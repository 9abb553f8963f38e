"""Quality figures of a translation: cycle, structure, comparison with a registered reference, distance of sets.

Everything takes plain arrays (c,z,y,x) and callables, so it works for any translator; `quality_of` puts the figures
of one translated volume together for a report.
"""

from surgical_style_engine.volumes.histogram_matching import histogram_match

from .cycle import CycleFigures, CycleScore, cycle_error_map, cycle_figures, jigsaw_puzzle_error, look_ahead_score
from .reference import data_range, mae, ms_ssim, psnr, reference_figures, ssim, ssim_figures
from .set_distance import kid, slice_features
from .structure import dice, semantic_consistency, structure_agreement
from .summary import FLOORS_NOTE, compare_with_reference, mean_figures, quality_of, set_features

__all__ = [
    "FLOORS_NOTE",
    "CycleFigures",
    "CycleScore",
    "compare_with_reference",
    "cycle_error_map",
    "cycle_figures",
    "data_range",
    "dice",
    "histogram_match",
    "jigsaw_puzzle_error",
    "kid",
    "look_ahead_score",
    "mae",
    "mean_figures",
    "ms_ssim",
    "psnr",
    "quality_of",
    "reference_figures",
    "semantic_consistency",
    "set_features",
    "slice_features",
    "ssim",
    "ssim_figures",
    "structure_agreement",
]
