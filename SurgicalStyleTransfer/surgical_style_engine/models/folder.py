"""A model is a folder without code: ``model.json`` (validated), weights (safetensors or ONNX) and ``README.md``.

Loading never unpickles and never executes anything from the folder: the architecture is a name from the closed
registry, and the weights must have the SHA-256 the card states.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from surgical_style_engine.common.atomic_write import replacing_folder
from surgical_style_engine.common.torch_presence import check_torch
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.networks import build_generator, known_layout

from .card import CARD_NAME, STYLE_IMAGE, Direction, ModelCard, Weights, WeightsName, read_card, write_card
from .names import find_model
from .weights import open_weights, sha256_of, write_weights

if TYPE_CHECKING:
    import torch

    from surgical_style_engine.networks.registry import Layout

SAFETENSORS, ONNX = get_args(WeightsName)


@dataclass
class StyleModel:
    """A loaded model folder; networks are built when first asked for and kept.

    Attributes:
        card: What ``model.json`` says.
        folder: The folder; an empty path for a style without one.
    """

    card: ModelCard
    folder: Path
    _generators: dict[str, torch.nn.Module] = field(default_factory=dict, repr=False)

    @property
    def weights_path(self) -> Path:
        """The weights file. Raises InputError for a style without a folder."""
        return self.folder / self.card.stored.file

    def check_direction(self, direction: str) -> Direction:
        """The direction itself. Raises InputError for one that the model does not have.

        Of many domains ``directions`` lists the routes of one input; of several any will do that one of them leads to.
        """
        if direction in self.card.directions:
            return direction
        if self.card.is_many:
            route = self.card.route(direction)
            self.card.check_leads(route)
            return route.direction
        raise InputError(
            f"The model {self.card.name} has no direction '{direction}'; it has {', '.join(self.card.directions)}."
        )

    def generator(self, direction: str = "forward") -> torch.nn.Module:
        """The generator in fp32 evaluation mode on the CPU.

        Args:
            direction: "forward" or "backward".

        Raises:
            InputError: If there is no such direction or generator, or the weights do not fit.
        """
        known = self.check_direction(direction)
        if known not in self._generators:
            self._generators[known] = self._build(known).eval().requires_grad_(False)
        return self._generators[known]

    def _build(self, direction: Direction) -> torch.nn.Module:
        """The network with its weights. Nothing of its size is allocated before the file is known to hold as much."""
        arguments = self._arguments(direction)
        check_torch(f"The model {self.card.name}")
        import torch

        name = self.card.architecture.name
        with torch.device("meta"):
            outline = build_generator(name, **arguments).eval()
        shapes = {key: list(value.shape) for key, value in outline.state_dict().items()}
        with open_weights(self.weights_path, self._stored_as(direction), shapes, "pt", self.card.name) as stored:
            network = build_generator(name, **arguments).eval()
            network.load_state_dict(stored.tensors())
            self._check_channels(self._tried_out(network, direction), direction)
        return network

    def weights(self, direction: str = "forward") -> tuple[Layout, dict[str, np.ndarray]] | None:
        """A generator's layout and weights, without torch.

        Args:
            direction: "forward" or "backward".

        Returns:
            The layout and the weights in float32 by name; None where only torch knows the architecture.

        Raises:
            InputError: As ``generator`` does.
        """
        known = self.check_direction(direction)
        layout = known_layout(self.card.architecture.name, **self._arguments(known))
        if layout is None:
            return None
        with open_weights(self.weights_path, self._stored_as(known), layout.shapes(), "np", self.card.name) as stored:
            values = stored.arrays()
            fits = layout.in_channels == self._channels_in(known)
            self._check_channels(layout.out_channels if fits else None, known)
        return layout, values

    def check_weights(self) -> None:
        """Raise InputError unless the weights of every direction fit the architecture, and are more than zeros."""
        for direction in self.card.directions:
            known = self.weights(direction)
            arrays = known[1] if known else self._state(direction)
            if not any(array.any() for array in arrays.values()):
                raise InputError(f"The weights of the model {self.card.name} are all zero: nothing comes out of them.")
            if not all(np.isfinite(array).all() for array in arrays.values()):
                raise InputError(f"The weights of the model {self.card.name} hold NaN or infinite values.")

    def _state(self, direction: str) -> dict[str, np.ndarray]:
        """The weights of a generator that only torch knows, by name."""
        return {key: value.numpy() for key, value in self.generator(direction).state_dict().items()}

    def _arguments(self, direction: Direction) -> dict[str, Any]:
        """Those of the generator's constructor. Raises InputError where there is no generator."""
        if self.card.architecture.name == STYLE_IMAGE:
            raise InputError(f"The style {self.card.name} is a picture; it has no generator.")
        if self.card.stored.file != SAFETENSORS:
            raise InputError(f"The model {self.card.name} is an ONNX model; it has no torch generator.")
        return self.card.arguments_of(direction)

    def _stored_as(self, direction: Direction) -> Direction:
        """Whose weights serve a direction: those of many domains are the same for all routes."""
        return "forward" if self.card.is_many else direction

    def _channels_in(self, direction: Direction) -> int:
        """Channels that the card's domain feeds into the network."""
        return self.card.domain_from(direction).channels * self.card.stack

    def _tried_out(self, network: torch.nn.Module, direction: Direction) -> int | None:
        """How many channels come out of the network for those of the card; None where it does not take them.

        Not on the device "meta": there, the first sum imports torch's compiler, which takes a second.
        """
        import torch

        try:
            with torch.inference_mode():
                return network(torch.zeros(1, self._channels_in(direction), 64, 64)).shape[1]
        except RuntimeError:
            return None

    def _check_channels(self, channels: int | None, direction: Direction) -> None:
        """Raise InputError unless a network that gives so many channels gives what the card's domains say."""
        stated = self.card.domain_to(direction).channels
        if channels not in (stated, stated * self.card.stack):
            raise InputError(
                f"The network of {self.card.name} does not take and give the numbers of channels that its card states."
            )


def verify_model(folder: Path) -> ModelCard:
    """Read a model folder's card and check the weights' presence, size and SHA-256.

    Raises:
        InputError: With one sentence for what is wrong.
    """
    card = read_card(folder)
    weights = card.stored
    path = Path(folder) / weights.file
    if path.is_symlink() or not path.is_file():
        raise InputError(f"The model {card.name} lacks its weights file {weights.file}.")
    if path.stat().st_size != weights.bytes or sha256_of(path) != weights.sha256:
        raise InputError(f"The weights of the model {card.name} are damaged: they are not those its card describes.")
    return card


def load_model(name: str | Path, folders: list[Path] | None = None) -> StyleModel:
    """Find, verify and open a model; its networks are built on first use.

    Args:
        name: Path of a model folder, or the name of a model.
        folders: Where names are looked for; among the shipped and the user's models if None.

    Raises:
        InputError: If there is none, or the card or the weights are not what they should be.

    >>> model = load_model("brain-mr-t1w-t2w")
    >>> model.card.domain_to("forward").name
    'T2w'
    """
    folder = find_model(name, folders)
    return StyleModel(verify_model(folder), folder)


def save_model(
    folder: Path,
    card: ModelCard,
    forward: Mapping[str, torch.Tensor] | Path,
    backward: Mapping[str, torch.Tensor] | None = None,
    readme: str = "",
    overwrite: bool = False,
) -> ModelCard:
    """Write a model folder whole or not at all.

    Args:
        folder: The model's folder.
        card: Without weights, or with those of another file.
        forward: State dictionary of the forward generator, or the path of an ONNX file.
        backward: State dictionary of the backward generator, if there is one.
        readme: Text of ``README.md``; the card's title if empty.
        overwrite: Whether a folder of that name is replaced.

    Returns:
        The card with the weights' size and digest.

    Raises:
        InputError: If the folder exists and is to stay.
        StyleTransferError: If it cannot be written; nothing is left behind then.
    """
    folder = Path(folder)
    if folder.exists() and not overwrite:
        raise InputError(f"The model folder {folder} exists already.")
    try:
        with replacing_folder(folder) as temporary:
            if isinstance(forward, Path):
                weights = temporary / ONNX
                shutil.copyfile(forward, weights)
            else:
                weights = temporary / SAFETENSORS
                write_weights(weights, {"forward": forward, "backward": backward or {}})
            size = weights.stat().st_size
            stored = Weights.model_validate({"file": weights.name, "sha256": sha256_of(weights), "bytes": size})
            card = card.model_copy(update={"weights": stored})
            write_card(temporary, card)
            shutil.copymode(temporary / CARD_NAME, weights)  # safetensors lets only the owner read
            (temporary / "README.md").write_text(readme or f"# {card.title}\n", encoding="utf-8")
    except OSError as error:
        raise StyleTransferError(f"The model cannot be written to {folder}: {error.strerror or error}.") from None
    return card
