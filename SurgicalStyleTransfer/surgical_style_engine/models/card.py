"""The model card: what ``model.json`` holds, validated and versioned. Read without torch."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from typing_extensions import TypedDict

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.common.clean_text import clean_all
from surgical_style_engine.common.plain_reasons import first_fault, shown
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.normalization import Landmarks, Normalization

from .lesion_summary import LesionSummary

SCHEMA_VERSION: Literal[1] = 1
CARD_NAME = "model.json"
LARGEST_CARD = 8 << 20  # bytes; cards hold some kilobytes
LARGEST_STACK = 99
LARGEST_MM = 1000.0
STYLE_IMAGE = "style-image"  # the architecture's name in a card whose weights are a picture
Direction = Literal["forward", "backward"]
Plane = Literal["axial", "coronal", "sagittal"]
WeightsName = Literal["weights.safetensors", "model.onnx"]


class CardTexts(TypedDict, total=False):
    """What a person says of a model that comes from elsewhere, as keyword arguments: fields of ``ModelCard``."""

    title: str
    plane: str
    licence: str
    citation: str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class Architecture(_Strict):
    """What the weights are the weights of.

    Attributes:
        name: Of the registry of generators; "onnx" or "style-image" where there is no such generator.
        arguments: Of the generator's constructor.
        backward_arguments: The same for the way back, only where they differ.
    """

    name: str
    arguments: dict[str, Any] = {}
    backward_arguments: dict[str, Any] | None = None

    def arguments_of(self, direction: Direction) -> dict[str, Any]:
        """The constructor's arguments for the generator of a direction."""
        if direction == "backward" and self.backward_arguments is not None:
            return self.backward_arguments
        return self.arguments


class InputChannel(_Strict):
    """One modality of a model that takes several registered ones."""

    name: str
    normalization: Normalization


class Domain(_Strict):
    """One side of a model.

    Attributes:
        name: What people call it, such as "T1w".
        modality: DICOM's, such as "MR"; may be empty.
        units: Of the voxels, such as "HU"; empty where they are arbitrary.
        inputs: For a source of several registered modalities, one a channel, in their order; else empty.
        channels: Of an image: 1, 3, or as many as inputs are named.
        normalization: How a volume's intensities get into [-1, 1].
        inverse: Landmarks in the middle of the domain's training volumes, which a translation into the domain is
            scaled to.
        statistics: What the out-of-domain check compares with (histograms, usual_distance), and more for people.
    """

    name: str
    modality: str = ""
    units: str = ""
    inputs: list[InputChannel] = []
    channels: int = Field(1, ge=1, le=LARGEST_STACK, validate_default=True)
    normalization: Normalization
    inverse: Landmarks
    statistics: dict[str, Any] = {}

    @field_validator("channels")
    @classmethod
    def _named(cls, value: int, info: ValidationInfo) -> int:
        inputs = info.data.get("inputs", [])
        if inputs and (len(inputs) < 2 or len(inputs) != value):
            raise ValueError("there must be as many as inputs are named, two at least")
        if not inputs and value not in (1, 3):
            raise ValueError("they must be 1 or 3 unless inputs names them")
        return value

    @field_validator("statistics")
    @classmethod
    def _comparable(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Check what the out-of-domain check reads; the rest is for people."""
        histograms = values.get("histograms", [])
        if not isinstance(histograms, list) or not all(isinstance(entry, list) and entry for entry in histograms):
            raise ValueError("histograms must be a list of lists")
        if len({len(entry) for entry in histograms}) > 1:
            raise ValueError("histograms must have equally many bins")
        if not all(_is_share(value) for entry in histograms for value in entry):
            raise ValueError("histograms must hold shares between 0 and 1")
        if not _is_share(values.get("usual_distance", 0), most=2):
            raise ValueError("usual_distance must be between 0 and 2")
        return values


class Domains(_Strict):
    """Both sides of a model."""

    source: Domain
    target: Domain


class Weights(_Strict):
    """The weights file beside the card."""

    file: WeightsName
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)


class ModelCard(_Strict):
    """Everything in ``model.json``. Distances in mm."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    title: str
    architecture: Architecture
    domains: Domains
    spacing_mm: float | None = Field(
        gt=0, le=LARGEST_MM, description="in-plane spacing the network works at; None keeps the input's"
    )
    plane: Plane = "axial"
    stack: int = Field(1, ge=1, le=LARGEST_STACK)
    stack_spacing_mm: float = Field(1.0, gt=0, le=LARGEST_MM)
    directions: list[Direction] = ["forward"]
    training: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    lesions: dict[Direction, LesionSummary] = {}
    licence: str = "unstated"
    citation: str = ""
    intended_use: str = "Research. Not for diagnosis."
    weights: Weights | None = None

    @field_validator("stack")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("stack must be odd")
        return value

    @model_validator(mode="after")
    def _has_direction(self) -> ModelCard:
        if not self.directions or len(set(self.directions)) != len(self.directions):
            raise ValueError("directions must name forward, backward or both, once each")
        return self

    @property
    def stored(self) -> Weights:
        """The weights of a model that has a folder.

        Raises:
            InputError: If the card names none, as that of a style without a folder.
        """
        if self.weights is None:
            raise InputError(f"The card of {self.name} names no weights.")
        return self.weights

    def domain_from(self, direction: str) -> Domain:
        """The domain a direction ("forward" or "backward") starts in."""
        return self.domains.source if direction == "forward" else self.domains.target

    def domain_to(self, direction: str) -> Domain:
        """The domain a direction ("forward" or "backward") ends in."""
        return self.domains.target if direction == "forward" else self.domains.source


def _is_share(value: Any, most: float = 1.0) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= most


@contextlib.contextmanager
def refused_as_input(what: str) -> Iterator[None]:
    """Tell of a value that a card cannot have in a sentence such as "A model cannot have this name: ...".

    Args:
        what: What the sentence begins with.

    Raises:
        InputError: Where pydantic refuses something within the block.
    """
    try:
        yield
    except ValidationError as error:
        place, reason = first_fault(error)
        raise InputError(f"{what} cannot have this {place}: {reason}.") from None


def read_card(folder: Path) -> ModelCard:
    """Read and validate the card of a model folder.

    Raises:
        InputError: With one sentence, for what is no card of this program's, or one of another schema version.
    """
    path = Path(folder) / CARD_NAME
    try:
        if not path.is_file():  # no pipe is waited for
            raise InputError(f"The folder {folder} is no model: it has no readable {CARD_NAME}.")
        if path.stat().st_size > LARGEST_CARD:
            raise InputError(f"The model card {path} is too large to be one.")
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(f"The folder {folder} is no model: it has no readable {CARD_NAME}.") from None
    except (ValueError, RecursionError):
        raise InputError(f"The model card {path} is not valid JSON.") from None
    if not isinstance(values, dict):
        raise InputError(f"The model card {path} is not a table.")
    version = values.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"The model {path.parent.name} has schema version {shown(version)}; "
            f"this program reads version {SCHEMA_VERSION}."
        )
    try:
        card = ModelCard.model_validate(clean_all(values, "card"))
    except ValidationError as error:
        place, reason = first_fault(error)
        raise InputError(f"The model card {path} is wrong at '{place}': {reason}.") from None
    if card.weights is None:
        raise InputError(f"The model card {path} names no weights.")
    return card


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``model.json`` into a model folder, whole or not at all. Raises OSError."""
    with replacing(Path(folder) / CARD_NAME) as temporary:
        temporary.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
