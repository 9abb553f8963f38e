"""Coarse-to-fine stylisation beside plain loops at full size: processor seconds until each reaches the same loss.

    python Testing/benchmarks/stylize_speed.py VOLUME PICTURE result.json [--features random|vgg16|vgg19] [--limit 300]

Takes the slice with the most body. The plain loops are what tutorials show: torch's L-BFGS (its defaults, as in
PyTorch's own tutorial on this method) or Adam on the pixels of the full-sized slice, Gram matrices by autograd. Between
them and the coarse-to-fine schedule stands this engine's own single-scale schedule, which shares its other parts.
The coarse-to-fine schedule runs with its default steps; its loss after so many of them is the goal of all others. All
losses are the same objective at full size; all times are of one process on one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.backends.devices import processor_name
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.style_picture import read_picture
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.stylize import losses
from surgical_style_engine.stylize.features import load_features
from surgical_style_engine.stylize.optimise import Task, optimise
from surgical_style_engine.stylize.sequence import _eroded, _soft, _targets
from surgical_style_engine.volumes.body_box import body_box
from surgical_style_engine.volumes.body_mask import find_body
from surgical_style_engine.volumes.normalization import RobustPercentile

Run = list[tuple[float, int, float]]  # (processor seconds since the start, scale, total) after every evaluation


def scheduled(task: Task, settings: StyleSettings, steps: int) -> Run:
    """This engine, by one of its schedules."""
    begun, stamps = time.process_time(), []
    done = optimise(task, settings, steps, lambda *_: stamps.append(time.process_time() - begun))
    ends = [*stamps[1:], time.process_time() - begun]
    return [(end, scale, total) for end, (scale, total) in zip(ends, done.curve, strict=True)]


def autograd_gram(features: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """The textbook's Gram matrix, with the weight of the engine's."""
    n, c, h, w = features.shape
    flat, area = features.reshape(n, c, h * w), weight.reshape(1, 1, h * w)
    return (flat * area) @ flat.transpose(1, 2) / area.sum()


def textbook(task: Task, settings: StyleSettings, steps: int, optimizer: str) -> Run:
    """The plain loop."""
    ours, losses.gram = losses.gram, autograd_gram
    try:
        begun, run = time.process_time(), []
        objective = losses.Objective(task.styles(1), task.content, settings, task.guide)
        image = task.content.clone().requires_grad_(True)
        method = torch.optim.LBFGS([image]) if optimizer == "lbfgs" else torch.optim.Adam([image], lr=0.02)

        def evaluate():
            with torch.no_grad():
                image.clamp_(0, 1)
            method.zero_grad()
            total = objective(image)["total"]
            total.backward()
            image.grad *= task.change
            run.append((time.process_time() - begun, 1, float(total.detach())))
            return total

        while len(run) < steps:
            method.step(evaluate)
        return run
    finally:
        losses.gram = ours


def reached(run: Run, goal: float) -> tuple[float, int] | None:
    """Seconds and evaluations until the loss at full size is down at the goal."""
    return next(((run[i][0], i + 1) for i in range(len(run)) if run[i][1] == 1 and run[i][2] <= goal), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("volume", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--features", default="random")
    parser.add_argument("--limit", type=int, default=300, help="evaluations after which a plain loop gives up")
    options = parser.parse_args()
    torch.set_num_threads(1)

    volume = read_volume(options.volume)
    normalized = RobustPercentile().fit(volume.array).forward(volume.array)
    rows, columns = body_box(normalized)
    content = (normalized[..., rows, columns] + 1) / 2
    body = find_body(content)
    index = int(body.sum(axis=(1, 2)).argmax())
    settings = StyleSettings(features=options.features)
    styles = _targets(
        read_picture(options.picture),
        lambda style: load_features(options.features, style),
        settings,
        content.shape[-2:],
        "cpu",
    )
    area = torch.from_numpy(body[None, None, index].astype(np.float32))
    image = torch.from_numpy(np.ascontiguousarray(content[:, index]))[None].expand(-1, 3, -1, -1).contiguous()
    task = Task(image, styles, _soft(area), _eroded(area))
    for scale in (1, 2, 4):
        styles(scale)  # made once for all

    ours = scheduled(task, settings, settings.steps)
    goal = min(total for _, scale, total in ours if scale == 1)
    seconds, evaluations = reached(ours, goal)
    rows_found = {"multiscale": {"seconds": seconds, "evaluations": evaluations, "loss": goal}}
    print("multiscale", rows_found["multiscale"], flush=True)
    single = settings.model_copy(update={"schedule": "single"})
    others = {
        "single": lambda: scheduled(task, single, options.limit // 2),
        "plain_lbfgs": lambda: textbook(task, settings, options.limit, "lbfgs"),
        "plain_adam": lambda: textbook(task, settings, options.limit, "adam"),
    }
    for name, work in others.items():
        run = work()
        found = reached(run, goal)
        # Not reached: what it had by then, and the ratio is only a lower bound.
        spent, count = found or (run[-1][0], len(run))
        rows_found[name] = {
            "seconds": spent,
            "evaluations": count,
            "reached": found is not None,
            "loss": min(total for _, _, total in run[:count]),
            "ratio": spent / seconds,
        }
        print(name, rows_found[name], flush=True)
    options.result.write_text(
        json.dumps(
            {
                "processor": processor_name(),
                "threads": 1,
                "torch": torch.__version__,
                "features": options.features,
                "pixels": list(content.shape[-2:]),
                "goal": goal,
                "runs": rows_found,
            },
            indent=2,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
