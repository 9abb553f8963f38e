"""Plain bounds beside the calibrated ones: one for all voxels, and the disagreement of variants times a factor.

    python -m Testing.benchmarks.quality.uncertainty.plain --folds runs/folds    # into results/quality/uncertainty.json

Each left out alike: the factor for a patient is of all others. Once calibrated on bodies, and once widened until the
labelled tumours of the others are covered as well, as the calibrated bounds are, but everywhere, since a plain bound
knows nothing of where they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.metrics.uncertainty.features import FULL_FEATURES
from training_cli.calibration.conformal import weighted_quantile
from training_cli.calibration.direction import LEVEL
from training_cli.calibration.samples import Patient, Voxels

from ..data import load_cohort
from ..protocol import RESULTS
from .patients import fold_models, patients_of

DISAGREEMENT = FULL_FEATURES.index("disagreement")
LARGEST = 2.0  # the whole range


def plain_widths(patients: Sequence[Patient]) -> dict[str, dict[str, float]]:
    """Coverage, width and coverage of tumours by the name of the bound; the last two also where tumours are to hold."""
    return {name: _of(name, patients) for name in ("one_bound", "disagreement")}


def _of(name: str, patients: Sequence[Patient]) -> dict[str, float]:
    figures: dict[str, list[float]] = {key: [] for key in ("coverage", "width", "tumour", "wide_width", "wide_tumour")}
    for patient in patients:
        others = [each for each in patients if each is not patient]
        factor = _factor(name, [each.body for each in others])
        tumours = [each.tumour for each in others if each.tumour is not None]
        wide = max(factor, _factor(name, tumours)) if tumours else factor
        body, tumour, raw = patient.body, patient.tumour, _raw(name, patient.body)
        figures["coverage"].append(np.average(body.errors <= factor * raw, weights=body.weights))
        for key, by in (("width", factor), ("wide_width", wide)):
            figures[key].append(np.average(np.minimum(by * raw, LARGEST), weights=body.weights))
        if tumour is not None:
            for key, by in (("tumour", factor), ("wide_tumour", wide)):
                figures[key].append(np.mean(tumour.errors <= by * _raw(name, tumour)))
    return {key: round(float(np.mean(values)), 4) for key, values in figures.items() if values}


def _raw(name: str, voxels: Voxels) -> np.ndarray:
    return np.ones(len(voxels.errors)) if name == "one_bound" else voxels.features[:, DISAGREEMENT] + 1e-3


def _factor(name: str, parts: Sequence[Voxels]) -> float:
    scores = np.concatenate([each.errors / _raw(name, each) for each in parts])
    return weighted_quantile(scores, np.concatenate([each.weights for each in parts]), LEVEL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--result", type=Path, default=RESULTS / "uncertainty.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scenes = load_cohort(arguments.cache)
    entries = json.loads(arguments.result.read_text(encoding="utf-8"))
    for entry in entries:
        models = fold_models(arguments.folds, entry["source"], entry["target"])
        entry |= plain_widths(patients_of(scenes, models, entry["source"], entry["target"], full=True))
        print(entry["source"], entry["target"], entry["one_bound"], entry["disagreement"], flush=True)
    arguments.result.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
