"""Train the network for many contrasts, resumably, with or without some hospitals, and judge it on those.

    nice -n 10 python -m Testing.benchmarks.quality.domains --recipe many --minutes 50 --runs runs/domains
    nice -n 10 python -m Testing.benchmarks.quality.domains --recipe many --minutes 12 --fold b --runs runs/domains

The folder has ``checkpoint.pt``, ``averaged.safetensors`` (moving average, half precision) and ``progress.json``; the
same command goes on where it was stopped. Minutes are of the process's own time. The check patients are in no training.
"""

from __future__ import annotations

import argparse
import json
import signal
from dataclasses import asdict
from pathlib import Path

import torch

from surgical_style_engine.common import heap

from ..data import load_cohort
from ..judge import mean_of
from ..protocol import FOLDS, left_out
from ..ship import export
from .judge import judge_routes, of_network
from .train import MANY, ManyTraining

PART = 30.0  # seconds between two checkpoints
KEEP = 600.0  # seconds between two states that are kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--runs", type=Path, default=Path("runs/domains"))
    parser.add_argument("--recipe", choices=sorted(MANY), default="many")
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--begin-with", type=Path, help="weights of a pair model of the same patients")
    parser.add_argument("--fold", choices=sorted(FOLDS), help="leave out these patients, and judge on them")
    parser.add_argument("--slices", type=int, default=24, help="of a scene that are judged")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    heap.keep_freed(heap.TO_TRAIN)
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, frame: stopped.append(which))
    scenes = load_cohort(arguments.cache)
    judged_on = [s for s in scenes if arguments.fold and left_out(s, arguments.fold)]
    scenes = [s for s in scenes if not (arguments.fold and left_out(s, arguments.fold))]
    begun = "-begun" if arguments.begin_with else ""
    folder = arguments.runs / (arguments.recipe + begun + (f"-{arguments.fold}" if arguments.fold else ""))
    folder.mkdir(parents=True, exist_ok=True)
    seconds = 60 * arguments.minutes
    training = ManyTraining(MANY[arguments.recipe], scenes, seconds, arguments.begin_with)
    if (folder / "checkpoint.pt").exists():
        training.resume(folder / "checkpoint.pt")
    while training.spent < seconds and not stopped:
        training.run(training.spent + PART)
        training.save(folder / "checkpoint.pt")
        export(training, folder / "averaged.safetensors")
        if training.spent // KEEP > (training.spent - PART) // KEEP:
            export(training, folder / f"averaged-{int(training.spent // 60):03d}.safetensors")
        (folder / "progress.json").write_text(json.dumps(progress_of(training, arguments.recipe)))
        print(training.step, round(training.spent), training.images, training.history[-1:], flush=True)
    if judged_on and not stopped:
        figures = judge_routes(of_network(training.averaged), judged_on, arguments.slices)
        (folder / "judged.json").write_text(json.dumps(figures, indent=1))
        for name, of_scenes in figures.items():
            print(name, len(of_scenes), mean_of(of_scenes), flush=True)


def progress_of(training: ManyTraining, recipe: str) -> dict:
    return {
        "recipe": recipe,
        "settings": asdict(training.recipe),
        "seconds": round(training.spent, 1),
        "budget": training.budget,
        "steps": training.step,
        "images": training.images,
        "history": training.history,
    }


if __name__ == "__main__":
    main()
