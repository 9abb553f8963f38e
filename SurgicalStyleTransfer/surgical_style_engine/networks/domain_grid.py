"""One generator for many domains: local tone curves of every input, mixed, told what is given and what is asked for."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .bilateral import enlarged
from .bilateral_layout import CELL, GROUPS, LARGEST
from .domain_grid_layout import CONDITION, GUIDE, DomainGridLayout
from .fast.tone_curves import read_curves, reads_plane_by_plane


class DomainGridGenerator(nn.Module):
    """The generator of local tone curves (``bilateral.BilateralGenerator``) for any set of domains in, any one out.

    (n, in_channels, h, w) in [-1, 1] -> (n, 1, h, w) in [-1, 1] (in training a little beyond); any h and w. The input
    is a stack of slices, each of the given domains in their order; the middle slice is translated.

    A U-shaped network sees the given slices at an eighth of their resolution and gives, for every cell of 8 x 8 pixels,
    a tone curve for each given domain and its share (softmax over what is given). The output is the sum of these shares
    of what the curves make of each domain's slice, and a residual of at most a tenth of the range. Its
    feature maps, and the pointwise network that moves the places on the curves, are scaled and shifted by what is
    given and asked for (FiLM: Perez et al., AAAI 2018).

    Shares add up to 1 in every cell, so that the bound of the bilateral generator holds: where all slices of all inputs
    are constant within a disc of d pixels, the output's centre differs from the mean of two opposite points of the rim
    by no more than ``largest_invention(d)``.

    Args:
        domains: how many there are.
        given: which are given, a number whose bit d says so of domain d.
        target: number of the domain that is made, from 0.
        stack: slices of a domain.
        features: channels of the first layer, a multiple of 8; the others have twice as many.
        bins: values of a curve.
        levels: halvings below the cells.
        detail: channels of the branch at half resolution; 0 for none.

    Raises:
        InputError: for domains, routes or features that it cannot have.
    """

    def __init__(
        self,
        domains: int = 4,
        given: int = 1,
        target: int = 1,
        stack: int = 3,
        features: int = 32,
        bins: int = 12,
        levels: int = 2,
        detail: int = 16,
    ) -> None:
        layout = DomainGridLayout(domains, given, target, stack, features, bins, levels, detail)
        super().__init__()
        self.layout, self.bins, self.multiple = layout, bins, layout.multiple
        self.in_channels, self.out_channels, self.residual = layout.in_channels, 1, layout.residual
        slices, wide = domains * stack, layout.wide
        sizes = (slices, features), (features, wide), (wide, wide)
        strides = [stride for _, stride in layout.stem]
        self.stem = nn.ModuleList(_Modulated(*size, stride) for size, stride in zip(sizes, strides, strict=True))
        self.context = _Level(wide, levels)
        count = sum(part.stop - part.start for part in layout.modulated().values())
        self.film = nn.Sequential(nn.Linear(2 * domains, CONDITION), nn.ReLU(), nn.Linear(CONDITION, 2 * count))
        self.head = _Head(wide, domains, bins)
        self.guide_first, self.guide_last = nn.Conv2d(slices, GUIDE, 1), nn.Conv2d(GUIDE, domains, 1)
        _begin_small(self.film[2], 0.0)
        _begin_small(self.guide_last, 0.1)
        places = torch.tensor([float(number) for number in range(bins)])
        self.register_buffer("places", places.view(bins, 1, 1), persistent=False)
        if detail:
            self.detail = _Detail(slices, wide, detail)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The route that the network was made for."""
        n, _, h, w = x.shape
        layout = self.layout
        images = x.view(n, layout.stack, len(layout.sources), h, w).transpose(1, 2)
        given = torch.tensor([layout.sources], device=x.device).expand(n, -1)
        return self.translated(images, given, torch.full((n, 1), layout.target, device=x.device)).squeeze(1)

    def translated(self, images: torch.Tensor, given: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Any routes, several targets from one look at what is given.

        Args:
            images: (n, s, stack, h, w) in [-1, 1], of s domains each.
            given: (n, s) numbers of these domains.
            targets: (n, t) numbers of the domains that are made.

        Returns:
            (n, t, 1, h, w).
        """
        n, s, stack, h, w = images.shape
        count, t = self.layout.domains, targets.shape[1]
        # Always padded, by 0 where it fits: exporters that trace would freeze a decision.
        x = F.pad(images.flatten(0, 1), (0, -w % self.multiple, 0, -h % self.multiple), mode="replicate") + 1
        high, wide = x.shape[-2:]
        x = x.view(n, s, stack, high, wide)
        rows = torch.arange(n, device=x.device)[:, None]
        full = x.new_zeros(n, count, stack, high, wide).index_put((rows, given), x).flatten(1, 2)
        known = full.new_zeros(n, count).scatter(1, given, 1.0)
        asked = F.one_hot(targets, count).to(full.dtype).flatten(0, 1)
        half = F.avg_pool2d(full, 2)
        low = half
        blind = self._modulation(known, torch.zeros_like(known))
        for number, layer in enumerate(self.stem):
            low = F.relu(layer(low, *blind[f"stem.{number}"]))
        aimed = self._modulation(known.repeat_interleave(t, 0), asked)
        low = self.context(low.repeat_interleave(t, 0), aimed, "context")
        among = given.repeat_interleave(t, 0)
        grid = self.head(low, among, targets.flatten())
        gain, shift = aimed["guide"]
        inner = self.guide_first(full).repeat_interleave(t, 0)
        moved = self.guide_last(F.relu(torch.addcmul(shift, inner, gain)))
        moved = moved.gather(1, among[..., None, None].expand(-1, -1, high, wide))
        middle = x[:, :, stack // 2].repeat_interleave(t, 0)
        y = self._toned(grid, (moved + middle * 0.5).clamp(0, 1) * (self.bins - 1))
        if self.residual:
            y = y + self.residual * self.detail(half, low, t, self.training)
        y = y[..., :h, :w].unflatten(0, (n, t))
        return y if self.training else y.clamp(-1, 1)

    def _modulation(self, known: torch.Tensor, asked: torch.Tensor) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Gains and shifts (n, channels, 1, 1) by the norms' names, of (n, domains) given and asked for."""
        gains, shifts = self.film(torch.cat([known, asked], 1))[..., None, None].chunk(2, 1)
        return {name: (1 + gains[:, part], shifts[:, part]) for name, part in self.layout.modulated().items()}

    def _toned(self, grid: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        """Read curves and add them up.

        Args:
            grid: the curves times their shares, (n, s, bins, h / 8, w / 8).
            place: (n, s, h, w) between 0 and bins - 1.

        Returns:
            (n, 1, h, w) in [-LARGEST, LARGEST].
        """
        if not self.training and reads_plane_by_plane(place):
            return LARGEST * read_curves(grid.contiguous(), place.contiguous(), CELL).sum(1, keepdim=True)
        curves = enlarged(grid.flatten(1, 2), CELL, self.training).view(*grid.shape[:3], *place.shape[-2:])
        place = place.unsqueeze(2)
        if self.training:
            lower = place.detach().floor().clamp(max=self.bins - 2)
            below, above = (curves.gather(2, lower.long() + step).squeeze(2).to(place.dtype) for step in (0, 1))
            return LARGEST * torch.lerp(below, above, (place - lower).squeeze(2)).sum(1, keepdim=True)
        hats = F.relu(1 - (place - self.get_buffer("places")).abs())
        return LARGEST * (curves * hats).sum((1, 2)).unsqueeze(1)

    def begin_with(self, curves: torch.Tensor) -> None:
        """Take tone curves (targets, sources, bins), values in [-1, 1], as those of every cell."""
        with torch.no_grad():
            values = torch.atanh((curves / LARGEST).clamp(-0.95, 0.95))
            self.head.bias[:, : self.layout.domains * self.bins] = values.flatten(1)

    def largest_invention(self, diameter: float) -> float:
        """Bound what the network can draw where there is nothing; see ``BilateralGenerator.largest_invention``."""
        return min(2.0 * LARGEST, 2**0.5 * LARGEST * diameter / CELL) + 2 * self.residual


class _Modulated(nn.Module):
    """A convolution and group normalisation, scaled and shifted by the route; (n, c, h, w) -> (n, c', h', w')."""

    def __init__(self, inner: int, outer: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.norm = nn.GroupNorm(GROUPS, outer)

    def forward(self, x: torch.Tensor, gain: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        return torch.addcmul(shift, self.norm(self.convolution(x)), gain)


class _Level(nn.Module):
    """Two residual blocks, and between them the same at half the resolution, ``below`` times."""

    def __init__(self, channels: int, below: int) -> None:
        super().__init__()
        self.before, self.after = _Block(channels), _Block(channels)
        self.below = None
        if below:
            self.down = _Modulated(channels, channels, 2)
            self.below = _Level(channels, below - 1)

    def forward(self, x: torch.Tensor, modulation: dict, name: str) -> torch.Tensor:
        x = self.before(x, modulation, f"{name}.before")
        if self.below is not None:
            down = F.relu(self.down(x, *modulation[f"{name}.down"]))
            x = x + enlarged(self.below(down, modulation, f"{name}.below"), 2, self.training)
        return self.after(x, modulation, f"{name}.after")


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _Modulated(channels, channels), _Modulated(channels, channels)
        nn.init.zeros_(self.second.norm.weight)  # begins as the identity

    def forward(self, x: torch.Tensor, modulation: dict, name: str) -> torch.Tensor:
        inner = F.relu(self.first(x, *modulation[f"{name}.first"]))
        return F.relu(x + self.second(inner, *modulation[f"{name}.second"]))


class _Head(nn.Module):
    """Curves and shares: (n, wide, h, w) -> (n, s, bins, h, w), the curves in [-1, 1] times shares that add up to 1."""

    def __init__(self, wide: int, domains: int, bins: int) -> None:
        super().__init__()
        self.domains, self.bins = domains, bins
        self.weight = nn.Parameter(torch.empty(domains * (bins + 1), wide, 1, 1))
        self.bias = nn.Parameter(torch.zeros(domains, domains * (bins + 1)))
        if not self.weight.is_meta:
            nn.init.normal_(self.weight, std=0.01)

    def forward(self, low: torch.Tensor, given: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        values = F.conv2d(low, self.weight) + self.bias[targets][..., None, None]
        n, _, h, w = values.shape
        curves, shares = values.split([self.domains * self.bins, self.domains], 1)
        index = given[:, :, None, None, None].expand(-1, -1, self.bins, h, w)
        curves = torch.tanh(curves.view(n, self.domains, self.bins, h, w).gather(1, index))
        return curves * shares.gather(1, index[:, :, 0]).softmax(1).unsqueeze(2)


class _Detail(nn.Module):
    """The branch at half resolution.

    The slices at half their resolution (n, slices, h / 2, w / 2) and the U's result for t targets each
    (n * t, wide, h / 8, w / 8) -> (n * t, 1, h, w) in [-1, 1].
    """

    def __init__(self, slices: int, wide: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(slices, channels, 3, padding=1)
        self.context = nn.Conv2d(wide, channels, 1)
        self.inner, self.last = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, 1, 1)
        _begin_small(self.last, 0.05)

    def forward(self, half: torch.Tensor, low: torch.Tensor, targets: int, training: bool) -> torch.Tensor:
        around = enlarged(self.context(low), CELL // 2, training)
        x = F.relu(self.first(half).repeat_interleave(targets, 0) + around)
        return enlarged(torch.tanh(self.last(F.relu(self.inner(x)))), 2, training)


def _begin_small(layer: nn.Module, spread: float) -> None:
    """Weights of this standard deviation, and no bias yet; nothing where weights are about to be read (meta)."""
    weight = layer.get_parameter("weight")
    if weight.is_meta:
        return
    if spread:
        nn.init.normal_(weight, std=spread)
    else:
        nn.init.zeros_(weight)
    nn.init.zeros_(layer.get_parameter("bias"))
