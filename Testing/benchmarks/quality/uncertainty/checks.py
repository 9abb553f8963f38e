"""The check patients, once: what the shipped models' error bounds cover of patients that had no part in any of it.

    python -m Testing.benchmarks.quality.uncertainty.checks

Scenes as ``checks.py`` of the other figures has them (one study a patient, whole head or brain as it was read). Writes
results/quality/uncertainty-checks.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.metrics.uncertainty.bound import bounds_of
from surgical_style_engine.models.calibration import DirectionCalibration, read_calibration
from surgical_style_engine.models.folder import load_model

from ..data import load_cohort
from ..protocol import RESULTS, shipped_pairs
from .patients import scan


def covered(known: DirectionCalibration, seen) -> dict[str, float]:
    """Coverage, width, and the expected PSNR beside the true one."""
    model = known.quick
    features = seen.body.features[:, : len(model.features)]
    bounds = bounds_of(model, features)
    figures = {
        "coverage": np.mean(seen.body.errors <= bounds),
        "width": bounds.mean(),
        "psnr": seen.psnr,
    }
    figures |= {f"tissue {n}": np.mean((seen.body.errors <= bounds)[seen.body.tissues == n]) for n in range(3)}
    if known.psnr is not None:
        promised = 10 * np.log10(4 / np.mean(bounds.astype(np.float64) ** 2))
        figures |= {"expected_psnr": known.psnr.intercept + known.psnr.slope * promised, "margin": known.psnr.below}
    if seen.tumour is not None:
        tumour = seen.tumour.features[:, : len(model.features)]
        figures["tumour"] = np.mean(seen.tumour.errors <= bounds_of(model, tumour))
    return {key: round(float(value), 4) for key, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--result", type=Path, default=RESULTS / "uncertainty-checks.json")
    parser.add_argument("--only", nargs="*", help="names of models; the others' results stay as they are")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scenes = [
        scene
        for scene in load_cohort(arguments.cache, checks=True)
        if not scene.name.endswith("_brain") and "study2" not in scene.name
    ]
    stored = json.loads(arguments.result.read_text(encoding="utf-8")) if arguments.only else []
    result = []
    for folder in shipped_pairs():
        if arguments.only and folder.name not in arguments.only:
            result += [entry for entry in stored if entry["model"] == folder.name]
            continue
        style = load_model(folder)
        calibration = read_calibration(folder, style.card)
        for direction, known in calibration.directions.items() if calibration else ():
            source, target = style.card.domain_from(direction).name, style.card.domain_to(direction).name
            network = style.generator(direction)
            entry = {"model": folder.name, "source": source, "target": target, "patients": {}}
            for scene in scenes:
                if source in scene.own and target in scene.images:
                    seen = scan(network, scene, source, target, style.card.stack, full=False)
                    entry["patients"][scene.patient] = covered(known, seen)
            result.append(entry)
            print(source, "to", target, entry["patients"], flush=True)
    arguments.result.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
