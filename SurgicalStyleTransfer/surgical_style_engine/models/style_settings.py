"""What decides how a style picture is applied. Read without torch: it is part of model cards."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from surgical_style_engine.common.plain_reasons import first_fault, shown
from surgical_style_engine.common.thresholds import SMALLEST_STYLE_PICTURE
from surgical_style_engine.errors import InputError

Features = Literal["auto", "vgg19", "vgg16", "vgg16-torchvision", "hed", "random"]  # see ``stylize.published``
FEATURES: tuple[str, ...] = get_args(Features)


class StyleSettings(BaseModel):
    """Settings of the optimisation (Gatys, Ecker & Bethge, CVPR 2016).

    Weights belong to terms that are free of scale, so that they hold for any picture and network.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    features: Features = Field("auto", description="network that describes the style")
    colour: Literal["rgb", "luminance"] = Field("rgb", description="colours of the picture, or its texture only")
    schedule: Literal["multiscale", "single"] = Field("multiscale", description="coarse to fine, or full size only")
    optimizer: Literal["lbfgs", "adam"] = Field("lbfgs", description="how the image is changed")
    background: Literal["keep", "style"] = Field("keep", description="what happens to the air around the body")
    steps: int = Field(100, ge=1, le=10_000, description="evaluations of the loss for the first slice")
    neighbour_steps: int = Field(25, ge=1, le=10_000, description="for the others, which begin from their neighbour")
    content_weight: float = Field(1.0, ge=0, description="weight of the content")
    style_weight: float = Field(30.0, ge=0, description="weight of the style")
    variation_weight: float = Field(5.0, ge=0, description="weight of smoothness (total variation)")
    consistency_weight: float = Field(20.0, ge=0, description="weight of keeping to the neighbouring slice")
    layers: dict[str, float] | None = Field(None, description="weights of the layers of the style")
    brush: float = Field(1.0, gt=0.05, le=10, description="size of the picture's strokes; 1 suits most")
    size: int | None = Field(
        None, ge=SMALLEST_STYLE_PICTURE, le=4096, description="longest side at which slices are worked on"
    )
    independent: bool = Field(False, description="every slice by itself, from its own content")
    seed: int = Field(0, ge=0, description="of the random filters")


def parse_settings(values: dict[str, Any]) -> StyleSettings:
    """Settings from JSON or options.

    Args:
        values: Fields of ``StyleSettings``.

    Raises:
        InputError: With one sentence, for an unknown name or a value that cannot be.

    >>> parse_settings({"colour": "luminance"}).steps
    100
    """
    try:
        return StyleSettings.model_validate(values)
    except ValidationError as error:
        where, reason = first_fault(error)
        value = shown(repr(error.errors()[0].get("input")))
        raise InputError(f"The style setting {where} cannot be {value}: {reason}.") from None
