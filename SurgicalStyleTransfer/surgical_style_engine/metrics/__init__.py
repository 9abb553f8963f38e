"""Quality metrics of a translation: cycle, structure, comparison with a registered reference, distance of sets.

Everything here takes plain arrays (c, z, y, x) and callables, so it works for any translator; what is judged, and
where, is put together in ``app``.
"""

from __future__ import annotations

from .averages import mean_metrics
from .cycle import CycleMetrics, CycleScore, cycle_error_map, cycle_metrics, jigsaw_puzzle_error, look_ahead_score
from .reference import data_range, mae, ms_ssim, psnr, reference_metrics, ssim, ssim_metrics
from .region import judged_region
from .set_distance import kernel_mmd, slice_features
from .structure import dice, semantic_consistency, structure_agreement

__all__ = [
    "CycleMetrics",
    "CycleScore",
    "cycle_error_map",
    "cycle_metrics",
    "data_range",
    "dice",
    "jigsaw_puzzle_error",
    "judged_region",
    "kernel_mmd",
    "look_ahead_score",
    "mae",
    "mean_metrics",
    "ms_ssim",
    "psnr",
    "reference_metrics",
    "semantic_consistency",
    "slice_features",
    "ssim",
    "ssim_metrics",
    "structure_agreement",
]
