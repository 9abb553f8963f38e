"""Figures of routes on scenes, as ``judge`` takes them of a pair model."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

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


def route_network(path: Path) -> torch.nn.Module:
    """The network of a model folder, or of a run's averaged weights, for all routes."""
    from safetensors.torch import load_file

    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.networks import build_generator

    if path.is_dir():
        model = load_model(path)
        return model.generator(model.card.directions[0])
    state = {key: value.float() for key, value in load_file(path).items()}
    features = state["stem.0.norm.weight"].shape[0]
    network = build_generator("domain_grid", domains=len(CONTRASTS), features=features)
    network.load_state_dict(state)
    return network.eval()


def translate_route(network: torch.nn.Module, scene: Scene, route: Route, chosen: np.ndarray) -> np.ndarray:
    """(n, h, w) float32: the chosen slices through a network for many contrasts."""
    from surgical_style_engine.inference.plane_job import MULTIPLE
    from surgical_style_engine.volumes.slices import pad_to_multiple

    step, made = max(1, round(STACK_MM / scene.slice_mm)), []
    given, target = (torch.tensor([[NUMBER[c] for c in part]]) for part in (route[0], (route[1],)))
    with torch.inference_mode():
        for z in chosen:
            places = np.clip(z + np.arange(-1, 2) * step, 0, len(scene.body) - 1)
            image = np.stack([scene.images[c][places].astype(np.float32) for c in route[0]])[None]
            padded, crop = pad_to_multiple(image, MULTIPLE)
            made.append(network.translated(torch.from_numpy(padded), given, target)[0, 0, 0].numpy()[crop])
    return np.clip(np.stack(made), -1, 1)


def judge_routes(
    network: torch.nn.Module, scenes: list[Scene], routes: Iterable[Route], most: int
) -> dict[str, dict[str, dict]]:
    """Figures by route and scene; raw scenes on the first input's own grid only."""
    figures: dict[str, dict[str, dict]] = {}
    for route in routes:
        given, target = route
        for scene in scenes:
            if given[0] in scene.own and {*given, target} <= set(scene.images):
                chosen = chosen_slices(scene, most)
                made = translate_route(network, scene, route, chosen)
                figures.setdefault(name_of(route), {})[scene.name] = judge(made, scene, target, chosen)
    return figures
