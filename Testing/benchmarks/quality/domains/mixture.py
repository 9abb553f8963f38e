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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.joined import JoinedPairs
from surgical_style_engine.models.names import shipped_models_folder
from training_cli.joining.join import save, told_shares, training_of
from training_cli.joining.shares import Products, best_shares, measured_shares, products_of

from ..data import CONTRASTS, Scene, load_cohort
from ..judge import chosen_slices, judge, mean_of, translate
from ..protocol import RESULTS, left_out
from ..uncertainty.patients import fold_models
from .judge import all_routes, name_of

NAME, TITLE = "brain-mr-any-contrast", "Brain MR, any contrast"
MODELS = ("brain-mr-t1w-t2w", "brain-mr-t1w-flair", "brain-mr-t2w-flair", "brain-mr-t1wgd-t1w", "brain-mr-t1wgd-t2w")
SLICES = 12  # of a scene
LIMITS = [
    "T1w with gadolinium cannot be made: what takes up the agent is in none of the other contrasts.",
    "Several inputs are averaged: noise and errors become less, and fine detail a little softer than of the best one.",
]
NOTES = (
    "The networks of the pair models as they are, and one from T1w with gadolinium to FLAIR (final-gd, begun with T1w "
    "to FLAIR). One input gives what its pair's model gives; several give a weighted mean, with shares that err least "
    "on {patients} patients of hospitals that the measured networks, trained for 2.5 to 7.5 minutes, had not seen "
    "(Testing/benchmarks/quality/domains/mixture.py)."
)


@dataclass(frozen=True)
class Translated:
    """A scene of a left-out patient with what the networks of its fold make of it.

    Attributes:
        scene: The scene.
        fold: Whose networks they are.
        chosen: Numbers of the slices.
        images: (n, h, w) float16 by input and target.
    """

    scene: Scene
    fold: str
    chosen: np.ndarray
    images: Mapping[tuple[str, str], np.ndarray]

    def mixed(self, shares: Mapping[str, float], target: str) -> np.ndarray:
        """The weighted mean, float32."""
        return sum(share * self.images[name, target].astype(np.float32) for name, share in shares.items())

    def products(self, target: str) -> Products:
        """Of the errors of every two inputs."""
        real, body = self.scene.images[target][self.chosen].astype(np.float32), self.scene.body[self.chosen]
        errors = {
            name: (image.astype(np.float32) - real)[body] for (name, end), image in self.images.items() if end == target
        }
        return products_of(errors, float(np.ptp(real[body])))


def translated(folds: Path, scenes: list[Scene]) -> list[Translated]:
    """Every scene of the cohort by the networks of the fold that leaves its patient out."""
    ways = {(start, end): fold_models(folds, start, end) for start in CONTRASTS for end in CONTRASTS if start != end}
    result = []
    for scene in scenes:
        chosen = chosen_slices(scene, SLICES)
        images, of_fold = {}, ""
        for (start, end), models in ways.items():
            for model in models:
                if {start, end} <= set(scene.images) and left_out(scene, model.fold):
                    images[start, end] = translate(model.network, scene, start, chosen, model.stack).astype(np.float16)
                    of_fold = model.fold
        if images:
            result.append(Translated(scene, of_fold, chosen, images))
            print(scene.name, of_fold, len(images), flush=True)
    return result


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
    result = {"shares": told["shares"], "patients": patients, "left_out": cross_validated(entries)}
    arguments.result.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told["shares"], indent=1))
    if arguments.write:
        training = training_of(pairs)
        training |= told | {
            "notes": NOTES.format(patients=max(patients.values())),
            "limits": [*training["limits"], *LIMITS],
        }
        save(arguments.output, pairs, pairs.card(NAME, TITLE, training), shares, overwrite=True)
        print(arguments.output)


if __name__ == "__main__":
    main()
