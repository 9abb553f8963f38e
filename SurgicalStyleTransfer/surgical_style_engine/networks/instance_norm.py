"""Instance normalisation by the faster of torch's two routes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .tracing import is_traced


class InstanceNorm2d(nn.InstanceNorm2d):
    """``torch.nn.InstanceNorm2d`` (Ulyanov et al. 2016), computed as a group normalisation of one channel a group.

    (n, c, h, w) -> same. Equal up to rounding, with the same weights. torch's own goes through batch normalisation,
    which copies what lies channels-last and, in bf16, rounds what lies in between (Testing/benchmarks/NOTES.md).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Other programs know the layer by its own name; a single pixel is torch's to refuse.
        if is_traced() or self.track_running_stats or x.dim() != 4 or x.shape[2] * x.shape[3] < 2:
            return super().forward(x)
        if x.dtype == torch.float32 and not x.is_contiguous() and not x.is_cuda:
            # Channels-last, torch takes the variance as the mean of squares less the square of the mean, of which large
            # means leave few digits. Taking a near mean away first costs a tenth of the time and changes nothing else.
            x = x - x[:, :, ::4, ::4].mean((2, 3), keepdim=True)
        return F.group_norm(x, x.shape[1], self.weight, self.bias, self.eps)
