"""Every route of a model for many contrasts, and the pair models beside it, on the same slices.

    python -m Testing.benchmarks.quality.domains.checks --model FOLDER --result results/quality/domains.json
    python -m Testing.benchmarks.quality.domains.checks --model FOLDER --fold b --pairs runs/folds/b/models

Without --fold on the check patients, which no training and no choice has seen: once. Writes the figures as JSON and
prints the tables of docs/domains.md; with --pictures, real beside synthetic for every route of one input and of all.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from ..data import CONTRASTS, Scene, load_cohort
from ..judge import chosen_slices, judge, mean_of, translate
from ..protocol import RESULTS, left_out
from .judge import Route, RouteNetworks, all_routes, name_of, route_networks, translate_route


def pair_networks(folder: Path) -> dict[Route, torch.nn.Module]:
    """The generators of the pair models in a folder, by what they make of what."""
    from surgical_style_engine.models.folder import load_model

    networks = {}
    for path in sorted(folder.glob("brain-mr-*")):
        model = load_model(path)
        if not model.card.is_many:
            for direction in model.card.directions:
                route = (model.card.domain_from(direction).name,), model.card.domain_to(direction).name
                networks[route] = model.generator(direction)
    return networks


def scenes_of(cache: Path, fold: str | None) -> list[Scene]:
    """Those of a fold's left-out patients, or the check patients' as a user has them."""
    if fold:
        return [scene for scene in load_cohort(cache) if left_out(scene, fold)]
    scenes = load_cohort(cache, checks=True)
    return [scene for scene in scenes if not scene.name.endswith("_brain") and "study2" not in scene.name]


def figures(
    networks: RouteNetworks, pairs: dict[Route, torch.nn.Module], scenes: list[Scene], most: int
) -> dict[str, dict[str, dict]]:
    """ "many" and "pairs": figures by route and scene."""
    result: dict[str, dict[str, dict]] = {"many": {}, "pairs": {}}
    for scene in scenes:
        chosen = chosen_slices(scene, most)
        for route in networks.routes:
            given, target = route
            # A raw study's contrasts lie on the grid of one: that is the input, or the first of several.
            if {*given, target} <= set(scene.images) and set(given) & set(scene.own):
                translated = translate_route(networks, scene, route, chosen)
                entry = judge(translated, scene, target, chosen)
                result["many"].setdefault(name_of(route), {})[scene.name] = entry
                if route in pairs:
                    translated = translate(pairs[route], scene, given[0], chosen)
                    entry = judge(translated, scene, target, chosen)
                    result["pairs"].setdefault(name_of(route), {})[scene.name] = entry
        print(scene.name, flush=True)
    return result


def against_pairs(result: dict) -> str:
    """A line for each single route: the pair model's figures, this model's, the difference."""
    lines = ["| | scenes | PSNR (dB) | pair model | difference | SSIM | pair model |", "|---|---|---|---|---|---|---|"]
    differences = []
    for route in all_routes(1):
        many = result["many"].get(name_of(route))
        if not many:
            continue
        ours, pair = mean_of(many), mean_of(result["pairs"].get(name_of(route), {}))
        name = f"{route[0][0]} to {route[1]}"
        cells = [f"{ours['psnr']:.1f}", "-", "-", f"{ours['ssim']:.2f}", "-"]
        if pair:
            differences.append(ours["psnr"] - pair["psnr"])
            cells[1:3] = [f"{pair['psnr']:.1f}", f"{differences[-1]:+.1f}"]
            cells[4] = f"{pair['ssim']:.2f}"
        lines.append(f"| {name} | {len(many)} | {' | '.join(cells)} |")
    lines.append(f"| mean over {len(differences)} routes with a pair model | | | | {np.mean(differences):+.2f} | | |")
    return "\n".join(lines)


def by_inputs(result: dict) -> str:
    """PSNR and SSIM of every set of inputs, on the scenes that have all four contrasts."""
    whole = [name for name in next(iter(result["many"].values())) if all(name in r for r in result["many"].values())]
    lines = [f"| inputs | {' | '.join(CONTRASTS)} |", "|---|" + "---|" * len(CONTRASTS)]
    sets = [given for count in (1, 2, 3) for given in combinations(CONTRASTS, count)]
    for given in sets:
        cells = []
        for target in CONTRASTS:
            of_scenes = result["many"].get(name_of((given, target)), {})
            mean = mean_of({name: of_scenes[name] for name in whole}) if of_scenes and target not in given else {}
            cells.append(f"{mean['psnr']:.1f}, {mean['ssim']:.2f}" if mean else "")
        lines.append(f"| {' + '.join(given)} | {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\n{len(whole)} scenes: {', '.join(whole)}."


def more_is_not_worse(result: dict) -> str:
    """How much each further input changes, in the mean over scenes and in the worst of the means."""
    changes = {}
    for (given, target), more in ((route, more) for route in all_routes(2) for more in CONTRASTS):
        if more in given or more == target:
            continue
        wider = tuple(c for c in CONTRASTS if c in (*given, more))
        fewer, all_of = (result["many"].get(name_of((part, target)), {}) for part in (given, wider))
        common = fewer.keys() & all_of.keys()
        if common:
            change = np.mean([all_of[name]["psnr"] - fewer[name]["psnr"] for name in common])
            changes[f"{name_of((given, target))} and {more}"] = float(change)
    worst = sorted(changes.items(), key=lambda entry: entry[1])
    better = sum(change >= 0 for change in changes.values())
    listed = "; ".join(f"{name} {change:+.2f} dB" for name, change in worst[:5])
    return (
        f"A further input changes PSNR by {np.mean(list(changes.values())):+.2f} dB in the mean; "
        f"{better} of {len(changes)} steps are no worse. The worst: {listed}."
    )


def pictures(networks: RouteNetworks, scenes: list[Scene], folder: Path) -> None:
    """For every scene one slice: a row a target, the real one first, then each single input's, then of all others."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for scene in scenes:
        names = [c for c in CONTRASTS if c in scene.images]
        usable = chosen_slices(scene)
        places = usable[[int(0.55 * len(usable))]]
        if scene.labels is not None and scene.site != "Ljubljana":
            places = np.array([int(np.argmax((scene.labels > 0).sum(axis=(1, 2))))])
        figure, axes = plt.subplots(len(names), len(names) + 1, figsize=(2.2 * (len(names) + 1), 2.5 * len(names)))
        for row, target in zip(axes, names, strict=True):
            others = [c for c in names if c != target]
            shown = [(f"{target}, real", scene.images[target][places[0]].astype(np.float32))]
            for route in [((c,), target) for c in others] + [(tuple(others), target)]:
                if route not in networks.routes:
                    continue
                given, image = route[0], translate_route(networks, scene, route, places)[0]
                shown.append((f"{target} from {'+'.join(given)}", image))
            for axis in row:
                axis.axis("off")
            for axis, (title, image) in zip(row, shown, strict=False):
                axis.imshow(image, cmap="gray", vmin=-1, vmax=1)
                axis.set_title(title, fontsize=6)
        figure.subplots_adjust(0, 0, 1, 0.96, 0.01, 0.08)
        figure.savefig(folder / f"{scene.name}.png", dpi=90)
        plt.close(figure)


def main() -> None:
    from surgical_style_engine.models.names import shipped_models_folder

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--model", type=Path, required=True, help="model folder, or a run's averaged.safetensors")
    parser.add_argument("--pairs", type=Path, default=shipped_models_folder(), help="folder of pair models")
    parser.add_argument("--fold", help="judge on a fold's left-out patients instead of the check patients")
    parser.add_argument("--slices", type=int, default=12, help="of a scene")
    parser.add_argument("--pictures", type=Path, help="folder for pictures; not for the repository")
    parser.add_argument("--result", type=Path, default=RESULTS / "domains.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    networks = route_networks(arguments.model)
    scenes = scenes_of(arguments.cache, arguments.fold)
    result = figures(networks, pair_networks(arguments.pairs), scenes, arguments.slices)
    arguments.result.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(against_pairs(result), by_inputs(result), more_is_not_worse(result), sep="\n\n")
    if arguments.pictures:
        pictures(networks, scenes, arguments.pictures)


if __name__ == "__main__":
    main()
