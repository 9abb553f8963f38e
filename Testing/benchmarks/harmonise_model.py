"""A trained model (`sst train --method many-to-one`) beside harmonising without one, on scans that it has not seen.

    python -m Testing.benchmarks.harmonise_model train DATA WORK [--steps N]
    python -m Testing.benchmarks.harmonise_model judge DATA WORK RESULT.json

Two models of T1w, each trained without half of the patients, bring these into the look of the site TCIA01. Prints the
second table of docs/harmonise.md. Check patients are left out of both.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import StyleModel, load_model
from surgical_style_engine.volumes.tissues.landmarks import measure
from Testing.benchmarks.harmonise import (
    FILES,
    LEVELS,
    METHODS,
    PSEUDO_SITES,
    Method,
    Scan,
    _features,
    _told,
    altered,
    load,
    real_sites,
)
from Testing.benchmarks.quality.data import CHECK_PATIENTS

REFERENCE = "TCIA01"
# Left out of the first model's training, and of the second's: half of the patients of every site each.
HALVES = (
    ("CBICA_ABM", "TCIA01_201", "TCIA01_378", "TCIA02_135", "TCIA10_637", "patient01", "patient03"),
    ("CBICA_AME", "TCIA01_425", "TCIA01_499", "TCIA03_265", "TCIA13_623", "patient19_study", "patient20"),
)
MODEL = "a model (`--method many-to-one`)"
OTHERS = "other hospitals"  # of one scan or two each


def site_to_train(name: str) -> str:
    """The site that a scan's file is given to."""
    if name.startswith(REFERENCE):
        return REFERENCE
    return "Ljubljana" if name.startswith("patient") else OTHERS


def train(data: Path, work: Path, steps: int) -> None:
    """Train both models with links to the scans of the other half's patients."""
    from training_cli.training.config import load_config
    from training_cli.training.loop import train as run_training

    for number, half in enumerate(HALVES):
        domains = {}
        for path in (path for pattern in FILES["T1w"][:2] for path in sorted(data.glob(pattern))):
            if path.name.startswith(CHECK_PATIENTS) or path.name.startswith(half):
                continue
            folder = work / f"scans-{number}" / site_to_train(path.name)
            folder.mkdir(parents=True, exist_ok=True)
            link = folder / path.name
            if not link.is_symlink():
                link.symlink_to(path.resolve())
            domains[folder.name] = folder
        settings = {
            "method": "many-to-one",
            "domains": domains,
            "reference": REFERENCE,
            "source_name": "T1w",
            "output": work / f"run-{number}",
            "max_steps": steps,
            "threads": 1,
            "device": "cpu",
            "precision": "fp32",
            "trackers": ["csv"],
            "sample_every": steps // 2,
            "name": f"look-{number}",
        }
        begun = time.process_time()
        run_training(load_config(None, settings), say=print)
        seconds = time.process_time() - begun
        (work / f"run-{number}" / "cpu-seconds.json").write_text(json.dumps(seconds))
        print(f"half {number}: {seconds:.0f} s of one thread")


def unseen(scan: Scan) -> int:
    """Number of the model that has not seen a scan's patient; the first one for patients of neither."""
    return 1 if scan.name.startswith(HALVES[1]) else 0


def by_model(models: list[StyleModel]) -> Method:
    """The scan through the model that has not seen its patient."""

    def method(scan: Scan, like: Scan | list[Scan]) -> np.ndarray:
        options = {"device": "cpu", "precision": "fp32"}
        return translate_volume(scan.volume, models[unseen(scan)], **options).volume.array[0].astype(np.float32)

    return method


def seen_reference(scans: list[Scan], scan: Scan) -> list[Scan]:
    """The reference's scans that the model of a scan was trained on: all methods get these."""
    return [one for one in scans if one.site == REFERENCE and unseen(one) != unseen(scan)]


def into_the_site(scans: list[Scan]) -> dict:
    """Altered scans into the site's look: error of the reference's own, and whether a classifier tells the scanner.

    MR has no units: an error is what is left after the best factor.
    """
    psnr: dict[str, list[float]] = {name: [] for name in METHODS}
    features: dict[str, list[np.ndarray]] = {name: [] for name in METHODS}
    sites: list[int] = []
    patients: list[str] = []
    for number, scan in enumerate(scans[:12]):
        for place, site in enumerate(PSEUDO_SITES):
            volume = altered(scan, site, 10 * number + place)
            try:
                landmarks, flat, brain = measure(volume, scan.kind, scan.extracted)
            except InputError:
                continue
            parts = (scan.kind, scan.extracted, volume, landmarks, flat.array[0], brain, None)
            other = Scan(scan.name, scan.patient, site, *parts)
            sites.append(place)
            patients.append(scan.patient)
            for name, method in METHODS.items():
                result = method(other, seen_reference(scans, scan))
                white = float(np.median(result[scan.brain]))
                features[name].append(_features(result / white, scan.brain))
                if scan.site == REFERENCE:
                    psnr[name].append(_psnr(result[scan.brain], scan.flat[scan.brain]))
    told = {name: np.array(features[name]) for name in METHODS}
    arrays = np.array(sites), np.array(patients)
    return {
        name: {
            "psnr": psnr[name],
            "told": _told(told[name][:, :LEVELS], *arrays),
            "told_by_texture_too": _told(told[name], *arrays),
        }
        for name in METHODS
    }


def _psnr(result: np.ndarray, truth: np.ndarray) -> float:
    """In dB, of 0 to the truth's 99.5th percentile, after the best factor."""
    factor = float((result * truth).sum() / (result * result).sum())
    error = (factor * result - truth) / float(np.percentile(truth, 99.5))
    return float(-10 * np.log10(np.mean(error**2)))


def table(results: dict) -> str:
    """Markdown."""
    lines = [
        "| | PSNR to the truth (dB) | site told by grey values (chance 25 %) | ... and texture "
        "| tissues to white matter vary by | tumour contrast changes by | tissue volumes change by | order of voxels |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, pseudo in results["pseudo"].items():
        real = results["real"][name]
        psnr, kept = np.array(pseudo["psnr"]), np.abs(real["tumour_contrast_changed"])
        to_white = [f"{100 * share:.0f}" for share in real["variation_to_white"] if share > 1e-6]
        lines.append(
            f"| {name} | {psnr.mean():.1f} ± {psnr.std():.1f} | {100 * pseudo['told']:.0f} % "
            f"| {100 * pseudo['told_by_texture_too']:.0f} % | {', '.join(to_white)} % "
            f"| {np.median(kept):.2f} (at most {kept.max():.2f}) | {100 * np.median(real['volumes_kept']):.1f} % "
            f"| {np.median(real['order_kept']):.3f} |"
        )
    return "\n".join(lines)


def judge(data: Path, work: Path, result: Path) -> None:
    """Measure both models beside the methods without training, print the table, and keep the figures."""
    begun = time.process_time()
    models = [load_model(work / f"run-{number}" / "model" / f"look-{number}") for number in range(len(HALVES))]
    METHODS[MODEL] = by_model(models)
    paths = [path for pattern in FILES["T1w"] for path in sorted(data.glob(pattern))]
    names = tuple(patient.removeprefix("mni-") for patient in CHECK_PATIENTS)
    scans = [load(path) for path in paths if not path.name.startswith(names)]
    results = {
        "steps": [model.card.training["steps"] for model in models],
        "cpu_seconds_of_training": [
            json.loads((work / f"run-{number}" / "cpu-seconds.json").read_text()) for number in range(len(HALVES))
        ],
        "pseudo": into_the_site(scans),
        "real": real_sites(scans),
    }
    results["seconds"] = time.process_time() - begun
    result.write_text(json.dumps(results, indent=1))
    print(table(results))


def main() -> None:
    """Train or judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["train", "judge"])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("result", type=Path, nargs="?")
    parser.add_argument("--steps", type=int, default=1500)
    given = parser.parse_args()
    if given.what == "train":
        train(given.data, given.work, given.steps)
    else:
        judge(given.data, given.work, given.result)


if __name__ == "__main__":
    main()
