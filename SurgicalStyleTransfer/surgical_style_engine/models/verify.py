"""Whether the weights in a model folder are what the card says, network or picture."""

from __future__ import annotations

from .folder import SAFETENSORS, StyleModel
from .importers.onnx import read_onnx
from .picture_style import is_style_image, load_picture, settings_of


def check_weights(model: StyleModel) -> None:
    """Check weights by what they are for; their digest has been checked when the model was loaded.

    Args:
        model: A loaded model folder.

    Raises:
        InputError: Unless the weights are a network that fits the card, or a style picture.
    """
    if is_style_image(model.card):
        settings_of(model.card)
        load_picture(model)
    elif model.card.stored.file == SAFETENSORS:
        model.check_weights()
    else:
        read_onnx(model.weights_path)
