"""A picture file becomes a model folder: the card holds the settings, ``weights.safetensors`` the picture."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import Unpack

from surgical_style_engine.common.torch_presence import check_torch
from surgical_style_engine.imageio.formats import PICTURE_ENDINGS
from surgical_style_engine.imageio.style_picture import as_bytes, read_picture, reduced
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.models.card import CardTexts, ModelCard
from surgical_style_engine.models.folder import save_model
from surgical_style_engine.models.names import check_name
from surgical_style_engine.models.picture_style import style_card
from surgical_style_engine.models.style_settings import StyleSettings, parse_settings
from surgical_style_engine.models.weights import sha256_of
from surgical_style_engine.volumes.volume import Volume

THUMBNAIL = 192  # pixels


def is_picture_file(path: Path) -> bool:
    """Whether a file's ending is that of a style picture.

    >>> is_picture_file(Path("waves.PNG"))
    True
    """
    return Path(path).suffix.lower() in PICTURE_ENDINGS


def import_picture(
    source: Path,
    folder: Path,
    *,
    name: str,
    colour: str = "rgb",
    features: str = "auto",
    steps: int | None = None,
    overwrite: bool = False,
    **texts: Unpack[CardTexts],
) -> ModelCard:
    """Write a model folder from a picture file, with the settings that a person is asked for.

    Args:
        source: The picture, 8 or 16 bit.
        folder: The model's folder.
        name: The model's name.
        colour: "rgb" for the picture's colours, "luminance" for its texture only.
        features: "auto" or the name of a network that describes the style.
        steps: Evaluations of the loss for the first slice; the usual number if None.
        overwrite: Whether a folder of that name is replaced.
        **texts: Title, plane, licence and citation of the card.

    Raises:
        InputError: For what is no such picture, setting or name, and for a folder that is to stay.
        StyleTransferError: If it cannot be written.
    """
    chosen: dict[str, Any] = {"colour": colour, "features": features}
    if steps is not None:
        usual = StyleSettings.model_fields["neighbour_steps"].default
        chosen |= {"steps": steps, "neighbour_steps": max(1, min(usual, steps))}
    return import_style_image(source, folder, name=name, settings=parse_settings(chosen), overwrite=overwrite, **texts)


def import_style_image(
    source: Path,
    folder: Path,
    *,
    name: str,
    settings: StyleSettings | None = None,
    overwrite: bool = False,
    **texts: Unpack[CardTexts],
) -> ModelCard:
    """``import_picture`` with any settings of the optimisation; arguments, result and errors as there."""
    check_torch("A style picture")
    import torch

    check_name(name)
    picture = read_picture(source)
    settings = settings or StyleSettings()
    training = {
        "method": "style picture",
        "files": {Path(source).name: sha256_of(Path(source))},
        "date": date.today().isoformat(),
    }
    card = style_card(settings, name=name, style_name=texts.get("title") or name, training=training, **texts)
    tensors = {"picture": torch.from_numpy(as_bytes(picture))}
    saved = save_model(folder, card, tensors, readme=_readme(card, settings), overwrite=overwrite)
    write_thumbnail(folder, picture)
    return saved


def write_thumbnail(folder: Path, picture: np.ndarray) -> None:
    """Write a small copy of a picture (3, h, w) in [0, 1] into a model folder. Raises StyleTransferError."""
    small = as_bytes(reduced(picture, THUMBNAIL))
    write_volume(Volume(small[:, None], is_2d=True), Path(folder) / "thumbnail.png")


def _readme(card: ModelCard, settings: StyleSettings) -> str:
    files = "\n".join(f"- `{file}`, SHA-256 {digest}" for file, digest in card.training["files"].items())
    colour = "its colours" if settings.colour == "rgb" else "the texture of its luminance, in the input's units"
    return (
        f"# {card.title}\n\nA style picture, imported on {card.training['date']} from\n\n{files}\n\n"
        f"Slices get {colour} by optimisation: {settings.steps} steps for the first slice, "
        f"{settings.neighbour_steps} for the others; features: {settings.features}.\n\n"
        f"**Intended use.** {card.intended_use}\n\n**Licence of the picture.** {card.licence}\n\n"
        f"**Cite.** {card.citation}\n"
    )
