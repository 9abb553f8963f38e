"""What every network offers whose activations describe content and style."""

from __future__ import annotations

from collections.abc import Set

import torch
from torch import nn


class FeatureNetwork(nn.Module):
    """Activations of an image by layer.

    Attributes:
        name: Of the network, as in settings and reports.
        layers: All that it has.
        style_layers: Whose Gram matrices describe a style, unless settings name others.
        content_layers: Whose activations describe the content.
        style_share: What the weight of the style is multiplied by, so that one weight suits all networks: the more
            a network sees of a picture, the more of the content a given weight costs.
    """

    name: str
    layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    content_layers: tuple[str, ...]
    style_share: float = 1.0

    def forward(self, images: torch.Tensor, layers: Set[str]) -> dict[str, torch.Tensor]:
        """Compute activations, and no more than is needed for them.

        Args:
            images: (n, 3, h, w) in [0, 1].
            layers: Whose activations are wanted.

        Returns:
            (n, c, h', w') by layer.
        """
        raise NotImplementedError
