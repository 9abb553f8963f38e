"""`sst models join`: models for pairs become one for many domains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from surgical_style_engine.common.atomic_write import replacing_folder
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.models.calibration import write_calibration
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.joined import JoinedPairs, Shares, save_joined
from surgical_style_engine.models.names import check_free_name, user_models_folder
from training_cli.calibration.readme import put_section, section
from training_cli.model_card import model_readme

from .patients import measured_products
from .shares import measured_shares

JOINED = "joined"  # the method's name in a card
EQUAL = "Shares of several inputs are equal: they were not measured."


@dataclass(frozen=True)
class JoinRequest:
    """What is to be joined.

    Attributes:
        name: of the new model, and of its folder.
        models: folders or names of models for pairs.
        folders: of registered volumes, by domain, that shares are measured on; none for equal ones.
        title: for people; the name if empty.
        into: folder of models; the user's own if None.
        overwrite: whether a model of that name is replaced.
        device: that models run on.
    """

    name: str
    models: Sequence[str]
    folders: Mapping[str, Path]
    title: str = ""
    into: Path | None = None
    overwrite: bool = False
    device: str = "auto"


def join(request: JoinRequest, report: Callable[[str], None] = lambda line: None) -> ModelCard:
    """Join models, whole or not at all.

    Args:
        request: What is to be joined.
        report: Gets lines for the person watching.

    Returns:
        The card of the new model.

    Raises:
        InputError: For models that do not go together, a name that is taken, and volumes that do not fit.
        StyleTransferError: If it cannot be written.
    """
    pairs = JoinedPairs([load_model(name) for name in request.models])
    training = training_of(pairs)
    pairs.card(request.name, request.title or request.name, training)  # a name that cannot be is said at once
    models = request.into or user_models_folder()
    folder = models / check_free_name(request.name, models)
    _check_place(folder, request.overwrite)
    products = measured_products(pairs, request.folders, report, request.device) if request.folders else {}
    shares, patients = measured_shares(pairs, products)
    card = pairs.card(request.name, request.title or request.name, training | told_shares(shares, patients))
    return save(folder, pairs, card, shares, request.overwrite)


def save(folder: Path, pairs: JoinedPairs, card: ModelCard, shares: Shares, overwrite: bool = False) -> ModelCard:
    """Write the folder, and what is known of the model's errors into its README as well.

    Raises:
        InputError: As ``save_joined`` does.
        StyleTransferError: Where it cannot be written whole; what was there before stays.
    """
    _check_place(folder, overwrite)
    try:
        with replacing_folder(folder) as temporary:
            written = save_joined(temporary, pairs, card, shares, model_readme(card), overwrite=True)
            calibration = pairs.calibration(written)
            if calibration is not None:
                write_calibration(temporary, calibration)
                put_section(temporary, section(written, calibration))
    except OSError as error:
        raise StyleTransferError(f"The model cannot be written to {folder}: {error.strerror or error}.") from None
    return written


def _check_place(folder: Path, overwrite: bool) -> None:
    """Raise InputError where a folder is there that is to stay."""
    if folder.exists() and not overwrite:
        raise InputError(f"The model folder {folder} exists already; give another name, or --overwrite.")


def training_of(pairs: JoinedPairs) -> dict[str, Any]:
    """What the card tells of the training: that of all models together."""
    cards = [model.card for model in pairs.models]
    told = [card.training for card in cards]
    backward = [each.get("backward", {}) for each in told]
    volumes: dict[str, list[str]] = {name: [] for name in (*pairs.domains, "pairs")}
    for card, each in zip(cards, told, strict=True):
        of_card = each.get("volumes", {})
        for side, name in (("source", card.domains.source.name), ("target", card.domains.target.name)):
            volumes[name] += of_card.get(side, [])
        volumes["pairs"] += of_card.get("pairs", [])
    return {
        "method": JOINED,
        "models": [{"name": card.name, "sha256": card.stored.sha256} for card in cards],
        "steps": sum(part.get("steps", 0) for part in [*told, *backward]),
        "images": sum(part.get("images", 0) for part in [*told, *backward]),
        "minutes": round(
            sum(part.get("minutes", 0) for part in told) + sum(part.get("seconds", 0) for part in backward) / 60, 1
        ),
        "precision": _common(told, "precision"),
        "torch": _common(told, "torch"),
        "processor": _common(told, "processor"),
        "date": date.today().isoformat(),
        "data": " ".join(dict.fromkeys(filter(None, (each.get("data", "") for each in told)))),
        "limits": list(dict.fromkeys(limit for each in told for limit in each.get("limits", ()))),
        "volumes": {name: sorted(set(entries)) for name, entries in volumes.items()},
    }


def told_shares(shares: Shares, patients: Mapping[str, int]) -> dict[str, Any]:
    """What the card tells of shares: of several inputs, by route, and on how many patients they were measured."""
    entries: dict[str, dict[str, float]] = {}
    for (given, target), of_inputs in shares.items():
        if len(given) > 1:
            entries[f"{'+'.join(sorted(given))}>{target}"] = {name: round(s, 3) for name, s in of_inputs.items()}
    measured = max(patients.values(), default=0)
    notes = f"Shares of several inputs were measured on up to {measured} patients." if measured else EQUAL
    return {"shares": entries, "notes": notes}


def _common(told: Sequence[Mapping[str, Any]], key: str) -> str:
    return ", ".join(dict.fromkeys(str(each[key]) for each in told if each.get(key)))
