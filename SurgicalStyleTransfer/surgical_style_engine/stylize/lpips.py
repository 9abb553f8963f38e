"""LPIPS: how different two images look (Zhang, Isola, Efros, Shechtman & Wang, CVPR 2018), slice by slice, in a region.

LPIPS's published weights of the channels belong to torchvision's VGG-16, which was trained from scratch: in the
original network a channel of the same number is another one. With that, the unweighted distance is taken instead (the
article's "baseline"), which is a metric of its own name.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional as F

from surgical_style_engine.errors import InputError

from .features import load_features
from .published import LPIPS, LPIPS_HEADS, VGG16, VGG16_TORCHVISION, cached_weights, is_at_hand
from .vgg import VggFeatures
from .weight_files import read_tensors

LAYERS = ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3")
SMALLEST = 16  # pixels a side that four poolings leave one of
EPSILON = 1e-10  # as in the package lpips
UNWEIGHTED = "vgg_distance"


class PerceptualDistance:
    """LPIPS, or the same without weights of the channels.

    Attributes:
        key: Of the metric: "lpips" or "vgg_distance".
    """

    def __init__(self, network: VggFeatures, channels: Mapping[str, np.ndarray] | None = None) -> None:
        """Take the network, whose pooling takes maxima from now on.

        Args:
            network: VGG-16, whole.
            channels: LPIPS's weights of the channels as "layer0" to "layer4"; all 1 if None.
        """
        network.by_maxima = True
        self._network = network
        self._channels = None if channels is None else [torch.tensor(channels[f"layer{i}"]) for i in range(len(LAYERS))]
        self.key = UNWEIGHTED if channels is None else LPIPS

    def of_volumes(
        self, images: Mapping[str, np.ndarray], reference: np.ndarray, region: np.ndarray, slice_axis: int = 0
    ) -> dict[str, float | None]:
        """The distance of volumes to a reference, inside a region.

        Slices are compared one by one, and every slice counts by its part of the region. Outside of the region all
        images are made black, and differences of a layer count by the part of its pixel that lies inside.

        Args:
            images: (c, z, y, x) by name, one or three channels, normalised to [-1, 1], beyond which they are cut.
            reference: Of that shape.
            region: Bool (z, y, x).
            slice_axis: 0, 1 or 2 for z, y, x: slices lie across it.

        Returns:
            By name, 0 for what looks alike; None where slices are too small for the network, or the region is empty.
        """
        if min(np.delete(region.shape, slice_axis)) < SMALLEST or not region.any():
            return dict.fromkeys(images)
        names, total = list(images), float(region.sum())
        sums = torch.zeros(len(names), dtype=torch.float64)
        for index in np.flatnonzero(region.any(axis=tuple(axis for axis in range(3) if axis != slice_axis))):
            inside = np.take(region, index, axis=slice_axis)
            slices = [
                np.where(inside, np.clip(np.take(array, index, axis=1 + slice_axis), -1, 1), -1).astype(np.float32)
                for array in (reference, *images.values())
            ]
            sums += self.of_pictures(torch.from_numpy(np.stack(slices)), torch.from_numpy(inside)) * float(inside.sum())
        return dict(zip(names, (sums / total).tolist(), strict=True))

    @torch.no_grad()
    def of_pictures(self, pictures: torch.Tensor, inside: torch.Tensor | None = None) -> torch.Tensor:
        """The distances of pictures to the first of them.

        Args:
            pictures: (1 + n, 1 or 3, h, w) in [-1, 1].
            inside: Bool (h, w), where they are compared; everywhere if None.

        Returns:
            (n,) float64.
        """
        colour = pictures.expand(-1, 3, -1, -1)
        activations = self._network((colour + 1) / 2, set(LAYERS))
        total = torch.zeros(len(pictures) - 1, dtype=torch.float64)
        for number, layer in enumerate(LAYERS):
            features = activations[layer]
            unit = features / (features.square().sum(dim=1, keepdim=True).sqrt() + EPSILON)
            squared = (unit[1:] - unit[:1]).square()
            if self._channels is not None:
                squared = squared * self._channels[number][None, :, None, None]
            where = squared.sum(dim=1).double()
            if inside is None:
                total += where.mean(dim=(1, 2))
            else:
                share = F.adaptive_avg_pool2d(inside[None, None].double(), where.shape[-2:])[0]
                total += (where * share).sum(dim=(1, 2)) / share.sum()
        return total


def check_distance() -> str:
    """The key of the metric that the weights on this machine allow. Raises InputError where there are none."""
    if is_at_hand(VGG16_TORCHVISION.name) and is_at_hand(LPIPS):
        return LPIPS
    if is_at_hand(VGG16.name):
        return UNWEIGHTED
    raise InputError(
        "The weights that LPIPS needs are not on this machine: sst models features lpips and sst models features "
        f"{VGG16_TORCHVISION.name} fetch them; with sst models features alone, its unweighted form is computed."
    )


def load_distance() -> PerceptualDistance:
    """LPIPS where its network and its channel weights are on this machine, else its unweighted form.

    Raises:
        InputError: Where there is no VGG-16, or its weights are damaged.
    """
    name = VGG16_TORCHVISION.name if check_distance() == LPIPS else VGG16.name
    network = load_features(name, torch.zeros(1, 3, SMALLEST, SMALLEST))
    assert isinstance(network, VggFeatures), "published networks are"
    if name == VGG16.name:
        return PerceptualDistance(network)
    return PerceptualDistance(network, read_tensors(cached_weights(LPIPS), LPIPS_HEADS, "LPIPS's channel weights"))
