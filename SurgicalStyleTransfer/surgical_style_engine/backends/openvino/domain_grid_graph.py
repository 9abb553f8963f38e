"""A route of the generator for many domains written down for OpenVINO from its stored weights, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from surgical_style_engine.networks.bilateral_layout import CELL, LARGEST
from surgical_style_engine.networks.domain_grid_layout import DomainGridLayout

from .bilateral_graph import constant, convolution, doubled, enlarged, halved, normal, padded, whole
from .library import operations

_PIXELS = (2, 3)  # the axes of rows and columns


def domain_grid_network(layout: DomainGridLayout, weights: dict[str, np.ndarray], channels: int) -> Any:
    """The network of a route.

    It computes what ``networks.domain_grid.DomainGridGenerator`` does; what depends on the route alone is worked out
    here, and the inputs that are not given are left out.

    Args:
        layout: the generator's, with its route.
        weights: float32, by the layout's names.
        channels: of a slice; the network makes one, whatever this is.

    Returns:
        An ``openvino.Model``: (n, in_channels, h, w) float32 -> (n, 1, h, w), for any n, h and w.
    """
    import openvino

    op = operations()
    image = op.parameter(openvino.PartialShape([-1, layout.in_channels, -1, -1]), np.float32, name="x")
    writer = _Writer(layout, layout.of_route(weights))
    size = op.slice(op.shape_of(image), whole(2), whole(4), whole(1))
    x = padded(image, size, layout.multiple)
    # Air is 0 to the convolutions, as it is beyond the image.
    above = op.add(x, constant(np.ones((1, 1, 1, 1))))
    half = halved(above, layout.in_channels)
    low = writer.context(half)
    y = writer.toned(x, above, low)
    if layout.residual:
        y = op.add(y, writer.detail(half, low))
    y = op.slice(op.clamp(y, -1.0, 1.0), whole(0, 0), size, whole(1, 1), whole(*_PIXELS))
    return openvino.Model([y], [image], "domain_grid")


@dataclass(frozen=True)
class _Writer:
    """The parts of the network.

    Attributes:
        layout: the generator's, with its route.
        weights: of the route, as ``DomainGridLayout.of_route`` gives them.
    """

    layout: DomainGridLayout
    weights: dict[str, np.ndarray]

    def context(self, half: Any) -> Any:
        """Slices at half their resolution -> what the U makes of them at an eighth."""
        x = half
        for name, stride in self.layout.stem:
            x = self._normal_relu(x, name, stride)
        return self._level(x, 0)

    def _level(self, x: Any, depth: int) -> Any:
        op, name = operations(), self.layout.level(depth)
        x = self._block(x, f"{name}.before")
        if depth < self.layout.levels:
            down = self._normal_relu(x, f"{name}.down", 2)
            x = op.add(x, enlarged(self._level(down, depth + 1), 2))
        return self._block(x, f"{name}.after")

    def _block(self, x: Any, name: str) -> Any:
        op = operations()
        return op.relu(op.add(x, self._normal(self._normal_relu(x, f"{name}.first"), f"{name}.second")))

    def _normal_relu(self, x: Any, name: str, stride: int = 1) -> Any:
        return operations().relu(self._normal(x, name, stride))

    def _normal(self, x: Any, name: str, stride: int = 1) -> Any:
        return normal(x, self.weights, f"{name}.convolution", f"{name}.norm", stride)

    def toned(self, x: Any, above: Any, low: Any) -> Any:
        """The given domains' middle slices through their tone curves, times their shares, added up.

        A curve's first value and its steps are weighed by clamp(place - its number, 0, 1), as in ``bilateral_graph``.
        """
        op, bins, count = operations(), self.layout.bins, len(self.layout.sources)
        head = convolution(low, self.weights["head.weight"], bias=self.weights["head.bias"])
        curves, shares = (
            op.slice(head, whole(start), whole(stop), whole(1), whole(1))
            for start, stop in ((0, count * bins), (count * bins, count * bins + count))
        )
        each = np.kron(np.eye(count), np.ones((bins, 1)))[:, :, None, None]
        grid = op.multiply(op.tanh(curves), convolution(op.softmax(shares, 1), each))
        steps = np.kron(np.eye(count), np.eye(bins) - np.eye(bins, k=-1))[:, :, None, None]
        weighed = op.multiply(
            enlarged(convolution(grid, steps), CELL), op.clamp(self._places(x, above, count), 0.0, 1.0)
        )
        return convolution(weighed, np.full((1, count * bins, 1, 1), LARGEST))

    def _places(self, x: Any, above: Any, count: int) -> Any:
        """(n, count * bins, h, w): 1 for a curve's first value, and for its steps how far the place is beyond."""
        op, bins, weights = operations(), self.layout.bins, self.weights
        gain, shift = weights["guide.gain"], weights["guide.shift"]
        kernel = weights["guide_first.weight"] * gain[:, None, None, None]
        inner = op.relu(convolution(above, kernel, bias=weights["guide_first.bias"] * gain + shift))
        middle = np.zeros((count, self.layout.in_channels, 1, 1))
        first = (self.layout.stack // 2) * count  # a slice's channels stay together
        middle[np.arange(count), first + np.arange(count)] = 0.5
        moved = convolution(inner, weights["guide_last.weight"], bias=weights["guide_last.bias"])
        place = op.clamp(op.add(moved, convolution(x, middle, bias=np.full(count, 0.5))), 0.0, 1.0)
        spread = np.kron(np.eye(count), np.full((bins, 1), bins - 1.0))[:, :, None, None]
        offsets = np.tile(-np.arange(-1.0, bins - 1), count)
        spread[::bins], offsets[::bins] = 0, 1
        return convolution(place, spread, bias=offsets)

    def detail(self, half: Any, low: Any) -> Any:
        """The residual."""
        op, weights = operations(), self.weights

        def layer(x: Any, name: str, side: int) -> Any:
            return convolution(x, weights[f"{name}.weight"], 1, side // 2, weights[f"{name}.bias"])

        around = enlarged(layer(low, "detail.context", 1), CELL // 2)
        x = op.relu(op.add(layer(half, "detail.first", 3), around))
        x = op.relu(layer(x, "detail.inner", 3))
        return doubled(op.tanh(layer(x, "detail.last", 1)), self.layout.residual)
