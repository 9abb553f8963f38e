"""From the inputs of `sst translate`, --as and --to: which volumes, by which model, in which direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from surgical_style_engine.app.several.recognised import domain_of
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.card import ModelCard, read_card
from surgical_style_engine.models.names import find_model, list_models
from training_cli.cohort.checks import check_exist
from training_cli.cohort.matching import volumes_in


@dataclass(frozen=True)
class RouteAsked:
    """What is asked for.

    Attributes:
        sources: the inputs, or a folder for each contrast; the first one's grid is the output's.
        model: folder or name; None where none is named, nor needed yet.
        direction: forward, backward or a route.
        told: sentences on what the inputs were taken for.
    """

    sources: tuple[Path, ...]
    model: str | None
    direction: str
    told: tuple[str, ...] = ()


def route_asked(
    inputs: Sequence[Path], stated: Sequence[str], to: str | None, model: str | None, direction: str
) -> RouteAsked:
    """Find the route; without --to and --as, the one input and the direction are as they are given.

    Args:
        inputs: volumes' files or DICOM folders, or a folder of volumes for each contrast.
        stated: "CONTRAST=FILE" each, what an input is; a file that is not among the inputs becomes one.
        to: name of the domain to make.
        model: folder or name; of those for many domains the first that makes it, if None.
        direction: as given, where there is no --to.

    Raises:
        InputError: for what does not go together.
    """
    said = dict(_stated(entry) for entry in stated)
    sources = tuple(dict.fromkeys([*inputs, *said]))
    if to is None:
        if len(sources) > 1 or said:
            raise InputError("Several inputs, and --as, need --to: the contrast to make of them.")
        return RouteAsked(sources, model, direction)
    if direction != "forward":
        raise InputError("--to says what to make, --direction which way to go; give one of them.")
    name, card = _chosen(model, to)
    if not card.is_many:
        return _by_pair_model(card, name, sources, to)
    _check_one_kind(sources, said)
    if to not in card.targets:
        raise InputError(f"The model {card.name} makes no {to}; it makes {', '.join(card.targets)}.")
    return _by_many(card, name, sources, said, to)


def _stated(entry: str) -> tuple[Path, str]:
    name, equals, file = entry.partition("=")
    if not (name.strip() and equals and file.strip()):
        raise InputError(f"--as takes CONTRAST=FILE, such as T1w=head.nii.gz, not '{entry}'.")
    return Path(file.strip()), name.strip()


def _chosen(model: str | None, to: str) -> tuple[str, ModelCard]:
    """The model's name and card. Raises InputError where there is none."""
    if model is not None:
        return model, read_card(find_model(model))
    many = {folder.name: card for folder, card, _ in list_models() if card is not None and card.is_many}
    making = [name for name in sorted(many) if to in many[name].targets]
    if making:
        return making[0], many[making[0]]
    known = sorted({name for card in many.values() for name in card.targets})
    what = f"there are models for {', '.join(known)}" if known else "there is none"
    raise InputError(f"No model for many contrasts on this machine makes {to}; {what}.")


def _by_pair_model(card: ModelCard, name: str, sources: tuple[Path, ...], to: str) -> RouteAsked:
    """The direction of a model of two domains that ends in ``to``."""
    if len(sources) > 1:
        raise InputError(f"The model {card.name} takes one volume, not {len(sources)}; leave --model out for several.")
    for direction in card.directions:
        if card.domain_to(direction).name == to:
            return RouteAsked(sources, name, direction)
    ends = " and ".join(card.domain_to(direction).name for direction in card.directions)
    raise InputError(f"The model {card.name} makes {ends}, not {to}.")


def _by_many(card: ModelCard, name: str, sources: tuple[Path, ...], said: dict[Path, str], to: str) -> RouteAsked:
    given: dict[str, Path] = {}
    told = []
    for path in sources:
        domain = said.get(path)
        if domain is None:
            domain, sentence = _recognised(card, path)
            told.append(f"{path.name} is taken for {domain}: {sentence}")
        elif domain not in card.names:
            raise InputError(f"The model {card.name} knows no domain '{domain}'; it has {', '.join(card.names)}.")
        if domain in given:
            raise InputError(f"{given[domain].name} and {path.name} are both {domain}; say with --as what they are.")
        given[domain] = path
    if to in given:
        raise InputError(f"{given[to].name} is {to} already; --to names another contrast than the inputs have.")
    direction = f"{'+'.join(given)}>{to}"
    route = card.route(direction)
    card.check_leads(route)
    return RouteAsked(sources, name, route.direction, tuple(told))


def _recognised(card: ModelCard, path: Path) -> tuple[str, str]:
    """The domain that an image belongs to, and the sentence that says what it is. Raises InputError."""
    domain, sentence = domain_of(card, read_volume(path), path.name)
    if not domain:
        raise InputError(
            f"{path.name}: {sentence[:-1]}; the model {card.name} takes {', '.join(card.names)}: "
            f"say what it is, as --as {card.names[0]}={path.name}."
        )
    return domain, sentence


def _check_one_kind(sources: tuple[Path, ...], said: dict[Path, str]) -> None:
    """Raise InputError unless all are volumes, or all are folders of which it is said what they hold."""
    check_exist(*sources)
    folders = [path for path in sources if volumes_in(path) != [path]]
    if folders and len(folders) < len(sources):
        raise InputError(f"{folders[0]} is a folder of volumes, and others are volumes; give one folder a contrast.")
    for path in folders:
        if path not in said:
            raise InputError(f"{path} is a folder of volumes; say which contrast it holds, as --as T1w={path}.")
