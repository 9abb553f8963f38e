"""Calibrate the bounds of shipped models on left-out patients, and say how they did there.

    python -m Testing.benchmarks.quality.uncertainty --folds runs/folds [--write] [--only brain-mr-t1w-t2w]

For every direction of a model: the patients that the models of the folds were trained without (``patients.py``),
the bounds for each by an error model of other folds and factors of other patients, coverage by tissue and in tumours,
width beside that of one bound for all voxels and of the plain disagreement, and the expected PSNR beside the true one.
``--write`` puts the calibration into the model's folder; directions without two folds are left without one. The
check patients take no part. Writes results/quality/uncertainty.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.models.calibration import Calibration, write_calibration
from surgical_style_engine.models.folder import load_model
from training_cli.calibration.direction import calibrated, coverage_table, psnr_line
from training_cli.calibration.readme import put_section, section

from ..data import load_cohort
from ..protocol import RESULTS, shipped_pairs
from .patients import fold_models, patients_of
from .plain import plain_widths

FEWEST_FOLDS = 2
DATA = (
    "{patients} patients of {hospitals} hospitals (BraTS-TCGA, BraTS 2021, Open MS Data) that the measured networks, "
    "trained much like these weights, but for {minutes:.0f} minutes and without a third of the hospitals, had not seen"
)


def calibrate_direction(model: str, direction: str, folds: Path, scenes: list, full: bool) -> tuple:
    """(calibration or None, entry of the results)."""
    card = load_model(model).card
    source, target = card.domain_from(direction).name, card.domain_to(direction).name
    models = fold_models(folds, source, target)
    entry = {"model": model, "source": source, "target": target, "folds": [each.fold for each in models]}
    if len(models) < FEWEST_FOLDS:
        return None, entry | {"why": "too few folds"}
    patients = patients_of(scenes, models, source, target, full)
    calibration, tried = calibrated(patients, full)
    entry |= {
        name: {
            "coverage": _dumped(coverage_table(each)),
            "width": _mean(each, "width"),
            "risk": _mean(each, "risk"),
            "patients": [asdict(one) for one in each],
        }
        for name, each in tried.items()
    }
    expected = psnr_line(tried["quick"])
    entry |= {"psnr": expected.model_dump() if expected else None, "psnr_shown": calibration.psnr is not None}
    entry |= {"uninformed": calibration.uninformed, "full_kept": calibration.full is not None}
    if full:
        entry |= plain_widths(patients)
    return calibration, entry


def _dumped(table: dict) -> dict:
    return {name: value.model_dump() for name, value in table.items()}


def _mean(tried: list, key: str) -> object:
    return np.round(np.mean([getattr(one, key) for one in tried], axis=0), 4).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--models", type=Path, nargs="*", help="model folders; the shipped ones if not given")
    parser.add_argument("--only", nargs="*", help="names of models; all if not given")
    parser.add_argument("--quick", action="store_true", help="without the model that knows the disagreement")
    parser.add_argument("--write", action="store_true", help="put calibrations into the folders of the models")
    parser.add_argument("--minutes", type=float, default=5.0, help="that each model of a fold was trained for")
    parser.add_argument("--result", type=Path, default=RESULTS / "uncertainty.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scenes = load_cohort(arguments.cache)
    for folder in arguments.models or shipped_pairs():
        if arguments.only and folder.name not in arguments.only:
            continue
        card = load_model(folder).card
        directions = {}
        for direction in card.directions:
            calibration, entry = calibrate_direction(
                str(folder), direction, arguments.folds, scenes, not arguments.quick
            )
            entry |= {"model": folder.name}
            record(entry, arguments.result)
            print(line(entry), flush=True)
            if calibration is not None:
                directions[direction] = calibration
        if directions and arguments.write:
            most = max(directions.values(), key=lambda each: each.patients)
            data = DATA.format(patients=most.patients, hospitals=most.hospitals, minutes=arguments.minutes)
            known = Calibration(weights_sha256=card.stored.sha256, directions=directions, data=data)
            write_calibration(folder, known)
            put_section(folder, section(card, known))


def record(entry: dict, result: Path) -> None:
    """Put an entry into the JSON file, instead of an earlier one of the same direction."""
    same = ("model", "source", "target")
    stored = json.loads(result.read_text(encoding="utf-8")) if result.exists() else []
    stored = [old for old in stored if any(old[key] != entry[key] for key in same)] + [entry]
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def line(entry: dict) -> str:
    """One direction in a line."""
    title = f"{entry['source']} to {entry['target']}, folds {','.join(entry['folds'])}"
    if "quick" not in entry:
        return f"{title}: {entry['why']}"
    parts = []
    for name in ("quick", "full"):
        if name in entry:
            table = entry[name]["coverage"]
            cells = [f"{key} {v['mean']:.3f}±{v['deviation']:.3f} (worst {v['worst']:.2f})" for key, v in table.items()]
            parts.append(f"{name}: width {entry[name]['width']:.3f}; " + "; ".join(cells))
    plain = {key: entry[key] for key in ("one_bound", "disagreement") if key in entry}
    return f"{title}\n  " + "\n  ".join(parts) + f"\n  {plain} PSNR {entry['psnr']}, grey {entry['uninformed']:.3f}"


if __name__ == "__main__":
    main()
