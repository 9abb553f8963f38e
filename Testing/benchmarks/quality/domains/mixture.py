"""The shipped model for any contrast: the pair models joined, with shares from patients that they had not seen.

    python -m Testing.benchmarks.quality.domains.mixture --folds runs/folds --also runs/any/brain-mr-t1wgd-flair

Every patient of the training cohort is translated by networks that were trained without its hospital (``--folds``, as
``uncertainty`` has them). Shares of several inputs are those of the greatest mean PSNR over these patients; their
figures are judged with shares of the other folds' patients. Writes results/quality/mixture.json and, with ``--write``,
the model's folder. The check patients take no part.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.models.calibration import read_calibration, write_calibration
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.joined import JoinedPairs
from surgical_style_engine.models.names import shipped_models_folder
from training_cli.calibration.readme import put_section, section
from training_cli.joining.join import save, told_shares, training_of
from training_cli.joining.shares import Products, best_shares, measured_shares

from ..data import CONTRASTS, load_cohort
from ..judge import judge, mean_of
from ..protocol import RESULTS
from .judge import all_routes, name_of
from .mixture_bounds import bounds_of_several
from .translated import Translated, translated

NAME, TITLE = "brain-mr-any-contrast", "Brain MR, any contrast"
MODELS = ("brain-mr-t1w-t2w", "brain-mr-t1w-flair", "brain-mr-t2w-flair", "brain-mr-t1wgd-t1w", "brain-mr-t1wgd-t2w")
LIMITS = [
    "T1w with gadolinium cannot be made: what takes up the agent is in none of the other contrasts.",
    "Several inputs are averaged: noise and errors become less, and fine detail a little softer than of the best one.",
]
NOTES = (
    "The networks of the pair models as they are, and one from T1w with gadolinium to FLAIR (final-gd, begun with T1w "
    "to FLAIR). One input gives what its pair's model gives; several give a weighted mean, with shares that err least "
    "on {patients} patients of hospitals that the measured networks, trained for 2.5 to 7.5 minutes, had not seen "
    "(Testing/benchmarks/quality/domains/mixture.py). Figures of every set of inputs: docs/domains.md."
)


def products_by_patient(entries: list[Translated], target: str) -> dict[str, Products]:
    """The mean over a patient's scenes, that a patient of many counts once."""
    of_patient: dict[str, list[Products]] = {}
    for entry in entries:
        if target in entry.scene.images and any(end == target for _, end in entry.images):
            of_patient.setdefault(entry.scene.patient, []).append(entry.products(target))
    return {
        patient: {key: float(np.mean([each[key] for each in several])) for key in several[0]}
        for patient, several in of_patient.items()
    }


def cross_validated(entries: list[Translated]) -> dict[str, dict]:
    """Figures of every route by scene, with shares of the other folds' patients."""
    figures: dict[str, dict] = {}
    for given, target in all_routes():
        usable = [
            entry
            for entry in entries
            if target in entry.scene.images
            and set(CONTRASTS) <= set(entry.scene.images)
            and any((name, target) in entry.images for name in given)
        ]
        of_scenes = {}
        for entry in usable:
            leading = [name for name in given if (name, target) in entry.images]
            others = [each for each in entries if each.fold != entry.fold]
            known = [p for p in products_by_patient(others, target).values() if all((n, n) in p for n in leading)]
            image = entry.mixed(best_shares(known, leading), target)
            of_scenes[entry.scene.name] = judge(image, entry.scene, target, entry.chosen)
        if of_scenes:
            figures[name_of((given, target))] = of_scenes
            print(name_of((given, target)), len(of_scenes), mean_of(of_scenes), flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="folders of further pair models")
    parser.add_argument("--write", action="store_true", help="write the model's folder")
    parser.add_argument("--output", type=Path, default=shipped_models_folder() / NAME)
    parser.add_argument("--result", type=Path, default=RESULTS / "mixture.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    entries = translated(arguments.folds, load_cohort(arguments.cache))
    by_target = {target: products_by_patient(entries, target) for target in CONTRASTS}
    pairs = JoinedPairs([load_model(path) for path in (*MODELS, *arguments.also)])
    shares, patients = measured_shares(pairs, {target: list(each.values()) for target, each in by_target.items()})
    told = told_shares(shares, patients)
    bounds, covered = bounds_of_several(pairs, shares, entries)
    result = {
        "shares": told["shares"],
        "patients": patients,
        "left_out": cross_validated(entries),
        "bounds": covered,
    }
    arguments.result.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told["shares"], indent=1))
    if arguments.write:
        training = training_of(pairs)
        training |= told | {
            "notes": NOTES.format(patients=max(patients.values())),
            "limits": [*training["limits"], *LIMITS],
        }
        card = save(arguments.output, pairs, pairs.card(NAME, TITLE, training), shares, overwrite=True)
        known = read_calibration(arguments.output, card)
        assert known is not None  # that of the pairs
        known = known.model_copy(update={"directions": {**known.directions, **bounds}})
        write_calibration(arguments.output, known)
        put_section(arguments.output, section(card, known))
        print(arguments.output)


if __name__ == "__main__":
    main()
