"""Fusion of several modalities of one patient into one volume on the reference's grid, without training.

`fuse_volumes` does it all on volumes in memory; `fusion_quality` judges its result.
"""

from .align import REGISTRATIONS, Aligned, align
from .fuse import METHODS, UNITS, Fusion, fuse_volumes
from .quality import fusion_figures, fusion_quality

__all__ = [
    "METHODS",
    "REGISTRATIONS",
    "UNITS",
    "Aligned",
    "Fusion",
    "align",
    "fuse_volumes",
    "fusion_figures",
    "fusion_quality",
]
