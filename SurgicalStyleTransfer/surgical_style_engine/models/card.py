"""The model card: what ``model.json`` holds, validated and versioned. Read without torch."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from typing_extensions import TypedDict

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.common.clean_text import clean_all
from surgical_style_engine.common.plain_reasons import first_fault, shown
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.normalization import Landmarks, Normalization

from .lesion_summary import LesionSummary
from .routes import DOMAIN_NAME, Route, check_leads, route_of, single_routes

SCHEMA_VERSION: Literal[1] = 1
MANY_VERSION: Literal[2] = 2  # of cards whose domains are a list
SCHEMA_VERSIONS = (SCHEMA_VERSION, MANY_VERSION)
CARD_NAME = "model.json"
LARGEST_CARD = 8 << 20  # bytes; cards hold some kilobytes
LARGEST_STACK = 99
LEAST_MANY, MOST_MANY = 2, 10  # domains of a model for many
LARGEST_MM = 1000.0
STYLE_IMAGE = "style-image"  # the architecture's name in a card whose weights are a picture
# A route (see ``routes``) is the direction of a model for many domains.
Direction = Annotated[str, Field(pattern="^(forward|backward|[^>]+>[^>]+)$")]
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
    """Both sides of a model.

    Attributes:
        source: Where "forward" starts; of many domains the first one.
        target: Where it ends; of many domains the second one.
        many: All domains of a model for many, as a list in the file; else empty.
    """

    source: Domain
    target: Domain
    many: list[Domain] = Field([], exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, values: Any) -> Any:
        """A list is that of many domains."""
        if not isinstance(values, list):
            if isinstance(values, dict) and "many" in values:
                raise ValueError("many domains are a list")
            return values
        if not LEAST_MANY <= len(values) <= MOST_MANY:
            raise ValueError(f"a list of domains has {LEAST_MANY} to {MOST_MANY}")
        return {"source": values[0], "target": values[1], "many": values}

    @model_validator(mode="after")
    def _apart(self) -> Domains:
        names = [domain.name for domain in self.many]
        if len(set(names)) != len(names) or not all(DOMAIN_NAME.fullmatch(name) for name in names):
            raise ValueError("many domains must have names of their own, without + and >")
        if any(domain.channels != 1 or domain.inputs for domain in self.many):
            raise ValueError("each of many domains has one channel")
        return self

    @model_serializer(mode="wrap")
    def _as_listed(self, handler: SerializerFunctionWrapHandler) -> Any:
        return [domain.model_dump() for domain in self.many] if self.many else handler(self)


class Weights(_Strict):
    """The weights file beside the card."""

    file: WeightsName
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)


class ModelCard(_Strict):
    """Everything in ``model.json``. Distances in mm."""

    schema_version: Literal[1, 2] = SCHEMA_VERSION
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

    @model_validator(mode="before")
    @classmethod
    def _every_route(cls, values: Any) -> Any:
        """Many domains have, unless the card says otherwise, a direction from each to each."""
        domains = values.get("domains") if isinstance(values, dict) else None
        if isinstance(domains, list) and "directions" not in values:
            names = [str(domain.get("name")) for domain in domains if isinstance(domain, dict)]
            values = {**values, "directions": single_routes(names)}
        return values

    @model_validator(mode="after")
    def _has_direction(self) -> ModelCard:
        if (self.schema_version == MANY_VERSION) != bool(self.domains.many):
            raise ValueError("a list of domains is of schema version 2, and only that")
        if not self.directions or len(set(self.directions)) != len(self.directions):
            raise ValueError("directions must not be empty, and name each once")
        if self.is_many:
            self._check_many()
        elif not set(self.directions) <= {"forward", "backward"}:
            raise ValueError("directions must name forward, backward or both, once each")
        return self

    def _check_many(self) -> None:
        for direction in self.directions:
            try:
                self.route(direction)
            except InputError as error:
                raise ValueError(str(error).rstrip(".")) from None

    @property
    def is_many(self) -> bool:
        """Whether the model is one for many domains, whose directions are routes."""
        return bool(self.domains.many)

    @property
    def names(self) -> list[str]:
        """Names of the domains."""
        return [domain.name for domain in self.domains.many or (self.domains.source, self.domains.target)]

    @property
    def targets(self) -> list[str]:
        """Names of the domains that a direction ends in."""
        ends = {self.domain_to(direction).name for direction in self.directions}
        return [name for name in self.names if name in ends]

    def route(self, direction: str) -> Route:
        """The route of a direction of a model for many domains. Raises InputError for what is none."""
        return route_of(direction, self.names, self.name)

    def check_leads(self, route: Route) -> None:
        """Raise InputError unless a direction leads from one of a route's inputs to its target."""
        check_leads(route, self.directions, self.name)

    def measured_as(self, direction: str) -> str:
        """The direction under whose name figures are kept: the order of the inputs behind the first does not matter."""
        if not self.is_many:
            return direction
        return self.route(direction).in_order(self.names).direction

    def way_back(self, direction: str) -> str | None:
        """The direction from where another one ends to where it starts; None where the model has none."""
        if not self.is_many:
            other = "backward" if direction == "forward" else "forward"
        else:
            route = self.route(direction)
            other = Route((route.target,), route.given[0]).direction if len(route.given) == 1 else ""
        return other if other in self.directions else None

    def arguments_of(self, direction: str) -> dict[str, Any]:
        """The generator's arguments for a direction."""
        if not self.is_many:
            return self.architecture.arguments_of(direction)
        route, names = self.route(direction), self.names
        given = sum(1 << names.index(name) for name in route.given)
        return {**self.architecture.arguments, "given": given, "target": names.index(route.target)}

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
        """The domain a direction ("forward", "backward", or a route) starts in.

        That of several inputs has them as ``inputs``, in their order, and the first one's normalisation.
        """
        if self.is_many:
            return self._given(self.route(direction))
        return self.domains.source if direction == "forward" else self.domains.target

    def domain_to(self, direction: str) -> Domain:
        """The domain a direction ("forward", "backward", or a route) ends in."""
        if self.is_many:
            return self.domain(self.route(direction).target)
        return self.domains.target if direction == "forward" else self.domains.source

    def first_domain(self, direction: str) -> Domain:
        """The domain of the input of a direction; of several inputs that of the first."""
        return self.domain(self.route(direction).given[0]) if self.is_many else self.domain_from(direction)

    def domain(self, name: str) -> Domain:
        """One of many domains, by its name. Raises InputError where there is none."""
        for domain in self.domains.many:
            if domain.name == name:
                return domain
        raise InputError(f"The model {self.name} knows no domain '{name}'; it has {', '.join(self.names)}.")

    def _given(self, route: Route) -> Domain:
        domains = [self.domain(name) for name in route.given]
        if len(domains) == 1:
            return domains[0]
        inputs = [InputChannel(name=domain.name, normalization=domain.normalization) for domain in domains]
        update = {"name": route.bits, "inputs": inputs, "channels": len(inputs), "statistics": {}}
        return domains[0].model_copy(update=update)


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
    if version not in SCHEMA_VERSIONS:
        raise InputError(
            f"The model {path.parent.name} has schema version {shown(version)}; this program reads versions "
            f"{' and '.join(map(str, SCHEMA_VERSIONS))}."
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
