"""The check patients, once: what the error bounds of routes with several inputs cover.

    python -m Testing.benchmarks.quality.domains.bounds_checks --model brain-mr-any-contrast

Writes results/quality/any-contrast-bounds.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.models.calibration import read_calibration
from surgical_style_engine.models.folder import load_model

from ..judge import chosen_slices
from ..protocol import RESULTS
from ..uncertainty.checks import covered
from ..uncertainty.patients import scan_of_slices
from .checks import scenes_of
from .judge import route_networks, translate_route


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--model", default="brain-mr-any-contrast")
    parser.add_argument("--slices", type=int, default=12, help="of a scene")
    parser.add_argument("--result", type=Path, default=RESULTS / "any-contrast-bounds.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(arguments.model)
    networks, calibration = route_networks(model.folder), read_calibration(model.folder, model.card)
    assert calibration is not None
    scenes, result = scenes_of(arguments.cache, None), {}
    for direction, known in calibration.directions.items():
        route = model.card.route(direction)
        if len(route.given) < 2:
            continue
        of_patients = {}
        for scene in scenes:
            if {*route.given, route.target} <= set(scene.images) and route.given[0] in scene.own:
                chosen = chosen_slices(scene, arguments.slices)
                output = translate_route(networks, scene, (route.given, route.target), chosen)
                seen = scan_of_slices(scene, chosen, (route.given[0], route.target), output)
                of_patients[scene.patient] = covered(known, seen)
        result[direction] = of_patients
        print(direction, {name: figures["coverage"] for name, figures in of_patients.items()}, flush=True)
    arguments.result.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for key in ("coverage", "tumour"):
        values = [[f[key] for f in of.values() if key in f] for of in result.values()]
        means = [np.mean(each) for each in values if each]
        least = min(min(each) for each in values if each)
        print(f"{key}: mean of routes {np.mean(means):.3f} ({min(means):.3f} to {max(means):.3f}), least {least:.3f}")


if __name__ == "__main__":
    main()
