"""What is beside a trained recipe on the scenes of a fold: the input itself, its histogram matched, a finished model.

    python -m Testing.benchmarks.quality.floors --fold b --model brain-mr-t1w-t2w

The input and the matched input get the treatment of ``sst evaluate``; the match is told the answer's histogram. A model
that was trained on some of these patients is flattered on them: ``--skip`` leaves scenes out by a part of their names.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from .data import load_cohort
from .judge import chosen_slices, judge, mean_of, translate
from .protocol import RESULTS, left_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--fold", default="b")
    parser.add_argument("--model", default="brain-mr-t1w-t2w")
    parser.add_argument("--direction", default="forward")
    parser.add_argument("--skip", nargs="*", default=["patient"])
    parser.add_argument("--result", type=Path, default=RESULTS / "floors.json")
    arguments = parser.parse_args()
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.volumes.histogram_matching import histogram_match

    torch.set_num_threads(1)
    style = load_model(arguments.model)
    network = style.generator(arguments.direction)
    source = style.card.domain_from(arguments.direction).name
    target = style.card.domain_to(arguments.direction).name
    found: dict[str, dict] = {"input": {}, "histogram_matched": {}, style.card.name: {}}
    for scene in load_cohort(arguments.cache):
        skipped = any(part in scene.name for part in arguments.skip)
        if skipped or not left_out(scene, arguments.fold) or source not in scene.own or target not in scene.images:
            continue
        chosen = chosen_slices(scene)
        own = scene.images[source][chosen].astype(np.float32)
        body, real = scene.body[chosen], scene.images[target][chosen].astype(np.float32)
        made = {
            "input": own,
            "histogram_matched": histogram_match(own[None], real[None], body, body)[0],
            style.card.name: translate(network, scene, source, chosen, style.card.stack),
        }
        for name, image in made.items():
            found[name][scene.name] = judge(image, scene, target, chosen)
    means = {name: mean_of(figures) for name, figures in found.items()}
    result = {"fold": arguments.fold, "source": source, "target": target, "mean": means, "scenes": found}
    arguments.result.parent.mkdir(parents=True, exist_ok=True)
    arguments.result.write_text(json.dumps(result, indent=1))
    for name, mean in means.items():
        print(name, mean)


if __name__ == "__main__":
    main()
