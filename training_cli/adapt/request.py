"""What an adaptation is asked for, checked before anything is computed. Imports no torch."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from surgical_style_engine.common.torch_presence import is_installed
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.suitability import check_suitable
from surgical_style_engine.models.card import CARD_NAME, STYLE_IMAGE, Direction
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.names import check_name, shipped_models_folder, user_models_folder
from surgical_style_engine.volumes.geometry import to_canonical
from surgical_style_engine.volumes.volume import Volume, check_volume

MOST_VOLUMES = 5  # pairs, or volumes of a side
LEAST_MINUTES, MOST_MINUTES = 0.02, 120.0
PACKAGES = ("torch", "accelerate", "monai", "yaml")


@dataclass(frozen=True, eq=False)
class AdaptRequest:
    """What is asked for.

    Attributes:
        model: the style to begin with.
        name: of the new style.
        sources: volumes of the domain that ``direction`` starts in, one to five.
        targets: volumes of the domain that it ends in; with pairs one for each source, in the same space.
        direction: the way that the volumes show, and that has to become better.
        paired: whether source and target with the same number are of the same patient and lie on each other.
        register: lay each pair's target over its source rigidly first.
        minutes: of training.
        steps: of training, in place of minutes, so that two machines do the same; None for none.
        title: of the new style, as it is shown; made of the model's if empty.
        folder: of models, in which the new one is written; the user's if None.
        device: auto, cpu, cuda or mps.
        seed: of the training.
    """

    model: StyleModel
    name: str
    sources: Sequence[Volume]
    targets: Sequence[Volume]
    direction: Direction = "forward"
    paired: bool = True
    register: bool = False
    minutes: float = 10.0
    steps: int | None = None
    title: str = ""
    folder: Path | None = None
    device: str = "auto"
    seed: int = 0

    @property
    def place(self) -> Path:
        """The new style's folder."""
        return (self.folder or user_models_folder()) / self.name

    @property
    def shown_title(self) -> str:
        """The new style's title."""
        return self.title.strip() or f"{self.model.card.title}, adapted"


def missing_packages() -> list[str]:
    """Names of the packages that training needs and that are not here; nothing is imported to find out."""
    missing = [name for name in PACKAGES[1:] if importlib.util.find_spec(name) is None]
    return [*([] if is_installed() else ["torch"]), *missing]


def checked(request: AdaptRequest) -> AdaptRequest:
    """The request with its volumes along the patient's axes.

    Args:
        request: as it came.

    Returns:
        The same with volumes that can be used, as far as that shows before they are registered.

    Raises:
        InputError: for what cannot be, one sentence.
    """
    if missing := missing_packages():
        shown = ", ".join("PyTorch" if name == "torch" else name for name in missing)
        raise InputError(f"Adapting a style needs {shown}, which {'is' if len(missing) == 1 else 'are'} not installed.")
    _check_model(request)
    _check_name(request)
    _check_place(request)
    _check_counts(request)
    if not LEAST_MINUTES <= request.minutes <= MOST_MINUTES:
        raise InputError(f"The minutes of training must be {LEAST_MINUTES:g} to {MOST_MINUTES:g}.")
    other: Direction = "backward" if request.direction == "forward" else "forward"
    sources = [_usable(volume, request.model, request.direction) for volume in request.sources]
    both = other in request.model.card.directions
    targets = [_usable(volume, request.model, other if both else None) for volume in request.targets]
    return replace(request, sources=sources, targets=targets)


def _check_model(request: AdaptRequest) -> None:
    card = request.model.card
    if card.architecture.name in ("onnx", STYLE_IMAGE):
        kind = "an ONNX model" if card.architecture.name == "onnx" else "a picture"
        raise InputError(f"The style {card.name} is {kind}, which cannot be trained further.")
    if card.domains.source.inputs:
        raise InputError(f"The style {card.name} makes one image of several, which cannot be adapted here.")
    if card.is_many:
        raise InputError(
            f"The style {card.name} is for many contrasts, which cannot be adapted; take one for two of them."
        )
    request.model.check_direction(request.direction)


def _check_name(request: AdaptRequest) -> None:
    name = check_name(request.name)
    if (shipped_models_folder() / name).exists():
        raise InputError(f"The name {name} is that of a style that came with the program; choose another one.")
    if request.place.exists() or request.place.is_symlink():
        what = "style" if (request.place / CARD_NAME).is_file() else "folder"
        raise InputError(f"There is a {what} {name} in {request.place.parent} already; choose another name.")


def _check_place(request: AdaptRequest) -> None:
    """Told before the training: a folder of styles that cannot be written."""
    parent = next(folder for folder in request.place.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"The folder of styles {request.place.parent} cannot be written; choose another one.")


def _check_counts(request: AdaptRequest) -> None:
    sources, targets = len(request.sources), len(request.targets)
    if not sources or not targets:
        raise InputError("Adapting a style needs volumes of both sides: sources and targets.")
    if request.paired and sources != targets:
        raise InputError(f"Each source needs its target: there are {sources} sources and {targets} targets.")
    if max(sources, targets) > MOST_VOLUMES:
        what = "pairs" if request.paired else "volumes of each side"
        raise InputError(f"A style is adapted with at most {MOST_VOLUMES} {what}; for more, use sst train --init.")


def _usable(volume: Volume, model: StyleModel, direction: Direction | None) -> Volume:
    """The volume along the patient's axes. direction: that starts with it; None where the style has no such one."""
    check_volume(volume)
    if volume.is_2d or min(volume.array.shape[1:]) < 4:
        raise InputError(f"{volume.name or 'The volume'} is too thin: a part of its slices must be kept aside.")
    if volume.metadata.get("Synthetic"):
        raise InputError(f"{volume.name or 'The volume'} is synthetic; a style is adapted to real scans only.")
    if direction is not None:
        check_suitable(volume, model, direction)
    return to_canonical(volume)[0]
