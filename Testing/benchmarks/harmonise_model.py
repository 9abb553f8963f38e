"""A trained model (`sst train --method many-to-one`) beside harmonising without one, on scans that it has not seen.

    python -m Testing.benchmarks.harmonise_model train DATA WORK [--steps N]
    python -m Testing.benchmarks.harmonise_model judge DATA WORK --part real    # and --part 0, --part 1
    python -m Testing.benchmarks.harmonise_model gather RESULT.json WORK

Two models of T1w, each trained without half of the patients, bring these into the look of the site TCIA01. Prints the
second table of docs/harmonise.md. Check patients are left out of both.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.card import read_card
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
ALTERED, PARTS = 12, 2  # scans that are altered, and into how many parts their judging is cut
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
        result = translate_volume(scan.volume, models[unseen(scan)], device="cpu", precision="fp32", backend="openvino")
        return result.volume.array[0].astype(np.float32)

    return method


def seen_reference(scans: list[Scan], scan: Scan) -> list[Scan]:
    """The reference's scans that the model of a scan was trained on: all methods get these."""
    return [one for one in scans if one.site == REFERENCE and unseen(one) != unseen(scan)]


def into_the_site(scans: list[Scan], numbers: list[int]) -> list[dict]:
    """Altered scans into the site's look: of each its features by method and, of the reference's own, its error.

    MR has no units: an error is what is left after the best factor.
    """
    records = []
    for number in numbers:
        scan = scans[number]
        for place, site in enumerate(PSEUDO_SITES):
            volume = altered(scan, site, 10 * number + place)
            try:
                landmarks, flat, brain = measure(volume, scan.kind, scan.extracted)
            except InputError:
                continue
            other = replace(scan, site=site, volume=volume, landmarks=landmarks, flat=flat.array[0], brain=brain)
            record: dict = {"patient": scan.patient, "site": place, "features": {}, "psnr": {}}
            for name, method in METHODS.items():
                result = method(other, seen_reference(scans, scan))
                white = float(np.median(result[scan.brain]))
                record["features"][name] = _features(result / white, scan.brain).tolist()
                if scan.site == REFERENCE:
                    record["psnr"][name] = _psnr(result[scan.brain], scan.flat[scan.brain])
            records.append(record)
            print(scan.name, site, record["psnr"], flush=True)
    return records


def told_apart(records: list[dict]) -> dict:
    """The errors, and whether a classifier tells the scanner, by method."""
    sites, patients = (np.array([record[key] for record in records]) for key in ("site", "patient"))
    figures = {}
    for name in records[0]["features"]:
        features = np.array([record["features"][name] for record in records])
        figures[name] = {
            "psnr": [record["psnr"][name] for record in records if record["psnr"]],
            "told": _told(features[:, :LEVELS], sites, patients),
            "told_by_texture_too": _told(features, sites, patients),
        }
    return figures


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


def judge(data: Path, work: Path, part: str) -> None:
    """Measure both models beside the methods without training: the real scans, or some of the altered ones."""
    begun = time.process_time()
    models = [load_model(work / f"run-{number}" / "model" / f"look-{number}") for number in range(len(HALVES))]
    METHODS[MODEL] = by_model(models)
    paths = [path for pattern in FILES["T1w"] for path in sorted(data.glob(pattern))]
    names = tuple(patient.removeprefix("mni-") for patient in CHECK_PATIENTS)
    scans = [load(path) for path in paths if not path.name.startswith(names)]
    if part == "real":
        found: dict | list = real_sites(scans)
    else:
        found = into_the_site(scans, list(range(ALTERED))[int(part) :: PARTS])
    seconds = time.process_time() - begun
    (work / f"judged-{part}.json").write_text(json.dumps({"found": found, "seconds": seconds}))


def gather(work: Path, result: Path) -> None:
    """Put the parts together, print the table, and keep the figures."""
    parts = {part: json.loads((work / f"judged-{part}.json").read_text()) for part in ("real", *map(str, range(PARTS)))}
    cards = [read_card(work / f"run-{number}" / "model" / f"look-{number}") for number in range(len(HALVES))]
    results = {
        "steps": [card.training["steps"] for card in cards],
        "cpu_seconds_of_training": [
            json.loads((work / f"run-{number}" / "cpu-seconds.json").read_text()) for number in range(len(HALVES))
        ],
        "pseudo": told_apart([record for part in map(str, range(PARTS)) for record in parts[part]["found"]]),
        "real": parts["real"]["found"],
        "seconds": sum(part["seconds"] for part in parts.values()),
    }
    result.write_text(json.dumps(results, indent=1))
    print(table(results))


def main() -> None:
    """Train, judge a part, or gather."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["train", "judge", "gather"])
    parser.add_argument("data", type=Path, help="the data; for gather the result's file")
    parser.add_argument("work", type=Path)
    parser.add_argument("--part", default="real", choices=["real", *map(str, range(PARTS))])
    parser.add_argument("--steps", type=int, default=1100)
    given = parser.parse_args()
    if given.what == "train":
        train(given.data, given.work, given.steps)
    elif given.what == "judge":
        judge(given.data, given.work, given.part)
    else:
        gather(given.work, given.data)


if __name__ == "__main__":
    main()
