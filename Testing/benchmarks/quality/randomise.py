"""Input contrast randomisation: what another scanner could have made of the same slices.

Everything works on stacks (n, s, h, w) in [-1, 1]; a stack is changed as one, as a scan is. Each has a probability
and a strength, see ``Randomise``. Targets are never changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

FEWEST = 1000  # pixels of tissue that say something
AIR = 0.04  # of the range: what is darker is taken for air
FLUID = (0.15, 0.55)  # of the tissue's median: where fluid lies in T1w images of many scanners


@dataclass
class Randomise:
    """How often and how much. Strengths are in normalised intensities 0..1 unless something else is said.

    gamma: largest |log| of an exponent. window: how far the top of the range moves (log). dark: how far down it goes in
    a quarter of the images (log), as where something far brighter than the brain sets the range. curve: largest
    departure of a random monotone curve's slope (log) at ``knots`` places. bias: largest log gain of a smooth field.
    floor: how often the darkest tissue goes down towards air, as fluid does where tissues were nulled (MPRAGE).
    noise: largest deviation of magnitude noise. blur: largest width in pixels. Numbers of 0 switch off.
    """

    gamma: float = 0.35
    window: float = 0.0
    dark: float = 0.0
    curve: float = 0.0
    floor: float = 0.0
    bias: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    probability: float = 0.8
    knots: int = 8

    def __call__(self, x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
        """Stacks of one kind as different scanners might give them; (n, s, h, w) -> same."""
        x = x * 0.5 + 0.5
        n = len(x)

        def happens(often: float) -> bool:
            return float(torch.rand((), generator=draw)) < often

        def signed(strength: float, often: float = 1.0) -> torch.Tensor:
            value = (torch.rand(n, 1, 1, 1, generator=draw) * 2 - 1) * strength
            return value * (torch.rand(n, 1, 1, 1, generator=draw) < self.probability * often)

        if self.curve:
            x = self._curved(x, draw)
        if self.floor:
            x = self._floored(x, draw)
        if self.gamma:
            x = x.clamp(min=1e-6) ** torch.exp(signed(self.gamma))
        if self.bias and happens(0.7):
            x = x * torch.exp(self._field(x, draw) * signed(self.bias))
        if self.window:
            x = x * torch.exp(signed(self.window))
        if self.dark:
            depth = torch.rand(n, 1, 1, 1, generator=draw) * (torch.rand(n, 1, 1, 1, generator=draw) < 0.25)
            x = x * torch.exp(-self.dark * depth)
        if self.blur and happens(0.25):
            x = _blurred(x, 0.3 + float(torch.rand((), generator=draw)) * self.blur)
        if self.noise and happens(0.4):
            deviation = signed(self.noise).abs()
            # Of magnitude images: the noise of air is never below zero.
            x = (x + deviation * torch.randn(x.shape, generator=draw)).abs()
        return x.clamp(0, 1) * 2 - 1

    def _curved(self, x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
        """Random monotone curves from (0, 0) to (1, 1), linear between knots."""
        n, knots = len(x), self.knots
        slopes = torch.exp((torch.rand(n, knots, generator=draw) * 2 - 1) * self.curve)
        keep = torch.rand(n, 1, generator=draw) > self.probability
        slopes = torch.where(keep, torch.ones_like(slopes), slopes)
        slopes = slopes / slopes.mean(1, keepdim=True)
        result = torch.zeros_like(x)
        for knot in range(knots):
            part = (x * knots - knot).clamp(0, 1) / knots
            result = result + part * slopes[:, knot].view(n, 1, 1, 1)
        return result

    def _floored(self, x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
        """What is darker than a value near fluid's is pressed together just above air."""
        low, high = FLUID
        places = torch.rand(len(x), generator=draw) * (high - low) + low
        rests = torch.rand(len(x), generator=draw) * 0.08
        often = torch.rand(len(x), generator=draw) < self.floor
        result = []
        for image, place, rest, chosen in zip(x, places.tolist(), rests.tolist(), often.tolist(), strict=True):
            inside = image[image > AIR]
            if chosen and inside.numel() > FEWEST:
                value = place * float(inside[::7].median())
                rest = min(rest, value)
                upper = rest + (image - value) * ((1 - rest) / (1 - value))
                image = torch.where(image < value, image * (rest / value), upper)
            result.append(image)
        return torch.stack(result)

    @staticmethod
    def _field(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
        """A smooth random field (n, 1, h, w) within about [-1, 1], the same for all slices of a stack."""
        coarse = torch.randn(len(x), 1, 4, 4, generator=draw) * 0.5
        smooth = F.interpolate(coarse, size=(32, 32), mode="bicubic", align_corners=False)
        return F.interpolate(smooth, size=x.shape[-2:], mode="bilinear", align_corners=False).clamp(-1, 1)


def _blurred(x: torch.Tensor, sigma: float) -> torch.Tensor:
    offsets = torch.arange(-3, 4, dtype=x.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    n, s, h, w = x.shape
    flat = F.pad(x.reshape(n * s, 1, h, w), (3, 3, 3, 3), mode="replicate")
    return F.conv2d(F.conv2d(flat, kernel.view(1, 1, 1, 7)), kernel.view(1, 1, 7, 1)).view(n, s, h, w)
