"""A style picture as a model folder: the card holds the settings, ``weights.safetensors`` the picture."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from surgical_style_engine.common.torch_presence import check_torch
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.style_picture import as_bytes, check_picture, read_picture, reduced
from surgical_style_engine.imageio.volume_io import PICTURE_ENDINGS, write_volume
from surgical_style_engine.models.folder import Architecture, Domain, Domains, ModelCard, StyleModel, sha256_of
from surgical_style_engine.models.style_settings import STYLE_IMAGE, StyleSettings, parse_settings
from surgical_style_engine.volumes.normalization import RGB, LinearLandmarks, PercentileLandmarks, RobustPercentile
from surgical_style_engine.volumes.volume import Volume

KEY = "forward.picture"
THUMBNAIL = 192  # pixels
CITATION = "Gatys, Ecker & Bethge, Image style transfer using convolutional neural networks, CVPR 2016"


def is_style_image(card: ModelCard) -> bool:
    """Whether a card's weights are a picture instead of a network."""
    return card.architecture.name == STYLE_IMAGE


def from_picture(card: ModelCard) -> bool:
    """Whether a style's target is the look of a picture, by whatever method: it takes any grey volume then, and has no
    units of its own."""
    return is_style_image(card) or card.architecture.arguments.get("style_picture") is True


def output_domain(card: ModelCard, direction: str, landmarks) -> Domain:
    """The domain that a direction ends in. A picture's texture has no units of its own: luminance comes out in the
    input's, by the input's landmarks."""
    goal = card.domain_to(direction)
    if not has_input_units(card):
        return goal
    return goal.model_copy(update={"inverse": landmarks})


def has_input_units(card: ModelCard) -> bool:
    """Whether what comes out is measured as what goes in, whatever that is."""
    return from_picture(card) and card.domains.target.channels == 1


def style_card(
    settings: StyleSettings,
    *,
    name: str = "style-image",
    title: str = "",
    style_name: str = "style picture",
    source_name: str = "any image",
    channels: int = 1,
    normalization=None,
    plane: str = "axial",
    licence: str = "unstated",
    training: dict | None = None,
    architecture: Architecture | None = None,
    citation: str = CITATION,
) -> ModelCard:
    """The card of a style picture. channels, normalization: of the volumes it is for. architecture: another one than
    the optimisation, which follows the settings' colour. Raises InputError."""
    grey = {"normalization": normalization or RobustPercentile(), "channels": 1}
    grey["inverse"] = PercentileLandmarks(low=0, high=950, maximum=1000)
    colour = {"normalization": RGB(), "inverse": LinearLandmarks(kind="rgb", low=0, high=255), "channels": 3}
    try:
        return ModelCard(
            name=name,
            title=title or f"In the style of {style_name}",
            architecture=architecture
            or Architecture(name=STYLE_IMAGE, arguments=settings.model_dump(exclude_defaults=True)),
            domains=Domains(
                source=Domain(name=source_name, **(grey if channels == 1 else colour)),
                target=Domain(name=style_name, **(grey if settings.colour == "luminance" else colour)),
            ),
            spacing_mm=None,
            plane=plane,
            directions=["forward"],
            training=training or {},
            licence=licence,
            citation=citation,
            intended_use="Viewing and teaching. The look is a picture's; not for diagnosis.",
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"A style cannot have this {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None


def import_style_image(
    source: Path,
    folder: Path,
    *,
    name: str,
    title: str = "",
    licence: str = "unstated",
    plane: str = "axial",
    settings: StyleSettings | None = None,
    overwrite: bool = False,
) -> ModelCard:
    """Write the model folder ``folder`` from a picture file. Raises InputError."""
    check_torch("A style picture")
    import torch

    from surgical_style_engine.models.archive import check_name
    from surgical_style_engine.models.folder import save_model

    check_name(name)
    picture = read_picture(source)
    settings = settings or StyleSettings()
    card = style_card(
        settings,
        name=name,
        title=title,
        style_name=title or name,
        plane=plane,
        licence=licence,
        training={
            "method": "style picture",
            "files": {Path(source).name: sha256_of(Path(source))},
            "date": date.today().isoformat(),
        },
    )
    made = save_model(
        folder,
        card,
        {"picture": torch.from_numpy(as_bytes(picture))},
        readme=_readme(card, settings),
        overwrite=overwrite,
    )
    small = as_bytes(reduced(picture, THUMBNAIL))
    write_volume(Volume(small[:, None], is_2d=True), Path(folder) / "thumbnail.png")
    return made


def is_picture_file(path: Path) -> bool:
    """Whether a file's ending is that of a style picture."""
    return Path(path).suffix.lower() in PICTURE_ENDINGS


def import_picture(
    source: Path,
    folder: Path,
    *,
    name: str,
    title: str = "",
    licence: str = "unstated",
    colour: str = "rgb",
    features: str = "auto",
    steps: int | None = None,
    plane: str = "axial",
    overwrite: bool = False,
) -> ModelCard:
    """``import_style_image`` with the settings that a person is asked for. Raises InputError."""
    chosen: dict = {"colour": colour, "features": features}
    if steps is not None:
        usual = StyleSettings.model_fields["neighbour_steps"].default
        chosen |= {"steps": steps, "neighbour_steps": max(1, min(usual, steps))}
    return import_style_image(
        source,
        folder,
        name=name,
        title=title,
        licence=licence,
        plane=plane,
        settings=parse_settings(chosen),
        overwrite=overwrite,
    )


def load_picture(model: StyleModel) -> np.ndarray:
    """(3, h, w) float32 in [0, 1] of a model folder. Raises InputError where it holds none."""
    from safetensors import safe_open

    try:
        with safe_open(model.weights_path, framework="np") as stored:
            keys, shape = list(stored.keys()), stored.get_slice(KEY).get_shape()
            if keys != [KEY] or len(shape) != 3 or shape[0] != 3 or max(shape) > 4096:
                raise ValueError
            picture = stored.get_tensor(KEY)
    except Exception:  # safetensors raises several kinds
        raise InputError(f"The weights of {model.card.name} are no style picture.") from None
    if picture.dtype != np.uint8:
        raise InputError(f"The weights of {model.card.name} are no style picture.")
    return check_picture(picture.astype(np.float32) / 255, model.card.name)


def settings_of(card: ModelCard) -> StyleSettings:
    """The settings in a card. Raises InputError."""
    settings = parse_settings(card.architecture.arguments)
    wanted = 1 if settings.colour == "luminance" else 3
    if card.domains.target.channels != wanted or card.stack != 1:
        raise InputError(f"The card of {card.name} contradicts itself: colour '{settings.colour}' and its channels.")
    return settings


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
