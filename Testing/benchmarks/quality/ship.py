"""Long trainings of what is shipped: every pair of contrasts and direction, in parts, resumable.

    nohup nice -n 10 python -m Testing.benchmarks.quality.ship --recipe NAME --minutes 40 --pairs T1w:T2w T2w:T1w &

Each direction is a folder of its own in ``--runs`` with ``checkpoint.pt``, ``averaged.safetensors`` (the moving
average, half precision; some on the way are kept with their minutes) and ``progress.json``. The same command goes on
where it was stopped; Ctrl-C and SIGTERM save first. Minutes are of the process's own time. The check patients are in no
training. ``SOURCE:TARGET:FOLDER`` begins with the features of another direction's folder, its last layers made anew;
with ``--whole``, with all of an earlier training of the same direction. With ``--fold`` the patients of a fold of
``protocol`` are left out, and judged at the end: what is calibrated needs models that do not know their patients.
"""

from __future__ import annotations

import argparse
import json
import signal
from dataclasses import asdict
from pathlib import Path

import torch

from surgical_style_engine.common import heap

from .data import load_cohort
from .protocol import FOLDS, RESULTS, judged_entry, left_out, record
from .recipes import RECIPES
from .train import Recipe, Training

PART = 30.0  # seconds between two checkpoints
KEEP = 300.0  # seconds between two states that are kept, to choose among


def train_direction(
    recipe_name: str,
    source: str,
    target: str,
    seconds: float,
    scenes: list,
    folder: Path,
    stopped: list,
    begin_with: Path | None = None,
    whole: bool = False,
    other_way: Path | None = None,
) -> Training:
    """Train one direction to its end, or until ``stopped`` holds something; what was trained."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    recipe = RECIPES[recipe_name]
    training = Training(recipe, scenes, source, target, seconds, trained(recipe, other_way) if other_way else None)
    if checkpoint.exists():
        training.resume(checkpoint)
    elif begin_with is not None:
        take_weights(training, begin_with, whole)
    while training.spent < seconds and not stopped:
        training.run(training.spent + PART)
        training.save(checkpoint)
        export(training, folder / "averaged.safetensors")
        if training.spent // KEEP > (training.spent - PART) // KEEP:
            export(training, folder / f"averaged-{int(training.spent // 60):03d}.safetensors")
        progress = {
            "recipe": recipe_name,
            "settings": asdict(training.recipe),
            "source": source,
            "target": target,
            "seconds": round(training.spent, 1),
            "budget": seconds,
            "steps": training.step,
            "images": training.images,
            "history": training.history,
        }
        if begin_with is not None:
            earlier = all_of(json.loads((begin_with / "progress.json").read_text()))
            progress["begun_with"] = {key: earlier[key] for key in ("source", "target", "steps", "images", "seconds")}
        (folder / "progress.json").write_text(json.dumps(progress))
        print(source, target, training.step, round(training.spent), training.history[-1:], flush=True)
    return training


def all_of(progress: dict) -> dict:
    """A run's progress with what an earlier run of the same direction had done."""
    earlier = progress.get("begun_with", {})
    if (earlier.get("source"), earlier.get("target")) != (progress["source"], progress["target"]):
        return progress
    return {**progress, **{key: progress[key] + earlier[key] for key in ("steps", "images", "seconds")}}


def trained(recipe: Recipe, folder: Path) -> torch.nn.Module:
    """The network of another direction's folder."""
    from safetensors.torch import load_file

    from surgical_style_engine.networks import build_generator

    network = build_generator(recipe.generator, **recipe.network)
    network.load_state_dict({key: value.float() for key, value in load_file(folder / "averaged.safetensors").items()})
    return network


LAST_LAYERS = ("head.", "guide.", "detail.last.")  # they set a tone, which is the other direction's


def take_weights(training: Training, folder: Path, whole: bool) -> None:
    """Begin with the averaged weights of another training, unless ``whole`` without what sets its tone."""
    from safetensors.torch import load_file

    state = {key: value.float() for key, value in load_file(folder / "averaged.safetensors").items()}
    kept = {key: value for key, value in state.items() if whole or not key.startswith(LAST_LAYERS)}
    for network in (training.network, training.averaged):
        network.load_state_dict(kept, strict=False)


def export(training: Training, path: Path) -> None:
    """The averaged weights in half precision; written whole or not at all."""
    from safetensors.torch import save_file

    state = {key: value.half().contiguous() for key, value in training.averaged.state_dict().items()}
    temporary = path.with_suffix(".part")
    save_file(state, temporary)
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--runs", type=Path, default=Path("runs/ship"))
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--pairs", nargs="+", required=True, help="SOURCE:TARGET ...")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--other-ways", type=Path, help="folder with the trained other directions, for a cycle")
    parser.add_argument("--fold", choices=sorted(FOLDS), help="leave out these patients, and judge on them")
    parser.add_argument("--result", type=Path, default=RESULTS / "leave-one-site-out.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    heap.keep_freed(heap.TO_TRAIN)
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, frame: stopped.append(which))
    scenes = load_cohort(arguments.cache)
    judged_on = [s for s in scenes if arguments.fold and left_out(s, arguments.fold)]
    scenes = [s for s in scenes if not (arguments.fold and left_out(s, arguments.fold))]
    for pair in arguments.pairs:
        source, target, *begin_with = pair.split(":")
        folder = arguments.runs / arguments.recipe / f"{source}_{target}".lower()
        if not stopped:
            first = Path(begin_with[0]) if begin_with else None
            seconds = 60 * arguments.minutes
            ways = arguments.other_ways
            back = ways / f"{target}_{source}".lower() if ways else None
            training = train_direction(
                arguments.recipe, source, target, seconds, scenes, folder, stopped, first, arguments.whole, back
            )
            if arguments.fold and not stopped:
                shown = [s for s in scenes if {source, target} <= set(s.images)]
                entry = judged_entry(arguments.recipe, arguments.fold, training, shown, judged_on)
                record(entry, arguments.result)
                print(source, target, arguments.fold, entry["mean"], flush=True)


if __name__ == "__main__":
    main()
