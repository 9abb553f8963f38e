"""A route of a mixture of pairs written down for OpenVINO from its stored weights, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from surgical_style_engine.networks.pair_mixture_layout import SHARES, PairMixtureLayout

from .bilateral_graph import constant, convolution, translated
from .library import operations


def pair_mixture_network(layout: PairMixtureLayout, weights: dict[str, np.ndarray], channels: int) -> Any:
    """The network of a route.

    It computes what ``networks.pair_mixture.PairMixtureGenerator`` does; inputs whose share is 0 are left out.

    Args:
        layout: the generator's, with its route.
        weights: float32, by the layout's names.
        channels: of a slice; the network makes one, whatever this is.

    Returns:
        An ``openvino.Model``: (n, in_channels, h, w) float32 -> (n, 1, h, w), for any n, h and w.

    Raises:
        InputError: where the shares of the route do not add up to 1.
    """
    import openvino

    op = operations()
    image = op.parameter(openvino.PartialShape([-1, layout.in_channels, -1, -1]), np.float32, name="x")
    mixed = None
    for number, share in layout.shares_of_route(weights[SHARES]).items():
        stack = _slices_of(image, layout, number)
        result = translated(stack, layout.pair, layout.of_pair(weights, number), 1)
        weighed = result if share == 1 else op.multiply(result, constant(np.full((1, 1, 1, 1), share)))
        mixed = weighed if mixed is None else op.add(mixed, weighed)
    return openvino.Model([mixed], [image], "pair_mixture")


def _slices_of(image: Any, layout: PairMixtureLayout, number: int) -> Any:
    """The stack of one input; a slice's channels stay together."""
    count = len(layout.sources)
    if count == 1:
        return image
    kernel = np.zeros((layout.stack, layout.in_channels, 1, 1))
    kernel[np.arange(layout.stack), np.arange(layout.stack) * count + layout.sources.index(number)] = 1
    return convolution(image, kernel)
