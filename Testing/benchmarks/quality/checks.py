"""The check patients, once: shipped models on patients that had no part in any choice.

    python -m Testing.benchmarks.quality.checks --old FOLDER_OF_AN_OLDER_MODEL

``sst evaluate`` from file to file (as a user runs it; with ``--write-card`` the figures go into the models' cards), and
sharpness and tumour contrast of the same images on the cohort's grids. Writes results/quality/check-patients.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .data import BRATS_NAMES, MNI_NAMES, RAW_NAMES, load_cohort
from .judge import judge_all
from .protocol import RESULTS, shipped_pairs

PATIENTS = {
    "patient04": ("open-ms/longitudinal/patient04_study1_{}.nii.gz", RAW_NAMES, "whole head, Ljubljana"),
    "mni-patient07": ("open-ms/mni/patient07_{}.nii.gz", MNI_NAMES, "brain, 1 mm, Ljubljana"),
    "TCIA02_370_1": ("brats/TCIA02_370_1_{}.nii.gz", BRATS_NAMES, "brain with a glioma, TCIA02"),
    "CBICA_AQN_1": ("brats/CBICA_AQN_1_{}.nii.gz", BRATS_NAMES, "brain with a glioma, CBICA"),
}
FIGURES = ("psnr", "ssim", "ms_ssim", "mae_normalised")


@dataclass(frozen=True)
class Direction:
    """One direction of a model folder."""

    folder: Path
    name: str
    source: str
    target: str


def directions(folder: Path) -> list[Direction]:
    """What a model folder translates."""
    from surgical_style_engine.models.folder import read_card

    card = read_card(folder)
    return [Direction(folder, d, card.domain_from(d).name, card.domain_to(d).name) for d in card.directions]


def evaluate(direction: Direction, patient: str, data: Path, write_card: bool) -> dict | None:
    """The figures of ``sst evaluate`` for one patient; None where the patient lacks a contrast."""
    pattern, names, what = PATIENTS[patient]
    if not {direction.source, direction.target} <= set(names):
        return None
    files = [data / pattern.format(names[contrast]) for contrast in (direction.source, direction.target)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "training_cli.main", "evaluate", "--model", str(direction.folder)]
        command += ["--direction", direction.name, "--source", str(files[0]), "--reference", str(files[1])]
        command += ["--report", str(report), "--progress", "none", "--no-cycle"]
        if write_card:
            label = f"{patient} ({what}; never trained on, never chosen by), {direction.source} to {direction.target}"
            command += ["--write-card", label]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        quality = json.loads(report.read_text(encoding="utf-8"))["quality"]["reference"]
    figures = {key: round(float(quality[key]), 4) for key in FIGURES}
    for floor, values in quality["floors"].items():
        figures |= {f"{floor}_{key}": round(float(values[key]), 4) for key in ("psnr", "ssim")}
    return figures


def shapes(direction: Direction, cache: Path) -> dict[str, dict]:
    """Sharpness, edges and tumour contrast of the check patients' scenes."""
    from surgical_style_engine.models.folder import load_model

    network = load_model(str(direction.folder)).generator(direction.name)
    scenes = [s for s in load_cohort(cache, checks=True) if not s.name.endswith("_brain") and "study2" not in s.name]
    judged = judge_all(network, scenes, direction.source, direction.target)
    keys = ("sharpness", "edges", "tumour")
    return {name.split("_study")[0]: {k: v[k] for k in keys if k in v} for name, v in judged.items()}


def mean_and_spread(entries: list[dict]) -> dict[str, list[float]]:
    """key: [mean, standard deviation over patients]."""
    keys = dict.fromkeys(key for entry in entries for key in entry)
    values = {key: [entry[key] for entry in entries if key in entry] for key in keys}
    return {key: [round(float(np.mean(v)), 4), round(float(np.std(v)), 4)] for key, v in values.items()}


def table(result: list[dict]) -> str:
    """Means and standard deviations over patients, a line a direction."""
    columns = ("psnr", "ssim", "ms_ssim", "sharpness", "tumour", "histogram_matched_psnr")
    heads = ("PSNR (dB)", "SSIM", "MS-SSIM", "sharpness", "tumour contrast", "histogram matched (dB)")
    lines = [f"| | patients | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
    for entry in result:
        cells = []
        for key in columns:
            mean, spread = entry["mean_and_spread"].get(key, (None, None))
            digits = 1 if key.endswith("psnr") else 2
            cells.append("-" if mean is None else f"{mean:.{digits}f} ± {spread:.{digits}f}")
        name = f"{entry['source']} to {entry['target']}" + (", before" if entry["model"].endswith("(old)") else "")
        lines.append(f"| {name} | {len(entry['patients'])} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--models", type=Path, nargs="*", help="folders; the shipped ones if not given")
    parser.add_argument("--old", type=Path, nargs="*", default=[], help="folders of models to compare with")
    parser.add_argument("--write-card", action="store_true")
    parser.add_argument("--result", type=Path, default=RESULTS / "check-patients.json")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    folders = arguments.models or shipped_pairs()
    result = []
    for folder in [*folders, *arguments.old]:
        for direction in directions(folder):
            patients = {}
            form = shapes(direction, arguments.cache)
            for patient in PATIENTS:
                write = arguments.write_card and folder not in arguments.old
                figures = evaluate(direction, patient, arguments.data, write)
                if figures:
                    patients[patient] = figures | form.get(patient, {})
            entry = {
                "model": folder.name + (" (old)" if folder in arguments.old else ""),
                "source": direction.source,
                "target": direction.target,
                "patients": patients,
                "mean_and_spread": mean_and_spread(list(patients.values())),
            }
            result.append(entry)
            print(entry["model"], entry["source"], entry["target"], entry["mean_and_spread"], flush=True)
    arguments.result.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    main()
