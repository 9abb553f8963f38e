"""Fusion of several modalities of one patient into one volume on the reference's grid.

`fuse_volumes` does it all on volumes in memory without training, `fuse_learned` by a trained model;
`fusion_quality` judges their results.
"""

from .align import REGISTRATIONS, Aligned, align
from .fuse import METHODS, UNITS, Fusion, fuse_volumes
from .learned import fuse_learned
from .quality import fusion_figures, fusion_quality

__all__ = [
    "METHODS",
    "REGISTRATIONS",
    "UNITS",
    "Aligned",
    "Fusion",
    "align",
    "fuse_learned",
    "fuse_volumes",
    "fusion_figures",
    "fusion_quality",
]
