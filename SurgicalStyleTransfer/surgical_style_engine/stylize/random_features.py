"""Features that need no download: a network of seeded random filters, fitted to the style picture's colours.

Random filters carry texture: He, Wang & Hopcroft, "A powerful generative model using random weights for the deep image
representation", NeurIPS 2016; Ustyuzhaninov et al., "What does it take to generate natural textures?", ICLR 2017. They
know nothing of objects, so content is kept by edges and contrast only.
"""

from __future__ import annotations

from collections.abc import Set

import torch
from torch import nn
from torch.nn import functional as F

from .feature_network import FeatureNetwork

RANDOM_SCALES = 4
RANDOM_FILTERS = (32, 64)  # of the first and of the second convolution at every scale
RANDOM_SIZES = (5, 3)
PATCHES = 4_000  # of the style picture, to whiten with
DAMPING = 0.1  # of the mean variance: directions weaker than that are noise


class RandomFeatures(FeatureNetwork):
    """Two layers of seeded random filters at every scale of a Gaussian pyramid: fine1, strokes1, fine2 (half size), ...

    One or two random layers a scale describe textures better than a deep random network, whose deep layers answer to
    noise (Ustyuzhaninov et al. 2017 use one layer of filters of many sizes). The filters are random rotations of
    whitened patches, half from the style picture and half from coloured noise with the spectrum of natural images:
    without whitening nearly all filters would see the mean colour only, and whitened on a picture of few colours alone
    they would answer without bound to all others. The same seed and picture give the same network.
    """

    name = "random"
    style_layers = tuple(f"{kind}{scale + 1}" for scale in range(RANDOM_SCALES) for kind in ("fine", "strokes"))
    content_layers = ("fine1", "fine2", "fine3")
    layers = style_layers

    def __init__(self, style: torch.Tensor, seed: int = 0) -> None:
        """Draw the filters.

        Args:
            style: The picture (1, 3, h, w) in [0, 1].
            seed: Of everything that is drawn.
        """
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.fine, self.strokes = nn.ModuleList(), nn.ModuleList()
        with torch.no_grad():
            images = [style.detach().cpu().float(), natural_noise(generator)]
            for scale in range(RANDOM_SCALES):
                images = [halve(image) for image in images] if scale else images
                self.fine.append(_whitened(images, RANDOM_FILTERS[0], RANDOM_SIZES[0], generator))
                seen = [F.relu(self.fine[-1](image)) for image in images]
                self.strokes.append(_whitened(seen, RANDOM_FILTERS[1], RANDOM_SIZES[1], generator))

    def forward(self, images: torch.Tensor, layers: Set[str]) -> dict[str, torch.Tensor]:
        """Compute only the layers that are wanted; see ``FeatureNetwork``."""
        activations, x = {}, images
        for scale, (fine, strokes) in enumerate(zip(self.fine, self.strokes, strict=True), start=1):
            x = halve(x) if scale > 1 else x
            if layers & {f"fine{scale}", f"strokes{scale}"}:
                activations[f"fine{scale}"] = F.relu(fine(x))
                if f"strokes{scale}" in layers:
                    activations[f"strokes{scale}"] = F.relu(strokes(activations[f"fine{scale}"]))
        return activations


def random_features(style: torch.Tensor, seed: int = 0) -> RandomFeatures:
    """The network of random filters for a style picture (1, 3, h, w) in [0, 1], frozen."""
    return RandomFeatures(style, seed).eval().requires_grad_(False)


def halve(images: torch.Tensor) -> torch.Tensor:
    """One step of a Gaussian pyramid (Burt & Adelson 1983): (n, c, h, w) -> half the size, rounded up."""
    kernel = images.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    channels = images.shape[1]
    weight = torch.outer(kernel, kernel).expand(channels, 1, 5, 5)
    return F.conv2d(F.pad(images, (2, 2, 2, 2), mode="replicate"), weight, stride=2, groups=channels)


def natural_noise(generator: torch.Generator, size: int = 256) -> torch.Tensor:
    """(1, 3, size, size) in [0, 1]: noise with a 1/f spectrum, as natural images have (Field 1987), mostly grey."""
    frequency = torch.fft.fftfreq(size)
    falling = 1 / torch.hypot(frequency[:, None], frequency[None]).clamp_min(1 / size)
    white = torch.randn(4, size, size, generator=generator)
    noise = torch.fft.ifft2(torch.fft.fft2(white) * falling).real
    noise = (noise - noise.mean(dim=(1, 2), keepdim=True)) / noise.std(dim=(1, 2), keepdim=True)
    return (0.5 + 0.2 * noise[:1] + 0.1 * noise[1:])[None].clamp(0, 1)


def _whitened(images: list[torch.Tensor], width: int, size: int, generator: torch.Generator) -> nn.Conv2d:
    """A convolution to ``width`` channels of zero mean and unit variance on these images (1, c, h, w).

    The images count alike; the filters are random orthogonal directions of their whitened patches.
    """
    channels = images[0].shape[1]
    parts = []
    for image in images:
        windows = F.pad(image, (size // 2,) * 4, mode="replicate")[0].unfold(1, size, 1).unfold(2, size, 1)
        places = torch.randint(windows.shape[1] * windows.shape[2], (PATCHES // len(images),), generator=generator)
        part = windows[:, places // windows.shape[2], places % windows.shape[2]]
        parts.append(part.transpose(0, 1).reshape(len(places), -1))
    patches = torch.cat(parts).double()
    mean = patches.mean(dim=0)
    centred = patches - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(patches))
    dimensions = len(values)
    # Few patches do not tell the variance of many directions (at the coarse scales of small pictures).
    damping = DAMPING + dimensions / sum(image.shape[-2] * image.shape[-1] for image in images)
    scale = (values.clamp_min(0) + damping * values.mean() + 1e-12).rsqrt()
    rows = torch.randn(max(dimensions, width), min(dimensions, width), generator=generator, dtype=torch.float64)
    directions = torch.linalg.qr(rows)[0]
    directions = directions if width >= dimensions else directions.T
    filters = directions @ (vectors * scale) @ vectors.T
    filters = filters / (centred @ filters.T).std(dim=0).clamp_min(1e-6)[:, None]
    convolution = nn.Conv2d(channels, width, size, padding=size // 2, padding_mode="replicate")
    convolution.weight = nn.Parameter(filters.reshape(width, channels, size, size).float().contiguous())
    convolution.bias = nn.Parameter(-(filters @ mean).float())
    return convolution
