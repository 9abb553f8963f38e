"""The generator of local tone curves without torch: its numbers, and what weights there are and of which shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from surgical_style_engine.errors import InputError

CELL = 8  # pixels a side of the grid's cells
GROUPS = 8  # channels are normalised in so many groups
LARGEST = 1.1  # of a curve's values, so that -1 and 1 are within reach
GUIDE = 8  # channels of the pointwise network that moves the place on a curve
FULL_PERCENT = 100


class SizeOfU:
    """What follows from the size of the U in which generators of tone curves see their surroundings.

    Attributes:
        features: Channels of a convolution at the cells; the U has twice as many.
        levels: How often it halves.
    """

    features: int
    levels: int

    @property
    def wide(self) -> int:
        """Channels of the U."""
        return 2 * self.features

    @property
    def multiple(self) -> int:
        """Pixels a side that images are padded to a multiple of."""
        return CELL * int(2**self.levels)


@dataclass(frozen=True)
class BilateralLayout(SizeOfU):
    """Arguments of ``bilateral.BilateralGenerator``, and the names of its weights.

    Raises:
        InputError: for channels or features that it cannot have.
    """

    in_channels: int = 3
    out_channels: int = 1
    features: int = 24
    bins: int = 12
    levels: int = 2
    detail: int = 16
    residual_percent: int = 20
    dropout_percent: int = 0

    stem = (("stem.1", 2), ("stem.2", 2), ("stem.3", 1))  # names of convolutions with their norms, and strides

    def __post_init__(self) -> None:
        if self.out_channels not in (1, self.in_channels) or self.features % GROUPS:
            raise InputError(
                "The bilateral generator makes one channel, or as many as it takes, with features a multiple of "
                f"{GROUPS}; not {self.out_channels} of {self.in_channels} with {self.features}."
            )

    @property
    def residual(self) -> float:
        """Most that the branch at half resolution adds, normalised."""
        return self.residual_percent / FULL_PERCENT if self.detail else 0.0

    @property
    def translated(self) -> slice:
        """Which of the channels that come in are translated."""
        if self.out_channels == self.in_channels:
            return slice(0, self.in_channels)
        return slice(self.in_channels // 2, self.in_channels // 2 + 1)

    def level(self, depth: int) -> str:
        """The name of the U's part that lies so many halvings below the cells."""
        return "context" + depth * ".below"

    def block(self, name: str) -> tuple[tuple[str, str], tuple[str, str]]:
        """Both convolutions of a residual block, each with its norm."""
        second = 2 if self.dropout_percent else 1
        return (f"{name}.body.0.0", f"{name}.body.0.1"), (f"{name}.body.{second}", f"{name}.body.{second + 1}")

    def shapes(self) -> dict[str, list[int]]:
        """Of every weight, by name."""
        shapes_by_name: dict[str, list[int]] = {}
        for convolution, norm, inner, outer in self._normed():
            shapes_by_name[f"{convolution}.weight"] = [outer, inner, 3, 3]
            shapes_by_name[f"{norm}.weight"] = shapes_by_name[f"{norm}.bias"] = [outer]
        for name, inner, outer, side in self._plain():
            shapes_by_name[f"{name}.weight"], shapes_by_name[f"{name}.bias"] = [outer, inner, side, side], [outer]
        return shapes_by_name

    def _normed(self) -> Iterator[tuple[str, str, int, int]]:
        """Convolutions of 3 x 3 without bias: their names, their norms' and channels in and out."""
        wide = self.wide
        sizes = (self.in_channels, self.features), (self.features, wide), (wide, wide)
        for (name, _), (inner, outer) in zip(self.stem, sizes, strict=True):
            yield f"{name}.0", f"{name}.1", inner, outer
        for depth in range(self.levels + 1):
            name = self.level(depth)
            for part in ("before", "after"):
                for convolution, norm in self.block(f"{name}.{part}"):
                    yield convolution, norm, wide, wide
            if depth < self.levels:
                yield f"{name}.down.0", f"{name}.down.1", wide, wide

    def _plain(self) -> Iterator[tuple[str, int, int, int]]:
        """Convolutions with bias: names, channels in and out, and pixels a side."""
        yield "head", self.wide, self.bins * self.out_channels, 1
        yield "guide.0", self.in_channels, GUIDE, 1
        yield "guide.2", GUIDE, self.out_channels, 1
        if self.detail:
            yield "detail.first.1", self.in_channels, self.detail, 3
            yield "detail.context", self.wide, self.detail, 1
            yield "detail.last.1", self.detail, self.detail, 3
            yield "detail.last.3", self.detail, self.out_channels, 1
