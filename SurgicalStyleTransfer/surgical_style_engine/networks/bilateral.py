"""A generator that sets tone and cannot invent below a scale: local tone curves, and a bounded residual."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.volumes.slices import middle

from .bilateral_layout import CELL, FULL_PERCENT, GROUPS, GUIDE, LARGEST, BilateralLayout
from .fast.tone_curves import pointwise, read_curves, reads_plane_by_plane


class BilateralGenerator(nn.Module):
    """Local tone curves (HDRNet: Gharbi et al., SIGGRAPH 2017), sliced by weighted sums.

    (n, in_channels, h, w) in [-1, 1] -> (n, out_channels, h, w) in [-1, 1] (in training a little beyond, where there is
    still a slope to learn from); any h and w. The channels are a stack of neighbouring slices, of which the middle one
    is translated (out_channels 1), or all of them (out_channels as in_channels), so that a cycle closes.

    A U-shaped network sees the slices at an eighth of their resolution and gives, for every cell of 8 x 8 pixels, a
    tone curve through ``bins`` values. The curve is read at the slice's intensity plus what a pointwise network makes
    of the stack; curves are interpolated bilinearly between cells. A second branch at half resolution adds a residual
    of at most ``residual_percent`` of the half range.

    So what comes out is as sharp as what goes in, and what is not in the stack is hardly drawn: where all slices are
    constant within a disc of d pixels, the output's centre differs from the mean of two opposite points of the rim by
    no more than ``largest_invention(d)``.

    Args:
        in_channels: slices of the stack.
        out_channels: 1, or as many as in_channels.
        features: channels of the first layer, a multiple of 8; the others have twice as many.
        bins: values of a curve.
        levels: halvings below the cells.
        detail: channels of the branch at half resolution; 0 for none.
        residual_percent: most that this branch adds, in percent of the half range.
        dropout_percent: of the channels in the blocks of the U, in training.

    Raises:
        InputError: for channels or features that it cannot have.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        features: int = 24,
        bins: int = 12,
        levels: int = 2,
        detail: int = 16,
        residual_percent: int = 20,
        dropout_percent: int = 0,
    ) -> None:
        layout = BilateralLayout(
            in_channels, out_channels, features, bins, levels, detail, residual_percent, dropout_percent
        )
        super().__init__()
        self.in_channels, self.out_channels, self.bins = in_channels, out_channels, bins
        self.multiple, self.residual, self.translated = layout.multiple, layout.residual, layout.translated
        wide = layout.wide
        self.stem = nn.Sequential(
            nn.AvgPool2d(2), _conv(in_channels, features, 2), _conv(features, wide, 2), _conv(wide, wide)
        )
        self.context = _Level(wide, levels, dropout_percent / FULL_PERCENT)
        self.head = nn.Conv2d(wide, bins * out_channels, 1)
        first, last = nn.Conv2d(in_channels, GUIDE, 1), nn.Conv2d(GUIDE, out_channels, 1)
        self.guide = nn.Sequential(first, nn.ReLU(), last)
        _begin_small(self.head, 0.01)
        _begin_small(last, 0.1)
        # Three axes: what has four or five would be turned over with the images' layout.
        places = torch.tensor([float(number) for number in range(bins)])
        self.register_buffer("places", places.view(bins, 1, 1), persistent=False)
        if detail:
            self.detail = _Detail(in_channels, out_channels, wide, detail)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, w = x.shape[-2:]
        # Always padded, by 0 where it fits: exporters that trace would freeze a decision.
        x = F.pad(x, (0, -w % self.multiple, 0, -h % self.multiple), mode="replicate")
        half = self.stem[0](x)
        low = self.context(self.stem[1:](half))
        y = self.toned(x, torch.tanh(self.head(low)))
        if self.residual:
            y = y + self.residual * self.detail(half, low)
        y = y[..., :h, :w]
        return y if self.training else y.clamp(-1, 1)

    def toned(self, x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        """Apply tone curves to the slices that are translated.

        Args:
            x: (n, in_channels, h, w) in [-1, 1].
            grid: the curves, (n, out_channels * bins, h / 8, w / 8) in [-1, 1].

        Returns:
            (n, out_channels, h, w) in [-LARGEST, LARGEST].
        """
        n, _, h, w = x.shape
        slices = x[:, self.translated]
        if not self.training and reads_plane_by_plane(x):
            x = x.contiguous()
            exact = slices.to(torch.promote_types(x.dtype, torch.float32))
            place = (pointwise(self.guide, x) + (exact * 0.5 + 0.5)).clamp(0, 1) * (self.bins - 1)
            return LARGEST * read_curves(grid.view(n, self.out_channels, self.bins, *grid.shape[-2:]), place, CELL)
        place = (self.guide(x) + (slices * 0.5 + 0.5)).clamp(0, 1) * (self.bins - 1)
        place = place.unsqueeze(2)
        curves = enlarged(grid, CELL, self.training).view(n, self.out_channels, self.bins, h, w)
        if self.training:
            # The two values that count, looked up: the same, with less to carry back.
            lower = place.detach().floor().clamp(max=self.bins - 2)
            # In the places' precision: a network that runs in bf16 gives its curves in that.
            below, above = (curves.gather(2, lower.long() + step).squeeze(2).to(place.dtype) for step in (0, 1))
            return LARGEST * torch.lerp(below, above, (place - lower).squeeze(2))
        # Hat functions: how far each of a curve's values counts, (n, out, bins, h, w).
        hats = F.relu(1 - (place - self.places).abs())
        return LARGEST * (curves * hats).sum(2)

    def of_middle(self, channels: int) -> BilateralGenerator:
        """A copy, without shared weights, that translates the middle slice of a stack alone.

        Args:
            channels: of a slice; less than out_channels.
        """
        part = copy.deepcopy(self)
        kept = middle(self.out_channels, channels)
        part.out_channels, part.translated = channels, kept
        values = slice(kept.start * self.bins, kept.stop * self.bins)
        with_ends = [(part.head, values), (part.guide[2], kept)]
        if hasattr(part, "detail"):
            with_ends.append((part.detail.last[3], kept))
        for layer, rows in with_ends:
            for name, parameter in list(layer.named_parameters()):
                setattr(layer, name, nn.Parameter(parameter.detach()[rows].clone(), parameter.requires_grad))
        return part

    def begin_with(self, values: torch.Tensor) -> None:
        """Take one tone curve, its values (bins,) in [-1, 1], as that of every cell."""
        with torch.no_grad():
            self.head.get_parameter("bias").copy_(
                torch.atanh((values / LARGEST).clamp(-0.95, 0.95)).repeat(self.out_channels)
            )

    def largest_invention(self, diameter: float) -> float:
        """Bound what the network can draw where there is nothing.

        A curve's value changes by at most twice the largest one from one cell to the next, along rows and columns.

        Args:
            diameter: pixels of a disc within which all slices are constant.

        Returns:
            Most that the output at its centre can differ from the mean of two opposite points of its rim, in normalised
            units.
        """
        return min(2.0 * LARGEST, 2**0.5 * LARGEST * diameter / CELL) + 2 * self.residual


def enlarged(x: torch.Tensor, factor: int, training: bool) -> torch.Tensor:
    """Enlarge as ``interpolate(mode="bilinear")`` does.

    In training by two products of matrices, whose way back is many times faster on a CPU.

    Args:
        x: (n, c, h, w).
        factor: whole number.
        training: whether a gradient is to come back.

    Returns:
        (n, c, factor * h, factor * w).
    """
    if not training:
        return F.interpolate(x, scale_factor=float(factor), mode="bilinear")
    rows, columns = (_between(length, factor, x) for length in x.shape[-2:])
    return rows @ (x @ columns.T)


def _between(length: int, factor: int, like: torch.Tensor) -> torch.Tensor:
    """(factor * length, length): the weights of bilinear interpolation."""
    # In single precision at least: bf16 cannot tell pixels beyond 256 apart.
    precision = torch.promote_types(like.dtype, torch.float32)
    pixels = torch.arange(factor * length, device=like.device, dtype=precision)
    places = ((pixels + 0.5) / factor - 0.5).clamp(0, length - 1)
    weights = F.relu(1 - (places[:, None] - torch.arange(length, device=like.device, dtype=precision)).abs())
    return weights.to(like.dtype)


class _Detail(nn.Module):
    """The branch at half resolution.

    The slices at half their resolution (n, in, h / 2, w / 2) and the U's result (n, wide, h / 8, w / 8)
    -> (n, out, h, w) in [-1, 1].
    """

    def __init__(self, in_channels: int, out_channels: int, wide: int, channels: int) -> None:
        super().__init__()
        # Named as when it halved the slices itself.
        self.first = nn.Sequential(nn.Identity(), nn.Conv2d(in_channels, channels, 3, padding=1))
        self.context = nn.Conv2d(wide, channels, 1)
        inner, last = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, out_channels, 1)
        self.last = nn.Sequential(nn.ReLU(), inner, nn.ReLU(), last)
        _begin_small(last, 0.05)

    def forward(self, half: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        around = enlarged(self.context(low), CELL // 2, self.training)
        return enlarged(torch.tanh(self.last(self.first(half) + around)), 2, self.training)


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
            x = x + enlarged(self.below(self.down(x)), 2, self.training)
        return self.after(x)


class _Block(nn.Module):
    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        drop = [nn.Dropout2d(dropout)] if dropout else []
        norm = nn.GroupNorm(GROUPS, channels)
        self.body = nn.Sequential(
            _conv(channels, channels), *drop, nn.Conv2d(channels, channels, 3, padding=1, bias=False), norm
        )
        nn.init.zeros_(norm.weight)  # begins as the identity

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.body(x))


def _conv(inner: int, outer: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.GroupNorm(GROUPS, outer), nn.ReLU(inplace=True)
    )


def _begin_small(layer: nn.Conv2d, spread: float) -> None:
    """Weights of this standard deviation, and no bias yet; nothing where weights are about to be read (meta)."""
    if layer.weight.is_meta:
        return  # drawing on that device imports torch's compiler, which takes a second
    nn.init.normal_(layer.weight, std=spread)
    nn.init.zeros_(layer.get_parameter("bias"))
