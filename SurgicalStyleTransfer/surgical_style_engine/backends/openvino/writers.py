"""Which generators are written down for OpenVINO from their weights alone, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from surgical_style_engine.models.folder import StyleModel

from .bilateral_graph import bilateral_network
from .resnet_graph import resnet_network

# (layout, float32 weights by the layout's names, channels of a slice) -> ``openvino.Model``
Writer = Callable[[Any, dict[str, np.ndarray], int], Any]
# By the generator's name in ``networks.registry``, whose entry names the layout. Others are traced in torch.
WRITERS: dict[str, Writer] = {"bilateral": bilateral_network, "resnet": resnet_network}

# Networks of so many small layers that a fixed height and width saves a third to a half of their time, which soon
# makes up for compiling anew for another size.
BY_SIZE = ("bilateral",)


def written_network(model: StyleModel, direction: str) -> Any | None:
    """The network for OpenVINO without torch.

    Args:
        model: whose weights are stored.
        direction: forward or backward.

    Returns:
        An ``openvino.Model``, (n, channels * stack, h, w) -> (n, channels', h, w); None for architectures that only
        torch knows.

    Raises:
        InputError: if the weights do not fit the architecture.
    """
    writer = WRITERS.get(model.card.architecture.name)
    layout_and_weights = model.weights(direction)
    if writer is None or layout_and_weights is None:
        return None
    return writer(*layout_and_weights, model.card.domain_to(direction).channels)
