"""The models of the folds with calibrations that know nothing of the patients they are tried on.

``python -m Testing.benchmarks.registration.calibrate`` copies runs/folds/<fold>/models/<name> to
runs/registration/models/<fold>/<name>, and adds the calibration that is found on left-out patients of the other folds.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

from surgical_style_engine.models.calibration import Calibration, write_calibration
from surgical_style_engine.models.folder import load_model
from training_cli.calibration.direction import calibrated

from ..quality.data import load_cohort
from ..quality.protocol import FOLDS
from ..quality.uncertainty.patients import fold_models, patients_of
from .methods import MODELS

DATA = "left-out patients of the other folds"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=Path, default=Path("runs/folds"))
    parser.add_argument("--cohort", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--models", type=Path, default=Path("runs/registration/models"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    scenes = load_cohort(given.cohort)
    for name in MODELS.values():
        card = load_model(given.folds / "a" / "models" / name).card
        ends = {way: (card.domain_from(way).name, card.domain_to(way).name) for way in card.directions}
        patients = {
            way: patients_of(scenes, fold_models(given.folds, *names), *names, False) for way, names in ends.items()
        }
        for fold in FOLDS:
            place = given.models / fold / name
            shutil.copytree(given.folds / fold / "models" / name, place, dirs_exist_ok=True)
            known = {
                way: calibrated([one for one in found if one.fold != fold], False)[0] for way, found in patients.items()
            }
            weights = load_model(place).card.stored.sha256
            write_calibration(place, Calibration(weights_sha256=weights, directions=known, data=DATA))
            print(fold, name, flush=True)


if __name__ == "__main__":
    main()
