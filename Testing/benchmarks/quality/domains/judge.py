"""Figures of routes on scenes, as ``judge`` takes them of a pair model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.models.card import ModelCard

from ..data import CONTRASTS, Scene
from ..judge import chosen_slices, judge
from ..sampling import STACK_MM
from .sampling import NUMBER

Route = tuple[tuple[str, ...], str]


def all_routes(most: int = len(CONTRASTS) - 1) -> list[Route]:
    """Every set of contrasts in, of at most so many, and every other one out."""
    return [
        (given, target)
        for target in CONTRASTS
        for count in range(1, most + 1)
        for given in combinations([c for c in CONTRASTS if c != target], count)
    ]


def name_of(route: Route) -> str:
    return f"{'+'.join(route[0])}>{route[1]}"


@dataclass(frozen=True)
class RouteNetworks:
    """The networks of a model for many contrasts, by route.

    Attributes:
        routes: that it has.
        network: gives the one for a route.
        order: of the contrasts among a slice's channels.
    """

    routes: list[Route]
    network: Callable[[Route], torch.nn.Module]
    order: tuple[str, ...] = CONTRASTS


def route_networks(path: Path) -> RouteNetworks:
    """Those of a model folder, or of a run's averaged weights."""
    from safetensors.torch import load_file

    from surgical_style_engine.models.folder import load_model

    if path.is_dir():
        model = load_model(path)
        routes = [(given, target) for given, target in all_routes() if leads(model.card, given, target)]
        return RouteNetworks(routes, lambda route: model.generator(name_of(route)), tuple(model.card.names))
    state = {key: value.float() for key, value in load_file(path).items()}
    return RouteNetworks(all_routes(), lambda route: _of_weights(state, route))


def leads(card: ModelCard, given: Iterable[str], target: str) -> bool:
    """Whether a model makes a contrast of others."""
    return any(f"{name}>{target}" in card.directions for name in given)


def of_network(network: torch.nn.Module) -> RouteNetworks:
    """Those of a network in training."""
    state = network.state_dict()
    return RouteNetworks(all_routes(), lambda route: _of_weights(state, route))


def _of_weights(state: dict[str, torch.Tensor], route: Route) -> torch.nn.Module:
    from surgical_style_engine.networks import build_generator

    features = state["stem.0.norm.weight"].shape[0]
    given, target = sum(1 << NUMBER[name] for name in route[0]), NUMBER[route[1]]
    network = build_generator("domain_grid", domains=len(CONTRASTS), features=features, given=given, target=target)
    network.load_state_dict(state)
    return network.eval()


def translate_route(networks: RouteNetworks, scene: Scene, route: Route, chosen: np.ndarray) -> np.ndarray:
    """(n, h, w) float32: the chosen slices through a route's network."""
    from surgical_style_engine.inference.plane_job import MULTIPLE
    from surgical_style_engine.volumes.slices import pad_to_multiple

    step, made, network = max(1, round(STACK_MM / scene.slice_mm)), [], networks.network(route)
    ordered = sorted(route[0], key=networks.order.index)
    with torch.inference_mode():
        for z in chosen:
            places = np.clip(z + np.arange(-1, 2) * step, 0, len(scene.body) - 1)
            # A slice's channels stay together.
            image = np.stack([scene.images[c][places].astype(np.float32) for c in ordered], 1)
            padded, crop = pad_to_multiple(image.reshape(1, -1, *image.shape[2:]), MULTIPLE)
            made.append(network(torch.from_numpy(padded))[0, 0].numpy()[crop])
    return np.clip(np.stack(made), -1, 1)


def judge_routes(networks: RouteNetworks, scenes: list[Scene], most: int) -> dict[str, dict[str, dict]]:
    """Figures by route and scene; raw scenes on the first input's own grid only."""
    figures: dict[str, dict[str, dict]] = {}
    for route in networks.routes:
        given, target = route
        for scene in scenes:
            if given[0] in scene.own and {*given, target} <= set(scene.images):
                chosen = chosen_slices(scene, most)
                made = translate_route(networks, scene, route, chosen)
                figures.setdefault(name_of(route), {})[scene.name] = judge(made, scene, target, chosen)
    return figures
