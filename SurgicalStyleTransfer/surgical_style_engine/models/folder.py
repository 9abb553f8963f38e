"""A model is a folder without code: ``model.json`` (validated), weights (safetensors or ONNX) and ``README.md``.

Loading never unpickles and never executes anything from the folder: the architecture is a name from the closed
registry, and the weights must have the SHA-256 the card states.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from surgical_style_engine.common.atomic_write import put_folder, replacing
from surgical_style_engine.common.torch_presence import check_torch
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.volumes.normalization import Landmarks, Normalization

if TYPE_CHECKING:
    import torch

    from surgical_style_engine.networks.resnet_layout import ResnetLayout

SCHEMA_VERSION = 1
CARD_NAME = "model.json"
LARGEST_CARD = 8 << 20  # bytes; cards hold some kilobytes
LARGEST_STACK = 99
DEFAULT_MODEL = "brain-mr-t1w-t2w"
Direction = Literal["forward", "backward"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class Architecture(_Strict):
    """A name from the registry of generators (or "onnx") and its arguments; backward ones only where they differ."""

    name: str
    arguments: dict[str, Any] = {}
    backward_arguments: dict[str, Any] | None = None


class InputChannel(_Strict):
    """One modality of a model that takes several registered ones."""

    name: str
    normalization: Normalization


class Domain(_Strict):
    """One side of a model. ``inverse``: landmarks in the middle of the domain's training volumes, which a translation
    into the domain is scaled to. ``statistics``: what the out-of-domain check compares with. ``inputs``: for a source
    of several registered modalities, one a channel, in their order; else empty."""

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
        """What the out-of-domain check reads; the rest is for people."""
        histograms = values.get("histograms", [])
        if not isinstance(histograms, list) or not all(isinstance(each, list) and each for each in histograms):
            raise ValueError("histograms must be a list of lists")
        if len({len(each) for each in histograms}) > 1:
            raise ValueError("histograms must have equally many bins")
        if not all(_is_share(value) for each in histograms for value in each):
            raise ValueError("histograms must hold shares between 0 and 1")
        if not _is_share(values.get("usual_distance", 0), most=2):
            raise ValueError("usual_distance must be between 0 and 2")
        return values


class Domains(_Strict):
    source: Domain
    target: Domain


class Weights(_Strict):
    """The weights file beside the card."""

    file: Literal["weights.safetensors", "model.onnx"]
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)


class ModelCard(_Strict):
    """Everything in ``model.json``. Distances in mm."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    title: str
    architecture: Architecture
    domains: Domains
    spacing_mm: float | None = Field(gt=0, description="in-plane spacing the network works at; None keeps the input's")
    plane: Literal["axial", "coronal", "sagittal"] = "axial"
    stack: int = Field(1, ge=1, le=LARGEST_STACK)
    stack_spacing_mm: float = Field(1.0, gt=0)
    directions: list[Direction] = ["forward"]
    training: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
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

    def domain_from(self, direction: Direction) -> Domain:
        """The domain a direction starts in."""
        return self.domains.source if direction == "forward" else self.domains.target

    def domain_to(self, direction: Direction) -> Domain:
        """The domain a direction ends in."""
        return self.domains.target if direction == "forward" else self.domains.source


@dataclass
class StyleModel:
    """A loaded model folder; networks are built when first asked for and kept."""

    card: ModelCard
    folder: Path
    _generators: dict[str, torch.nn.Module] = field(default_factory=dict, repr=False)

    @property
    def weights_path(self) -> Path:
        return self.folder / self.card.weights.file

    def check_direction(self, direction: str) -> None:
        if direction not in self.card.directions:
            raise InputError(
                f"The model {self.card.name} has no direction '{direction}'; it has {', '.join(self.card.directions)}."
            )

    def generator(self, direction: Direction = "forward") -> torch.nn.Module:
        """The generator in fp32 evaluation mode on the CPU. Raises InputError if the weights do not fit."""
        self.check_direction(direction)
        if direction not in self._generators:
            self._generators[direction] = self._build(direction).eval().requires_grad_(False)
        return self._generators[direction]

    def _build(self, direction: Direction) -> torch.nn.Module:
        """The network with its weights. Nothing of its size is allocated before the file is known to hold as much."""
        from surgical_style_engine.networks import build_generator

        arguments = self._arguments(direction)
        check_torch(f"The model {self.card.name}")
        import torch

        name = self.card.architecture.name
        with torch.device("meta"):
            outline = build_generator(name, **arguments).eval()
        wanted = {key: list(value.shape) for key, value in outline.state_dict().items()}
        with self._fitting(direction, wanted, "pt") as (stored, names):
            network = build_generator(name, **arguments).eval()
            network.load_state_dict({key: stored.get_tensor(name).float() for key, name in names.items()})
            self._check_channels(self._tried_out(network, direction), direction)
        return network

    def weights(self, direction: Direction = "forward") -> tuple[ResnetLayout, dict[str, np.ndarray]] | None:
        """A generator's layout and weights in float32, without torch; None where only torch knows the architecture.

        Raises InputError if the weights do not fit, as ``generator`` does.
        """
        self.check_direction(direction)
        from surgical_style_engine.networks import known_layout

        layout = known_layout(self.card.architecture.name, **self._arguments(direction))
        if layout is None:
            return None
        with self._fitting(direction, layout.shapes(), "np") as (stored, names):
            values = {key: _single(stored, name, self.weights_path) for key, name in names.items()}
            fits = layout.in_channels == self._taken(direction)
            self._check_channels(layout.out_channels if fits else None, direction)
        return layout, values

    def check_weights(self) -> None:
        """Raise InputError unless the weights of every direction fit the architecture."""
        for direction in self.card.directions:
            if self.weights(direction) is None:
                self.generator(direction)

    def _arguments(self, direction: Direction) -> dict[str, Any]:
        """Those of the generator's architecture. Raises InputError where there is no generator."""
        if self.card.architecture.name == "style-image":
            raise InputError(f"The style {self.card.name} is a picture; it has no generator.")
        if self.card.weights.file != "weights.safetensors":
            raise InputError(f"The model {self.card.name} is an ONNX model; it has no torch generator.")
        architecture = self.card.architecture
        arguments = architecture.arguments
        if direction == "backward" and architecture.backward_arguments is not None:
            arguments = architecture.backward_arguments
        return arguments

    @contextlib.contextmanager
    def _fitting(
        self, direction: Direction, wanted: dict[str, list[int]], framework: str
    ) -> Iterator[tuple[Any, dict[str, str]]]:
        """The opened file of weights, and the names in it of a direction's, whose shapes are those wanted. What is
        raised within is told as InputError."""
        from safetensors import safe_open

        prefix = direction + "."
        try:
            with safe_open(self.weights_path, framework=framework) as stored:
                names = {key[len(prefix) :]: key for key in stored.keys() if key.startswith(prefix)}  # noqa: SIM118
                shapes = {key: stored.get_slice(name).get_shape() for key, name in names.items()}
                reason = _difference(wanted, shapes)
                if reason:
                    raise ValueError(reason)
                yield stored, names
        except (InputError, MemoryError):
            raise
        except Exception as error:  # safetensors and torch raise several kinds
            reason = str(error).splitlines()[0].rstrip(".:")
            raise InputError(f"The weights of {self.card.name} do not fit its architecture: {reason}.") from None

    def _taken(self, direction: Direction) -> int:
        """Channels that the card's domain feeds into the network."""
        return self.card.domain_from(direction).channels * self.card.stack

    def _tried_out(self, network: torch.nn.Module, direction: Direction) -> int | None:
        """How many channels come out of the network for those of the card; None where it does not take them.

        Not on the device "meta": there, the first sum imports torch's compiler, which takes a second.
        """
        import torch

        try:
            with torch.inference_mode():
                return network(torch.zeros(1, self._taken(direction), 64, 64)).shape[1]
        except RuntimeError:
            return None

    def _check_channels(self, made: int | None, direction: Direction) -> None:
        """Raise InputError unless a network that gives so many channels gives what the card's domains say."""
        given = self.card.domain_to(direction).channels
        if made not in (given, given * self.card.stack):
            raise InputError(
                f"The network of {self.card.name} does not take and give the numbers of channels that its card states."
            )


def _single(stored: Any, name: str, path: Path) -> np.ndarray:
    """A stored weight in float32, exactly."""
    if stored.get_slice(name).get_dtype() != "BF16":
        return stored.get_tensor(name).astype(np.float32)
    # numpy has no such numbers: they are the upper halves of single precision.
    from safetensors import deserialize

    found = dict(deserialize(path.read_bytes()))[name]
    halves = np.frombuffer(found["data"], "<u2").astype(np.uint32)
    return (halves << 16).view(np.float32).reshape(found["shape"])


def _difference(wanted: dict[str, list[int]], found: dict[str, list[int]]) -> str:
    """The first difference between the shapes of a network's weights and those stored; empty if there is none."""
    for key in sorted(wanted.keys() | found.keys()):
        if key not in found:
            return f"{key} is missing"
        if key not in wanted:
            return f"{key} is one too many"
        if wanted[key] != found[key]:
            return f"{key} is of size {found[key]} instead of {wanted[key]}"
    return ""


def _is_share(value: Any, most: float = 1.0) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= most


def shipped_models_folder() -> Path:
    """Resources/Models of a clone or of the installed Slicer module, or the copy inside an installed wheel."""
    here = Path(__file__).resolve().parent.parent
    clone = here.parent / "Resources" / "Models"
    return clone if clone.is_dir() else here / "shipped_models"


def user_models_folder() -> Path:
    """Where imported models go: $SST_MODELS, or ~/.surgical_style_transfer/models."""
    given = os.environ.get("SST_MODELS")
    return Path(given) if given else Path.home() / ".surgical_style_transfer" / "models"


def models_folders() -> list[Path]:
    """The folders searched for models, in order."""
    return [shipped_models_folder(), user_models_folder()]


def list_models(folders: list[Path] | None = None) -> list[tuple[Path, ModelCard | None, str]]:
    """(folder, card, problem) of every model folder found; the card is None where it cannot be read.

    Reads cards only, neither weights nor torch.
    """
    found = []
    for parent in folders or models_folders():
        if not parent.is_dir():
            continue
        for folder in sorted(path for path in parent.iterdir() if (path / CARD_NAME).is_file()):
            try:
                found.append((folder, read_card(folder), ""))
            except InputError as error:
                found.append((folder, None, str(error)))
    return found


def find_model(name: str | Path, folders: list[Path] | None = None) -> Path:
    """The folder of a model given by path or by name. Raises InputError listing what there is."""
    path = Path(name)
    try:
        if (path / CARD_NAME).is_file():
            return path
    except (OSError, ValueError):  # longer than names can be, or with characters no name may have
        raise InputError(f"There is no model '{str(name)[:80]}'.") from None
    # A bare name only: a name with separators must be a path that exists.
    if path.name == str(name) and path.name not in ("", ".", ".."):
        for parent in folders or models_folders():
            if (parent / path.name / CARD_NAME).is_file():
                return parent / path.name
    if path.is_dir():
        raise InputError(f"The folder {name} is no model: it has no {CARD_NAME}.")
    known = sorted({folder.name for folder, _, _ in list_models(folders)})
    raise InputError(f"There is no model '{name}'; there are: {', '.join(known) or 'none'}.")


def read_card(folder: Path) -> ModelCard:
    """Read and validate ``model.json``. Raises InputError with one sentence."""
    path = Path(folder) / CARD_NAME
    try:
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
            f"The model {path.parent.name} has schema version {version}; this program reads version {SCHEMA_VERSION}."
        )
    try:
        card = ModelCard.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"The model card {path} is wrong at '{where}': {first['msg']}.") from None
    if card.weights is None:
        raise InputError(f"The model card {path} names no weights.")
    return card


def verify_model(folder: Path) -> ModelCard:
    """Read the card and check the weights' presence, size and SHA-256. Raises InputError with one sentence."""
    card = read_card(folder)
    path = Path(folder) / card.weights.file
    if path.is_symlink() or not path.is_file():
        raise InputError(f"The model {card.name} lacks its weights file {card.weights.file}.")
    if path.stat().st_size != card.weights.bytes or sha256_of(path) != card.weights.sha256:
        raise InputError(f"The weights of the model {card.name} are damaged: they are not those its card describes.")
    return card


def load_model(name: str | Path, folders: list[Path] | None = None) -> StyleModel:
    """Find, verify and open a model by path or name; its networks are built on first use."""
    folder = find_model(name, folders)
    return StyleModel(verify_model(folder), folder)


def save_model(
    folder: Path,
    card: ModelCard,
    forward: dict[str, torch.Tensor] | Path,
    backward: dict[str, torch.Tensor] | None = None,
    readme: str = "",
    overwrite: bool = False,
) -> ModelCard:
    """Write a model folder whole or not at all; returns the card with the weights' digest filled in.

    forward, backward: state dictionaries (stored under the prefixes "forward." and "backward."), or the path of an
    ONNX file for ``forward``.
    """
    folder = Path(folder)
    if folder.exists() and not overwrite:
        raise InputError(f"The model folder {folder} exists already.")
    temporary = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    try:
        temporary.mkdir(parents=True)
        if isinstance(forward, Path):
            weights = temporary / "model.onnx"
            shutil.copyfile(forward, weights)
        else:
            from safetensors import SafetensorError
            from safetensors.torch import save_file

            weights = temporary / "weights.safetensors"
            states = {"forward": forward, "backward": backward or {}}
            tensors = {
                f"{direction}.{key}": value.contiguous().clone()
                for direction, state in states.items()
                for key, value in state.items()
            }
            try:
                save_file(tensors, weights)
            except SafetensorError as error:
                # What the system said stands between "I/O error:" and its number.
                reason = str(error).partition("I/O error: ")[2].partition(" (os error")[0] or str(error)
                raise StyleTransferError(f"The model cannot be written to {folder}: {reason}.") from None
        card = card.model_copy(
            update={"weights": Weights(file=weights.name, sha256=sha256_of(weights), bytes=weights.stat().st_size)}
        )
        write_card(temporary, card)
        shutil.copymode(temporary / CARD_NAME, weights)  # safetensors lets only the owner read
        (temporary / "README.md").write_text(readme or f"# {card.title}\n", encoding="utf-8")
        put_folder(temporary, folder)
    except OSError as error:
        raise StyleTransferError(f"The model cannot be written to {folder}: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return card


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``model.json`` under a temporary name, then rename."""
    path = Path(folder) / CARD_NAME
    with replacing(path) as temporary:
        temporary.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def remove_model(name: str | Path, folders: list[Path] | None = None) -> Path:
    """Delete a model of the user's. Shipped models stay. Returns its folder.

    In a models folder the model's whole folder goes; elsewhere its files do, and the folder if nothing else is in it.
    Of a link, the link goes. Raises InputError for what has no card of this program's, and OSError.
    """
    folder = find_model(name, folders)
    if folder.resolve().parent == shipped_models_folder().resolve():
        raise InputError(f"The model {folder.name} came with the program and cannot be removed.")
    card = read_card(folder)
    if folder.is_symlink():
        folder.unlink()
    elif folder.resolve().parent in [parent.resolve() for parent in folders or models_folders()]:
        shutil.rmtree(folder)
    else:
        # The card goes last: as long as it is there, the rest can be removed with it.
        for file in (card.weights.file, "README.md", "thumbnail.png", CARD_NAME):
            (folder / file).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    return folder


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
