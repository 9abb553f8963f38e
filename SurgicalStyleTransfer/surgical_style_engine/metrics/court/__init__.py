"""What candidates are compared by beyond the registry's metrics: edges, tissues, and intervals over patients."""

from __future__ import annotations

from .bootstrap import paired_difference
from .edges import EdgeOffset, edge_offset
from .figures import figures, judged_values, mean_ranks
from .mixture import tissue_agreement

__all__ = [
    "EdgeOffset",
    "edge_offset",
    "figures",
    "judged_values",
    "mean_ranks",
    "paired_difference",
    "tissue_agreement",
]
