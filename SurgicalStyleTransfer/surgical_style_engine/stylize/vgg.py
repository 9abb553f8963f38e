"""Networks of Simonyan & Zisserman (ICLR 2015), trained on ImageNet, as Gatys et al. (CVPR 2016) use them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.errors import InputError

from .feature_network import FeatureNetwork

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what the weights were trained with


@dataclass(frozen=True)
class PublishedVgg:
    """Weights that torchvision publishes, and what is taken of them.

    Attributes:
        name: As in settings and reports.
        title: For people.
        url: Of the file.
        sha256_prefix: What its digest begins with; torch hub's file names carry it.
        megabytes: Of the file.
        blocks: Channels of the convolutions of each block that is used; each convolution is followed by ReLU and each
            block but the last by pooling.
        style_layers: Whose Gram matrices describe a style.
        content_layers: Whose activations describe the content.
    """

    name: str
    title: str
    url: str
    sha256_prefix: str
    megabytes: int
    blocks: tuple[tuple[int, ...], ...]
    style_layers: tuple[str, ...] = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
    content_layers: tuple[str, ...] = ("conv4_2",)

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]


VGG19 = PublishedVgg(
    name="vgg19",
    title="VGG-19",
    url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",  # torchvision's VGG19_Weights.IMAGENET1K_V1
    sha256_prefix="dcbb9e9d",
    megabytes=548,
    blocks=((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,)),
)


class VggFeatures(FeatureNetwork):
    """A VGG network, up to the last of its blocks that a ``PublishedVgg`` names.

    Pooling takes means instead of maxima, as Gatys et al. do.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, published: PublishedVgg, blocks: list[list[tuple[str, nn.Conv2d]]]) -> None:
        """Take the convolutions.

        Args:
            published: Which network it is.
            blocks: The convolutions of every block, with names.
        """
        super().__init__()
        self.name = published.name
        self.style_layers, self.content_layers = published.style_layers, published.content_layers
        self.blocks = nn.ModuleList(nn.ModuleDict(dict(block)) for block in blocks)
        self.layers = tuple(name for block in blocks for name, _ in block)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])

    def forward(self, images: torch.Tensor, layers: Set[str]) -> dict[str, torch.Tensor]:
        """Stop behind the deepest layer that is wanted; see ``FeatureNetwork``."""
        left, activations = set(layers), {}
        x = (images - self.mean) / self.std
        for number, block in enumerate(self.blocks):
            if number:
                x = F.avg_pool2d(x, 2, ceil_mode=True)
            for name, convolution in block.named_children():
                x = F.relu(convolution(x))
                if name in left:
                    activations[name] = x
                    left.discard(name)
                if not left:
                    return activations
        return activations


def vgg_features(published: PublishedVgg, state: Mapping[str, torch.Tensor], where: str = "the file") -> VggFeatures:
    """The network with torchvision's weights, frozen.

    Args:
        published: Which network it is.
        state: torchvision's state dictionary, the rest of which is not used.
        where: What the sentence begins with.

    Raises:
        InputError: If these are other weights.
    """
    blocks, before, index = [], 3, 0
    for number, widths in enumerate(published.blocks):
        block = []
        for place, width in enumerate(widths):
            convolution = nn.Conv2d(before, width, 3, padding=1, device="meta")
            weight, bias = state.get(f"features.{index}.weight"), state.get(f"features.{index}.bias")
            if weight is None or bias is None or weight.shape != convolution.weight.shape or bias.shape != (width,):
                raise InputError(f"{where} does not hold the weights of torchvision's {published.title}.")
            convolution.weight, convolution.bias = nn.Parameter(weight.float()), nn.Parameter(bias.float())
            block.append((f"conv{number + 1}_{place + 1}", convolution))
            before, index = width, index + 2  # convolution and ReLU
        blocks.append(block)
        index += 1  # pooling
    return VggFeatures(published, blocks).eval().requires_grad_(False)
