"""What is judged: model folders, installed styles, imported weights, or folders of volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from surgical_style_engine.app.import_model import ImportDetails, import_model
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.archive import is_model_archive
from surgical_style_engine.models.card import CARD_NAME, STYLE_IMAGE, ModelCard
from surgical_style_engine.models.folder import verify_model
from surgical_style_engine.models.names import find_model

WEIGHTS_ENDINGS = (".pth", ".pt", ".onnx")
DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class Details:
    """What weights of other code, and the command, say of themselves.

    Attributes:
        source_name: The source contrast, such as "T1w"; that of this project's models in the list if empty.
        target_name: The target contrast.
        modality: DICOM's, of both.
        spacing_mm: In-plane spacing that imported networks run at; the slices' own if None.
        direction: Of models whose name does not end with ":forward" or ":backward".
    """

    source_name: str = ""
    target_name: str = ""
    modality: str = "MR"
    spacing_mm: float | None = None
    direction: str = "forward"


@dataclass(frozen=True)
class Candidate:
    """One of those judged.

    Attributes:
        name: In tables; no two have the same.
        kind: "model", "imported" or "volumes".
        folder: The model's folder, or that of the volumes.
        direction: Of a model.
        card: Of a model, else None.
    """

    name: str
    kind: str
    folder: Path
    direction: str = "forward"
    card: ModelCard | None = None


def resolve(specs: Sequence[str], details: Details, temporary: Path) -> list[Candidate]:
    """Find the candidates that were named.

    Args:
        specs: Each a model folder, the name of an installed style, weights (.pth, .onnx), a packed model (.zip), or a
            folder of volumes; "NAME=" before it gives another name, ":backward" behind a model the direction.
        details: What the specifications leave open.
        temporary: Folder where weights are imported to; it must stay until the court has been held.

    Returns:
        The candidates in their order.

    Raises:
        InputError: For what is no candidate, two of one name, and models of different contrasts.
    """
    named = [_split(spec) for spec in specs]
    own = [_own(name, place, details.direction) for name, place in named]
    known = next((entry for entry in own if entry is not None and entry.card is not None), None)
    candidates = [
        entry if entry is not None else _imported(name, Path(place), details, known, temporary)
        for entry, (name, place) in zip(own, named, strict=True)
    ]
    names = [candidate.name for candidate in candidates]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"Two candidates are called {twice[0]}; give one another name, such as other={twice[0]}.")
    _check_contrasts(candidates, details)
    return candidates


def _split(spec: str) -> tuple[str, str]:
    """(name that was given or "", the rest)."""
    name, sign, place = spec.partition("=")
    return (name, place) if sign and name and not Path(spec).exists() else ("", spec)


def _own(name: str, place: str, direction: str) -> Candidate | None:
    """A model of this project or a folder of volumes; None for a file. Raises InputError."""
    for way in DIRECTIONS:
        if place.endswith(f":{way}"):
            place, direction = place.removesuffix(f":{way}"), way
    path = Path(place)
    if path.is_file():
        return None
    if path.is_dir() and not (path / CARD_NAME).is_file():
        return Candidate(name or path.resolve().name, "volumes", path)
    folder = find_model(place)
    card = verify_model(folder)
    if card.architecture.name == STYLE_IMAGE or card.domains.source.inputs:
        raise InputError(f"{card.name} is no model that translates one contrast into another.")
    if direction not in card.directions:
        raise InputError(f"The model {card.name} has no direction '{direction}'; it has {', '.join(card.directions)}.")
    own_name = card.name if direction == "forward" else f"{card.name}, {direction}"
    return Candidate(name or own_name, "model", folder, direction, card)


def _imported(name: str, path: Path, details: Details, known: Candidate | None, temporary: Path) -> Candidate:
    """Weights of other code, or a packed model, brought into a temporary folder. Raises InputError."""
    packed = path.suffix.lower() == ".zip" or is_model_archive(path)
    if not packed and path.suffix.lower() not in WEIGHTS_ENDINGS:
        raise InputError(f"{path.name} is no candidate: give a model, a style's name, .pth or .onnx, or a folder.")
    contrasts = {"source_name": details.source_name, "target_name": details.target_name}
    if known is not None and known.card is not None:
        sides = known.card.domain_from(known.direction).name, known.card.domain_to(known.direction).name
        contrasts = {key: value or side for (key, value), side in zip(contrasts.items(), sides, strict=True)}
    place = temporary / f"{len(list(temporary.iterdir()))}"
    facts = ImportDetails()
    if not packed:
        facts = ImportDetails(
            name="imported",
            source_name=contrasts["source_name"] or "source",
            target_name=contrasts["target_name"] or "target",
            source_modality=details.modality,
            target_modality=details.modality,
            spacing_mm=details.spacing_mm,
        )
    folder = import_model(path, place, facts)
    return Candidate(name or path.stem, "imported", folder, "forward", verify_model(folder))


def _check_contrasts(candidates: Sequence[Candidate], details: Details) -> None:
    """Raise InputError unless all models go from one contrast to one other."""
    first: tuple[Candidate, str, str] | None = None
    for candidate in candidates:
        if candidate.card is None:
            continue
        source = candidate.card.domain_from(candidate.direction).name
        target = candidate.card.domain_to(candidate.direction).name
        stated = (details.source_name or source, details.target_name or target)
        if (source, target) != stated:
            raise InputError(f"{candidate.name} makes {target} of {source}, not {stated[1]} of {stated[0]}.")
        if first is None:
            first = candidate, source, target
        elif (source, target) != first[1:]:
            raise InputError(
                f"{candidate.name} makes {target} of {source}, but {first[0].name} makes {first[2]} of {first[1]}: "
                "candidates are judged on one pair of contrasts."
            )
