"""Contrast randomisation of inputs: what another scanner could have given of the same slices.

Networks that learn from one scanner's tones fail on another's; tones drawn at random make them look at structure
(after Billot et al., SynthSeg, Medical Image Analysis, 2023, who draw all of them).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

DARK_SHARE = 0.25  # of the images that may be darkened
BIAS_SHARE, BLUR_SHARE, NOISE_SHARE = 0.7, 0.25, 0.4  # of the batches, as most of it costs time
AIR, FEWEST = 0.04, 1000  # what is darker, of the range, is air; pixels of tissue that say something
FLUID = (0.15, 0.55)  # of the tissue's median: where fluid lies in T1w images of many scanners


@dataclass
class Randomise:
    """Random changes of tone on stacks (n, s, h, w) in [-1, 1]; a stack is changed as one, as a scan is.

    Strengths are in normalised intensities from 0 to 1 unless something else is said; 0 switches off.

    Args:
        gamma: largest logarithm of an exponent, either way.
        window: how far the top of the range moves, as a logarithm.
        dark: how far down it goes in a quarter of the images, as a logarithm: as where something far brighter than
            the brain sets the range.
        curve: largest departure of a random monotone curve's slope, as a logarithm, between ``knots`` places.
        floor: how often what is darker than fluid goes down to just above air, as where tissues were nulled (MPRAGE).
        bias: largest logarithm of a smooth gain field.
        noise: largest standard deviation of magnitude noise.
        blur: largest standard deviation of a Gaussian, in pixels, above 0.3.
        probability: of a change of curve, gamma, bias, window or noise, for each image.
        knots: linear parts of a curve.
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
        """Stacks as different scanners might give them.

        Args:
            x: (n, s, h, w) in [-1, 1], on any device.
            draw: random numbers, of the CPU, so that every device gets the same.

        Returns:
            As x.
        """
        like, x = x, x * 0.5 + 0.5
        n = len(x)

        def uniform(*shape: int) -> torch.Tensor:
            return torch.rand(shape, generator=draw).to(like)

        def happens(often: float) -> bool:
            return float(torch.rand((), generator=draw)) < often

        def signed(strength: float) -> torch.Tensor:
            value = (uniform(n, 1, 1, 1) * 2 - 1) * strength
            return value * (uniform(n, 1, 1, 1) < self.probability)

        if self.curve:
            x = self._curved(x, draw)
        if self.floor:
            x = self._floored(x, draw)
        if self.gamma:
            x = x.clamp(min=1e-6) ** torch.exp(signed(self.gamma))
        if self.bias and happens(BIAS_SHARE):
            x = x * torch.exp(_field(x, draw) * signed(self.bias))
        if self.window:
            x = x * torch.exp(signed(self.window))
        if self.dark:
            depth = uniform(n, 1, 1, 1) * (uniform(n, 1, 1, 1) < DARK_SHARE)
            x = x * torch.exp(-self.dark * depth)
        if self.blur and happens(BLUR_SHARE):
            x = _blurred(x, 0.3 + float(torch.rand((), generator=draw)) * self.blur)
        if self.noise and happens(NOISE_SHARE):
            deviation = signed(self.noise).abs()
            # Of magnitude images: the noise of air is never below zero.
            x = (x + deviation * torch.randn(x.shape, generator=draw).to(like)).abs()
        return x.clamp(0, 1) * 2 - 1

    def _floored(self, x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
        """What is darker than a value near fluid's is pressed together just above air; (n, s, h, w) in [0, 1]."""
        low, high = FLUID
        places = torch.rand(len(x), generator=draw) * (high - low) + low
        rests = torch.rand(len(x), generator=draw) * 0.08
        often = torch.rand(len(x), generator=draw) < self.floor
        result = []
        for image, place, rest, chosen in zip(x, places.tolist(), rests.tolist(), often.tolist(), strict=True):
            inside = image[image > AIR]
            if chosen and inside.numel() >= FEWEST:
                value = place * float(inside[::7].median())
                rest = min(rest, value)
                upper = rest + (image - value) * ((1 - rest) / (1 - value))
                image = torch.where(image < value, image * (rest / value), upper)
            result.append(image)
        return torch.stack(result)

    def _curved(self, x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
        """Random monotone curves from (0, 0) to (1, 1), linear between knots."""
        n, knots = len(x), self.knots
        slopes = torch.exp((torch.rand(n, knots, generator=draw) * 2 - 1) * self.curve)
        keep = torch.rand(n, 1, generator=draw) > self.probability
        slopes = torch.where(keep, torch.ones_like(slopes), slopes)
        slopes = (slopes / slopes.mean(1, keepdim=True)).to(x)
        result = torch.zeros_like(x)
        for knot in range(knots):
            part = (x * knots - knot).clamp(0, 1) / knots
            result = result + part * slopes[:, knot].view(n, 1, 1, 1)
        return result


def _field(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """A smooth random field (n, 1, h, w) within [-1, 1], the same for all slices of a stack."""
    coarse = (torch.randn(len(x), 1, 4, 4, generator=draw) * 0.5).to(x)
    smooth = F.interpolate(coarse, size=(32, 32), mode="bicubic", align_corners=False)
    return F.interpolate(smooth, size=x.shape[-2:], mode="bilinear", align_corners=False).clamp(-1, 1)


def _blurred(x: torch.Tensor, sigma: float) -> torch.Tensor:
    offsets = torch.arange(-3, 4, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    n, s, h, w = x.shape
    flat = F.pad(x.reshape(n * s, 1, h, w), (3, 3, 3, 3), mode="replicate")
    return F.conv2d(F.conv2d(flat, kernel.view(1, 1, 1, 7)), kernel.view(1, 1, 7, 1)).view(n, s, h, w)
