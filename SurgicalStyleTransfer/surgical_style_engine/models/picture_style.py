"""Styles that are pictures: the card of one, the picture in its folder, and what its output is measured in."""

from __future__ import annotations

from typing import Any

import numpy as np
from safetensors import safe_open
from typing_extensions import Unpack

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.style_picture import check_picture
from surgical_style_engine.volumes.normalization import (
    RGB,
    Landmarks,
    LinearLandmarks,
    Normalization,
    PercentileLandmarks,
    RobustPercentile,
)

from .card import STYLE_IMAGE, Architecture, CardTexts, Domain, Domains, ModelCard, refused_as_input
from .folder import StyleModel
from .style_settings import StyleSettings, parse_settings

KEY = "forward.picture"  # of the picture in the weights file
CITATION = "Gatys, Ecker & Bethge, Image style transfer using convolutional neural networks, CVPR 2016"
_LARGEST_SIDE = 4096  # pixels


def is_style_image(card: ModelCard) -> bool:
    """Whether a card's weights are a picture instead of a network."""
    return card.architecture.name == STYLE_IMAGE


def from_picture(card: ModelCard) -> bool:
    """Whether a style's target is the look of a picture, by whatever method.

    It takes any grey volume then, and has no units of its own.
    """
    return is_style_image(card) or card.architecture.arguments.get("style_picture") is True


def paints_air(card: ModelCard) -> bool:
    """Whether a network, not an optimisation, paints whole slices in the style of a picture: the air as well."""
    is_trained = card.training.get("method") == "perceptual"
    return is_trained or (from_picture(card) and not is_style_image(card))


def has_input_units(card: ModelCard) -> bool:
    """Whether what comes out is measured as what goes in, whatever that is."""
    return from_picture(card) and card.domains.target.channels == 1


def output_domain(card: ModelCard, direction: str, landmarks: Landmarks) -> Domain:
    """The domain that a translation is delivered in.

    Args:
        card: The style's.
        direction: "forward" or "backward".
        landmarks: Of the input. A picture's texture has no units of its own: luminance comes out in the input's.

    Returns:
        The domain that the direction ends in, with the input's landmarks where those count.
    """
    target = card.domain_to(direction)
    return target.model_copy(update={"inverse": landmarks}) if has_input_units(card) else target


def style_card(
    settings: StyleSettings,
    *,
    style_name: str = "style picture",
    source_name: str = "any image",
    channels: int = 1,
    normalization: Normalization | None = None,
    architecture: Architecture | None = None,
    training: dict[str, Any] | None = None,
    name: str = STYLE_IMAGE,
    **texts: Unpack[CardTexts],
) -> ModelCard:
    """The card of a style picture.

    Args:
        settings: Of the optimisation.
        style_name: Name of the target domain.
        source_name: Name of the source domain.
        channels: Of the volumes it is for: 1 or 3.
        normalization: Of grey volumes that it is for; robust percentiles if None.
        architecture: Another one than the optimisation, which follows the settings' colour.
        training: Where it comes from.
        name: The model's name.
        **texts: Title, plane, licence and citation; usual ones where they are empty.

    Raises:
        InputError: For what a card cannot hold.
    """
    grey = {
        "normalization": normalization or RobustPercentile(),
        "inverse": PercentileLandmarks(low=0, high=950, maximum=1000),
        "channels": 1,
    }
    colour = {"normalization": RGB(), "inverse": LinearLandmarks(kind="rgb", low=0, high=255), "channels": 3}
    usual = {"title": f"In the style of {style_name}", "citation": CITATION}
    with refused_as_input("A style"):
        source = Domain.model_validate({"name": source_name, **(grey if channels == 1 else colour)})
        target = Domain.model_validate({"name": style_name, **(grey if settings.colour == "luminance" else colour)})
        fields = {
            "name": name,
            "architecture": architecture
            or Architecture(name=STYLE_IMAGE, arguments=settings.model_dump(exclude_defaults=True)),
            "domains": Domains(source=source, target=target),
            "spacing_mm": None,
            "training": training or {},
            "intended_use": "Viewing and teaching. The look is a picture's; not for diagnosis.",
        }
        return ModelCard.model_validate(fields | usual | {key: text for key, text in texts.items() if text})


def load_picture(model: StyleModel) -> np.ndarray:
    """The picture of a model folder.

    Args:
        model: A style whose weights are a picture.

    Returns:
        (3, h, w) float32 in [0, 1].

    Raises:
        InputError: Where the folder holds none.
    """
    try:
        with safe_open(model.weights_path, framework="np") as stored:
            keys, shape = list(stored.keys()), stored.get_slice(KEY).get_shape()
            if keys != [KEY] or len(shape) != 3 or shape[0] != 3 or max(shape) > _LARGEST_SIDE:
                raise ValueError
            picture = stored.get_tensor(KEY)
    except Exception:  # safetensors raises several kinds
        raise InputError(f"The weights of {model.card.name} are no style picture.") from None
    if picture.dtype != np.uint8:
        raise InputError(f"The weights of {model.card.name} are no style picture.")
    return check_picture(picture.astype(np.float32) / 255, model.card.name)


def settings_of(card: ModelCard) -> StyleSettings:
    """The settings in a card.

    Raises:
        InputError: If they cannot be, or contradict the card's channels.
    """
    settings = parse_settings(card.architecture.arguments)
    channels = 1 if settings.colour == "luminance" else 3
    if card.domains.target.channels != channels or card.stack != 1:
        raise InputError(f"The card of {card.name} contradicts itself: colour '{settings.colour}' and its channels.")
    return settings
