"""Fusion of several modalities of one patient into one volume on the reference's grid.

`fuse_volumes` does it all on volumes in memory without training, `fuse_learned` by a trained model;
`fusion_quality` judges their results.
"""

from .align import REGISTRATIONS, Aligned, align
from .fuse import fuse_volumes
from .learned import fuse_learned
from .methods import METHODS, FusionMethod
from .options import UNITS, FusionOptions
from .quality import fusion_metrics, fusion_quality
from .result import Fusion

__all__ = [
    "METHODS",
    "REGISTRATIONS",
    "UNITS",
    "Aligned",
    "Fusion",
    "FusionMethod",
    "FusionOptions",
    "align",
    "fuse_learned",
    "fuse_volumes",
    "fusion_metrics",
    "fusion_quality",
]
