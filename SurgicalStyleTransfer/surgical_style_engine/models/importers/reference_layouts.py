"""Which generator of the registry a state dictionary of the reference code belongs to.

The layouts of junyanz/pytorch-CycleGAN-and-pix2pix and taesungp/contrastive-unpaired-translation tell themselves apart
by the names and shapes of their weights, so that no options file is needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import build_generator

if TYPE_CHECKING:
    import torch

# Kept by old InstanceNorm layers, which never used them, and by BatchNorm, for which see ``_norm``.
_STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")

_Shapes = dict[str, tuple[int, ...]]
_Outer = tuple[str, str, int]  # first, last and output_axis of ``RecognisedGenerator``


@dataclass
class RecognisedGenerator:
    """A generator of the registry, and the weights in fp32 that fit it.

    Attributes:
        name: Of the registry.
        arguments: Of its constructor.
        state: The weights, by name.
        first: Name of the weights of the first convolution.
        last: Name of the last convolution, without ".weight".
        output_axis: Of the last convolution's weights, the axis of the channels that it gives: 0, and 1 of a
            transposed one.
    """

    name: str
    arguments: dict[str, Any]
    state: dict[str, torch.Tensor]
    first: str
    last: str
    output_axis: int

    def make_input_grey(self) -> None:
        """Take one channel instead of three equal ones; exact, as the first convolution adds them up."""
        weight = self.state[self.first]
        self.state[self.first] = weight.sum(1, keepdim=True)
        self.arguments["in_channels"] = 1

    def make_output_grey(self) -> None:
        """Give one channel instead of three: their mean before the final tanh, which is exact where they agree."""
        weight, bias = self.state[f"{self.last}.weight"], self.state[f"{self.last}.bias"]
        self.state[f"{self.last}.weight"] = weight.mean(self.output_axis, keepdim=True)
        self.state[f"{self.last}.bias"] = bias.mean(0, keepdim=True)
        self.arguments["out_channels"] = 1


def recognise(state: dict[str, torch.Tensor], what: str = "The file") -> RecognisedGenerator:
    """Find the generator that these weights belong to.

    Tolerates the prefix of ``DataParallel`` and running statistics left by old instance norms. Weights of a batch norm
    get the norm "batch_image", which is what the reference's test script computes.

    Args:
        state: Weights by name.
        what: What sentences begin with.

    Raises:
        InputError: If the weights are no ResNet, CUT or U-Net generator or do not fit one another.
    """
    import torch

    while state and all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    state = {key: value for key, value in state.items() if not key.endswith(_STATISTICS)}
    for key, value in state.items():
        if not value.is_floating_point() or not torch.isfinite(value).all():
            raise InputError(f"{what} holds weights that are not finite numbers: {key}.")
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    if len(shapes.get("model.1.weight", ())) == 4 and any(".conv_block." in key for key in shapes):
        name, find = "resnet_reference", _resnet
    elif len(shapes.get("model.model.0.weight", ())) == 4:
        name, find = "unet_reference", _unet
    elif shapes.get("model.0.weight", ())[2:] == (4, 4):
        raise InputError(f"{what} holds a discriminator; give the generator's file (latest_net_G*.pth).")
    else:
        raise InputError(f"{what} holds no generator of the reference code (ResNet, CUT's ResNet or U-Net).")
    arguments, outer = find(shapes, what)
    _check_shapes(name, arguments, shapes, what)
    return RecognisedGenerator(name, arguments, {key: value.float() for key, value in state.items()}, *outer)


def _norm(shapes: _Shapes, convolution: str, norm: str) -> str:
    """Which norm follows a convolution, by the weights of both.

    The reference's instance norm has none, its batch norm replaces the convolution's bias.
    """
    if f"{norm}.weight" in shapes:
        return "batch_image"
    return "instance" if f"{convolution}.bias" in shapes else "none"


def _resnet(shapes: _Shapes, what: str) -> tuple[dict[str, Any], _Outer]:
    numbers = [int(match[1]) for key in shapes if (match := re.match(r"model\.(\d{1,4})\.", key))]
    blocks = {int(match[1]) for key in shapes if (match := re.match(r"model\.(\d{1,4})\.conv_block\.", key))}
    kernels = [int(match[1]) for key in shapes if (match := re.fullmatch(r"model\.(\d{1,4})\.filt", key))]
    last = f"model.{max(numbers)}"
    if len(shapes.get(f"{last}.weight", ())) != 4 or f"{last}.bias" not in shapes or not blocks:
        raise InputError(f"{what} looks like a ResNet generator, but its last layer is no convolution.")
    ngf, in_channels = shapes["model.1.weight"][:2]
    arguments = {
        "in_channels": in_channels,
        "out_channels": shapes[f"{last}.weight"][0],
        "ngf": ngf,
        "n_blocks": len(blocks),
        "norm": _norm(shapes, "model.1", "model.2"),
        "antialias": any(number < min(blocks) for number in kernels),
        "antialias_up": any(number > max(blocks) for number in kernels),
        "dropout": len(shapes.get(f"model.{min(blocks)}.conv_block.6.weight", ())) == 4,
    }
    return arguments, ("model.1.weight", last, 0)


def _unet(shapes: _Shapes, what: str) -> tuple[dict[str, Any], _Outer]:
    last = "model.model.3"
    if len(shapes.get(f"{last}.weight", ())) != 4 or f"{last}.bias" not in shapes:
        raise InputError(f"{what} looks like a U-Net generator, but its last layer is no transposed convolution.")
    depth, prefix = 2, "model.model.1.model."
    while f"{prefix}3.model.1.weight" in shapes:
        depth, prefix = depth + 1, prefix + "3.model."
    ngf, in_channels = shapes["model.model.0.weight"][:2]
    arguments = {
        "in_channels": in_channels,
        "out_channels": shapes[f"{last}.weight"][1],
        "ngf": ngf,
        "num_downs": depth,
        "norm": _norm(shapes, "model.model.0", "model.model.1.model.2"),
    }
    return arguments, ("model.model.0.weight", last, 1)


def _check_shapes(name: str, arguments: dict[str, Any], shapes: _Shapes, what: str) -> None:
    """Compare with the network as built, on the meta device: nothing is allocated, whatever the arguments are."""
    import torch

    with torch.device("meta"):
        built = {key: tuple(value.shape) for key, value in build_generator(name, **arguments).state_dict().items()}
    for key in sorted(built.keys() | shapes.keys()):
        if key not in shapes:
            raise InputError(f"{what} lacks the weights {key} of a generator {name}.")
        if key not in built:
            raise InputError(f"{what} has the weights {key}, which a generator {name} has no place for.")
        if built[key] != shapes[key]:
            raise InputError(f"{what} has weights {key} of shape {shapes[key]} where {built[key]} is needed.")
