"""The default generator's weights: what there is and of which shape, known without torch."""

from __future__ import annotations

from dataclasses import dataclass

LANES = 16  # channels that processors compute at once
LARGEST_BLOCK = 4  # pixels a side; both strides of the generators, so that their images hold whole blocks


@dataclass(frozen=True)
class ResnetLayout:
    """Arguments of ``resnet.ResnetGenerator``, and the names of its weights."""

    in_channels: int = 1
    out_channels: int = 1
    ngf: int = 64
    n_blocks: int = 9

    stem, downs = "layers.1.weight", ("layers.4.conv.weight", "layers.7.conv.weight")

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Both convolutions of every residual block."""
        return [(f"layers.{10 + i}.body.1.weight", f"layers.{10 + i}.body.5.weight") for i in range(self.n_blocks)]

    @property
    def ups(self) -> tuple[str, str]:
        """The convolutions that come after doubling."""
        return f"layers.{12 + self.n_blocks}.weight", f"layers.{17 + self.n_blocks}.weight"

    @property
    def end(self) -> tuple[str, str]:
        """Weights and bias of the last convolution."""
        return f"layers.{21 + self.n_blocks}.weight", f"layers.{21 + self.n_blocks}.bias"

    def shapes(self) -> dict[str, list[int]]:
        """Of every weight, by name."""
        ngf, body = self.ngf, [4 * self.ngf, 4 * self.ngf, 3, 3]
        return {
            self.stem: [ngf, self.in_channels, 7, 7],
            self.downs[0]: [2 * ngf, ngf, 3, 3],
            self.downs[1]: [4 * ngf, 2 * ngf, 3, 3],
            **{name: body for pair in self.blocks for name in pair},
            self.ups[0]: [2 * ngf, 4 * ngf, 3, 3],
            self.ups[1]: [ngf, 2 * ngf, 3, 3],
            self.end[0]: [self.out_channels, ngf, 7, 7],
            self.end[1]: [self.out_channels],
        }


def block_side(out_channels: int) -> int:
    """Pixels a side of the blocks that the last convolution computes at once, see ``fast.block_convolution``."""
    return next((side for side in (LARGEST_BLOCK, 2) if out_channels * side**2 <= LANES), 1)
