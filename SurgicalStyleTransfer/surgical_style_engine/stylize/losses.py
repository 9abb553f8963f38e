"""The objective of Gatys et al. (CVPR 2016): content, style (Gram matrices) and total variation, made free of scale."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional as F

from surgical_style_engine.models.style_settings import StyleSettings

from .feature_network import FeatureNetwork

EPSILON = 1e-8


def gram(features: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """The Gram matrices of activations: the mean over the pixels of f f^T.

    Args:
        features: (n, c, h, w).
        weight: (n or 1, 1, h, w), for a weighted mean: the spatial guidance of Gatys et al. (CVPR 2017).

    Returns:
        (n, c, c).

    >>> gram(torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])).tolist()
    [[[2.5, 1.5], [1.5, 4.5]]]
    """
    return _Gram.apply(features, weight)


class _Gram(torch.autograd.Function):
    """Its gradient, (dG + dG^T) f, takes one product of matrices where autograd would take two and their sum."""

    @staticmethod
    def forward(context: Any, features: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        n, c, h, w = features.shape
        total: torch.Tensor | int
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
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (weighted,) = context.saved_tensors
        both = (gradient + gradient.transpose(1, 2)) / context.total
        return (both @ weighted).reshape(context.shape), None


def total_variation(image: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of neighbouring pixels of (n, c, h, w)."""
    rows, columns = image[..., 1:, :] - image[..., :-1, :], image[..., 1:] - image[..., :-1]
    nothing = image.new_zeros(())
    return (rows.square().mean() if rows.numel() else nothing) + (
        columns.square().mean() if columns.numel() else nothing
    )


class Masks:
    """Where the style belongs, at the sizes of the layers."""

    def __init__(self, mask: torch.Tensor | None = None) -> None:
        """Take the mask (1 or n, 1, h, w) in [0, 1]; None: everywhere."""
        self._mask = mask
        self._by_size: dict[tuple[int, int], torch.Tensor] = {}

    def at(self, size: Sequence[int]) -> torch.Tensor | None:
        """The mask at a layer's size (h, w); None: everywhere."""
        if self._mask is None:
            return None
        height, width = size
        if (height, width) not in self._by_size:
            self._by_size[height, width] = F.adaptive_avg_pool2d(self._mask, (height, width))
        return self._by_size[height, width]


class StyleTarget:
    """The Gram matrices of a style picture, by layer, and the style term of Gatys et al. (CVPR 2016)."""

    def __init__(self, network: FeatureNetwork, style: torch.Tensor, layers: Mapping[str, float] | None = None) -> None:
        """Compute the matrices.

        Args:
            network: What describes the style.
            style: The picture (1, 3, h, w) in [0, 1].
            layers: Weights of layers; the network's own style layers alike if None.
        """
        self.network = network
        self.layers = dict.fromkeys(network.style_layers, 1.0) if layers is None else dict(layers)
        with torch.no_grad():
            activations = network(style, set(self.layers))
            self.grams = {name: gram(activations[name]) for name in self.layers}
            half = F.interpolate(style, scale_factor=0.5, mode="bilinear", antialias=True)
            self._detail = style - F.interpolate(half, style.shape[-2:], mode="bilinear")

    def detail(self, size: tuple[int, ...]) -> torch.Tensor:
        """The picture's finest strokes around zero, mirrored where it is too small: (1, 3, *size)."""
        strokes = self._detail
        for axis, side in zip((-2, -1), size, strict=True):
            while strokes.shape[axis] < side:
                strokes = torch.cat([strokes, strokes.flip(axis)], axis)
            strokes = strokes.narrow(axis, (strokes.shape[axis] - side) // 2, side)
        return strokes

    def loss(self, features: dict[str, torch.Tensor], masks: Masks) -> torch.Tensor:
        """Weighted mean over the layers of |G - G_style|^2 / |G_style|^2 (Frobenius norms).

        Each layer counts alike, whatever the scale of its activations.

        Args:
            features: (n, c, h, w) of an image, by layer.
            masks: Where the style is measured.

        Returns:
            A scalar.
        """
        terms, sum_of_weights = [], sum(self.layers.values())
        for name, layer_weight in self.layers.items():
            value = features[name]
            weight = masks.at(value.shape[-2:])
            of_style = self.grams[name]
            distance = (gram(value, weight) - of_style).square().sum(dim=(1, 2)).mean()
            terms.append(layer_weight * distance / of_style.square().sum().clamp_min(EPSILON))
        return functools.reduce(operator.add, terms) / sum_of_weights


class Objective:
    """The whole objective for content pictures; calling it gives the terms of an image."""

    def __init__(
        self,
        style: StyleTarget,
        content: torch.Tensor,
        settings: StyleSettings,
        mask: torch.Tensor | None = None,
        neighbour: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> None:
        """Describe the content.

        Args:
            style: What the style is measured by.
            content: (n, 3, h, w) in [0, 1].
            settings: Weights of the terms.
            mask: (n or 1, 1, h, w), where style is wanted; everywhere if None.
            neighbour: The stylised neighbouring slice, and where (1, 1, h, w) it is to be kept to.
        """
        self.style, self.settings, self.masks, self.neighbour = style, settings, Masks(mask), neighbour
        network = style.network
        self.layers = set(style.layers) | set(network.content_layers)
        with torch.no_grad():
            activations = network(content, set(network.content_layers))
            self.content = {name: (value, value.var().clamp_min(EPSILON)) for name, value in activations.items()}

    def __call__(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """The terms of an image.

        Args:
            image: (n, 3, h, w) in [0, 1].

        Returns:
            Scalars: total; content, the mean over layers of |F - F_content|^2 / var F_content; style; variation; and
            with a neighbour consistency, the weighted mean squared difference to it, as Ruder et al. (GCPR 2016) hold
            the frames of a video.
        """
        features = self.style.network(image, self.layers)
        content = sum((features[name] - value).square().mean() / scale for name, (value, scale) in self.content.items())
        terms = {
            "content": content / len(self.content),
            "style": self.style.loss(features, self.masks),
            "variation": total_variation(image),
        }
        settings = self.settings
        weights = {
            "content": settings.content_weight,
            "style": settings.style_weight * self.style.network.style_share,
            "variation": settings.variation_weight,
        }
        total = sum(weights[name] * value for name, value in terms.items())
        if self.neighbour is not None:
            other, weight = self.neighbour
            difference = ((image - other).square().mean(dim=1, keepdim=True) * weight).sum()
            terms["consistency"] = difference / weight.sum().clamp_min(1.0)
            total = total + settings.consistency_weight * terms["consistency"]
        return {"total": total, **terms}
