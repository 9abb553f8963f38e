"""A generator that only sets tone: local tone curves from a bilateral grid, and a bounded residual if asked for."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

CELL = 8  # pixels a side of the grid's cells
GROUPS = 8  # channels are normalised in so many groups


class BilateralGenerator(nn.Module):
    """Local tone curves (HDRNet: Gharbi et al., SIGGRAPH 2017), sliced by weighted sums.

    (n, in_channels, h, w) in [-1, 1] -> (n, out_channels, h, w); any h and w. The channels are a stack of neighbouring
    slices, of which the middle one is translated.

    A U-shaped network sees the slices at an eighth of their resolution and gives, for every cell of 8 x 8 pixels and
    every one of ``bins`` intensities, a gain for each slice of the stack and an offset. A guide at full resolution says
    which intensity a pixel has; gains and offsets are interpolated bilinearly between cells and linearly between
    intensities. What comes out is as sharp as what goes in, and within a cell equal inputs give all but equal outputs.

    features: channels of the U's first level. bins: intensities of the grid. guides: grids that are added, each with a
    guide of its own; the first guide is the middle slice's intensity. guide_features: of the convolution that the guides
    are made of. levels: halvings below the cells. residual: channels of the convolutions at full resolution whose
    result, gated and at most RESIDUAL, is added; 0 for none.
    """

    RESIDUAL, SHIFT = 0.5, 0.5

    def __init__(
        self, in_channels: int = 3, out_channels: int = 1, features: int = 32, bins: int = 8, guides: int = 1,
        guide_features: int = 0, levels: int = 2, residual: int = 0, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.bins, self.guides = bins, guides
        self.multiple = CELL * 2**levels
        wide = 2 * features
        self.stem = nn.Sequential(
            nn.AvgPool2d(2), _conv(in_channels, features, 2), _conv(features, wide, 2), _conv(wide, wide)
        )
        self.context = _Level(wide, levels, dropout)
        self.head = nn.Conv2d(wide, guides * bins + in_channels, 1)
        self.guide = nn.Sequential(nn.Conv2d(in_channels, 8, 1), nn.ReLU(), nn.Conv2d(8, guides, 1))
        self.half = guide_features
        if guide_features:
            self.half_first = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(in_channels, guide_features, 3, padding=1))
            self.half_context = nn.Conv2d(wide, guide_features, 1)
            self.half_last = nn.Sequential(
                nn.ReLU(), nn.Conv2d(guide_features, guide_features, 3, padding=1), nn.ReLU(),
                nn.Conv2d(guide_features, guides, 3, padding=1),
            )
            nn.init.normal_(self.half_last[3].weight, std=0.02)
            nn.init.zeros_(self.half_last[3].bias)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        nn.init.normal_(self.guide[2].weight, std=0.1)
        nn.init.zeros_(self.guide[2].bias)
        self.register_buffer("centres", torch.arange(bins, dtype=torch.float32).view(1, 1, bins, 1, 1), persistent=False)
        self.residual = residual
        if residual:
            self.fine_context = nn.Conv2d(wide, residual, 1)
            self.fine = nn.Sequential(
                nn.Conv2d(in_channels + out_channels + residual, residual, 3, padding=1), nn.ReLU(),
                nn.Conv2d(residual, residual, 3, padding=1), nn.ReLU(),
                nn.Conv2d(residual, 2 * out_channels, 3, padding=1),
            )  # fmt: skip
            nn.init.normal_(self.fine[4].weight, std=0.01)
            nn.init.zeros_(self.fine[4].bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, w = x.shape[-2:]
        # Always padded, by 0 where it fits: exporters that trace would freeze a decision.
        x = F.pad(x, (0, -w % self.multiple, 0, -h % self.multiple), mode="replicate")
        low = self.context(self.stem(x))
        y = self.slice(x, self.head(low), self.shift(x, low))
        if self.residual:
            around = F.interpolate(self.fine_context(low), scale_factor=float(CELL), mode="bilinear")
            change, gate = self.fine(torch.cat([x, y, around], 1)).split(self.out_channels, 1)
            y = y + self.RESIDUAL * torch.tanh(change) * torch.sigmoid(gate)
        return y[..., :h, :w]

    def shift(self, x: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        """What is added to the intensity for the guides: (n, guides, h, w)."""
        found = self.guide(x)
        if self.half:
            around = F.interpolate(self.half_context(low), scale_factor=CELL / 2, mode="bilinear")
            change = torch.tanh(self.half_last(self.half_first(x) + around)) * self.SHIFT
            found = found + F.interpolate(change, scale_factor=2.0, mode="bilinear")
        return found

    def slice(self, x: torch.Tensor, grid: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """The curves of a grid (n, guides * bins + in, h / 8, w / 8) applied to the slices."""
        n, c, h, w = x.shape
        middle = x[:, c // 2 : c // 2 + 1]
        places = (shift + (middle * 0.5 + 0.5)).clamp(0, 1).unsqueeze(2) * (self.bins - 1)
        # Hat functions, one for each intensity: (n, guides, bins, h, w).
        hats = F.relu(1 - (places - self.centres).abs()).view(n, self.guides * self.bins, h, w)
        curves = self.enlarge(grid)
        return (curves[:, c:] * hats).sum(1, keepdim=True) + (curves[:, :c] * x).sum(1, keepdim=True)

    def enlarge(self, grid: torch.Tensor) -> torch.Tensor:
        """Bilinear, from cells to pixels."""
        if not self.training:
            return F.interpolate(grid, scale_factor=float(CELL), mode="bilinear")
        # The same as two products of matrices, whose way back is many times faster on a CPU.
        rows, columns = (_between(length, grid) for length in grid.shape[-2:])
        return rows @ (grid @ columns.T)


def _between(cells: int, like: torch.Tensor) -> torch.Tensor:
    """(8 * cells, cells): weights of bilinear interpolation, as ``torch.nn.functional.interpolate`` has them."""
    places = ((torch.arange(CELL * cells, device=like.device, dtype=like.dtype) + 0.5) / CELL - 0.5).clamp(0, cells - 1)
    return F.relu(1 - (places[:, None] - torch.arange(cells, device=like.device, dtype=like.dtype)).abs())


class _Level(nn.Module):
    """Two residual blocks, and between them the same at half the resolution, ``below`` times."""

    def __init__(self, channels: int, below: int, dropout: float) -> None:
        super().__init__()
        self.before, self.after = _Block(channels, dropout), _Block(channels, dropout)
        self.below = None
        if below:
            self.down = _conv(channels, channels, 2)
            self.below = _Level(channels, below - 1, dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.before(x)
        if self.below is not None:
            x = x + F.interpolate(self.below(self.down(x)), scale_factor=2.0, mode="bilinear")
        return self.after(x)


class _Block(nn.Module):
    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        drop = [nn.Dropout2d(dropout)] if dropout else []
        self.body = nn.Sequential(
            _conv(channels, channels), *drop, nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.GroupNorm(GROUPS, channels),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.body(x))


def _conv(inner: int, outer: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.GroupNorm(GROUPS, outer), nn.ReLU(inplace=True)
    )
