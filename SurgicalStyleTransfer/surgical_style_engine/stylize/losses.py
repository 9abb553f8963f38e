"""The objective of Gatys et al. (CVPR 2016): content, style (Gram matrices) and total variation, made free of scale."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from surgical_style_engine.models.style_settings import StyleSettings

from .features import FeatureNetwork

EPSILON = 1e-8


def gram(features: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """(n, c, h, w) -> (n, c, c): mean over the pixels of f f^T; with a weight (n or 1, 1, h, w) the weighted mean,
    which is the spatial guidance of Gatys et al. (CVPR 2017)."""
    return _Gram.apply(features, weight)


class _Gram(torch.autograd.Function):
    """Its gradient, (dG + dG^T) f, takes one product of matrices where autograd would take two and their sum."""

    @staticmethod
    def forward(context, features, weight):
        n, c, h, w = features.shape
        flat = features.reshape(n, c, h * w)
        if weight is None:
            weighted, total = flat, h * w
        else:
            flat_weight = weight.reshape(weight.shape[0], 1, h * w)
            total = flat_weight.sum(dim=2, keepdim=True).clamp_min(EPSILON)
            weighted = flat * flat_weight
        context.save_for_backward(weighted if weight is None else weighted / total)
        context.total, context.shape = (total if weight is None else 1), features.shape
        return weighted @ flat.transpose(1, 2) / total

    @staticmethod
    def backward(context, gradient):
        (weighted,) = context.saved_tensors
        both = (gradient + gradient.transpose(1, 2)) / context.total
        return (both @ weighted).reshape(context.shape), None


def total_variation(image: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of neighbouring pixels of (n, c, h, w)."""
    rows, columns = image[..., 1:, :] - image[..., :-1, :], image[..., 1:] - image[..., :-1]
    return (rows.square().mean() if rows.numel() else 0) + (columns.square().mean() if columns.numel() else 0)


class Masks:
    """A mask (1, 1, h, w) in [0, 1], where the style belongs, at the sizes of the layers; None: everywhere."""

    def __init__(self, mask: torch.Tensor | None = None) -> None:
        self._mask, self._found = mask, {}

    def at(self, size: tuple[int, int]) -> torch.Tensor | None:
        if self._mask is None:
            return None
        if size not in self._found:
            self._found[size] = F.adaptive_avg_pool2d(self._mask, size)
        return self._found[size]


class StyleTarget:
    """The Gram matrices of a style picture (1, 3, h, w) in [0, 1], by layer, and the style term."""

    def __init__(self, network: FeatureNetwork, style: torch.Tensor, layers: dict[str, float] | None = None) -> None:
        self.network = network
        self.layers = dict.fromkeys(network.style_layers, 1.0) if layers is None else dict(layers)
        with torch.no_grad():
            found = network(style, set(self.layers))
            self.grams = {name: gram(found[name]) for name in self.layers}
            half = F.interpolate(style, scale_factor=0.5, mode="bilinear", antialias=True)
            self._detail = style - F.interpolate(half, style.shape[-2:], mode="bilinear")

    def detail(self, size: tuple[int, int]) -> torch.Tensor:
        """(1, 3, h, w) of that size: the picture's finest strokes around zero, mirrored where it is too small."""
        strokes = self._detail
        for axis, side in zip((-2, -1), size, strict=True):
            while strokes.shape[axis] < side:
                strokes = torch.cat([strokes, strokes.flip(axis)], axis)
            strokes = strokes.narrow(axis, (strokes.shape[axis] - side) // 2, side)
        return strokes

    def loss(self, features: dict[str, torch.Tensor], masks: Masks) -> torch.Tensor:
        """Weighted mean over the layers of |G - G_style|^2 / |G_style|^2, Frobenius norms: each layer counts alike,
        whatever the scale of its activations."""
        total, sum_of_weights = 0, sum(self.layers.values())
        for name, layer_weight in self.layers.items():
            value = features[name]
            weight = masks.at(tuple(value.shape[-2:]))
            wanted = self.grams[name]
            distance = (gram(value, weight) - wanted).square().sum(dim=(1, 2)).mean()
            total = total + layer_weight * distance / wanted.square().sum().clamp_min(EPSILON)
        return total / sum_of_weights


class Objective:
    """The whole objective for one content picture (1, 3, h, w) in [0, 1]; calling it gives the terms of an image.

    mask: (1, 1, h, w), where style is wanted. neighbour: (image, weight): the stylised neighbouring slice, and where
    (1, 1, h, w) it should be kept to.
    """

    def __init__(
        self,
        style: StyleTarget,
        content: torch.Tensor,
        settings: StyleSettings,
        mask: torch.Tensor | None = None,
        neighbour: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> None:
        self.style, self.settings, self.masks, self.neighbour = style, settings, Masks(mask), neighbour
        network = style.network
        self.wanted = set(style.layers) | set(network.content_layers)
        with torch.no_grad():
            found = network(content, set(network.content_layers))
            self.content = {name: (value, value.var().clamp_min(EPSILON)) for name, value in found.items()}

    def __call__(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Image (1, 3, h, w) in [0, 1] -> total, content, style, variation (and consistency), scalars.

        content: mean over layers of |F - F_content|^2 / var F_content. consistency: weighted mean squared difference
        to the neighbour, as Ruder et al. (GCPR 2016) hold the frames of a video.
        """
        features = self.style.network(image, self.wanted)
        content = sum((features[name] - value).square().mean() / scale for name, (value, scale) in self.content.items())
        terms = {
            "content": content / len(self.content),
            "style": self.style.loss(features, self.masks),
            "variation": total_variation(image),
        }
        settings = self.settings
        total = sum(getattr(settings, f"{name}_weight") * value for name, value in terms.items())
        if self.neighbour is not None:
            other, weight = self.neighbour
            difference = ((image - other).square().mean(dim=1, keepdim=True) * weight).sum()
            terms["consistency"] = difference / weight.sum().clamp_min(1.0)
            total = total + settings.consistency_weight * terms["consistency"]
        return {"total": total, **terms}
