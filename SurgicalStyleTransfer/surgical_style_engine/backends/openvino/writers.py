"""Which generators are written down for OpenVINO from their weights alone, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.networks import known_layout
from surgical_style_engine.networks.bilateral_layout import SizeOfU

from .bilateral_graph import bilateral_network
from .domain_grid_graph import domain_grid_network
from .pair_mixture_graph import pair_mixture_network
from .resnet_graph import resnet_network

# (layout, float32 weights by the layout's names, channels of a slice) -> ``openvino.Model``
Writer = Callable[[Any, dict[str, np.ndarray], int], Any]
# By the generator's name in ``networks.registry``, whose entry names the layout. Others are traced in torch.
WRITERS: dict[str, Writer] = {
    "bilateral": bilateral_network,
    "domain_grid": domain_grid_network,
    "pair_mixture": pair_mixture_network,
    "resnet": resnet_network,
}


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


def size_step(model: StyleModel, direction: str) -> int | None:
    """Which sizes a network is compiled for.

    Args:
        model: whose generator it is.
        direction: forward or backward.

    Returns:
        None for those that are compiled once for all sizes. Else height and width are multiples of so many pixels, to
        which the network itself would repeat the far edges: networks of many small layers, of whose time a fixed size
        saves a third to a half, which makes up for compiling within a volume.
    """
    card = model.card
    layout = known_layout(card.architecture.name, **card.arguments_of(model.check_direction(direction)))
    return layout.multiple if isinstance(layout, SizeOfU) else None
