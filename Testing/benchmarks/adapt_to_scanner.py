"""Adapting a style to a hospital that it has never seen: one pair of a patient, judged on that hospital's others.

python -m Testing.benchmarks.adapt_to_scanner --data ../shared/data --folds runs/folds --steps 900

The models are those trained without some hospitals (``Testing.benchmarks.quality.ship --fold``), so that the patient
who is given and the patients who are judged are all of a hospital that the style has never seen. No check patient is
among them. What is written: ``results/adapt-to-scanner.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.geometry import to_canonical
from training_cli.adapt.adapt import Watcher, adapt
from training_cli.adapt.proof import NotBetterError, Proof, judged_pair, paired_figures
from training_cli.adapt.request import AdaptRequest

RESULT = Path(__file__).resolve().parent / "results" / "adapt-to-scanner.json"
STYLE = "brain-mr-t1w-t2w"
# fold, the patients whose pairs are given (of two, the second is kept aside), other patients of that hospital.
CASES = (
    ("a", "TCIA01_201_1", ("TCIA01_378_1", "TCIA01_425_1", "TCIA01_499_1")),
    ("a", "TCIA01_425_1", ("TCIA01_201_1", "TCIA01_378_1", "TCIA01_499_1")),
    ("b", "CBICA_ABM_1", ("CBICA_AME_1",)),
    ("b", "CBICA_AME_1", ("CBICA_ABM_1",)),
    ("a", "TCIA01_201_1 TCIA01_499_1", ()),
    ("a", "TCIA01_201_1 TCIA01_425_1", ()),
)


def pair_of(data: Path, patient: str) -> list:
    return [to_canonical(read_volume(data / "brats" / f"{patient}_{name}.nii.gz"))[0] for name in ("T1", "T2")]


def judged(model, direction: str, data: Path, patient: str) -> dict:
    source, target = pair_of(data, patient)
    whole = judged_pair(source, target, np.arange(source.array.shape[1]), "axial")
    return paired_figures(model, direction, [whole], RunOptions(device="cpu", precision="fp32", backend="torch"))


def run(case: tuple, arguments: argparse.Namespace, folder: Path) -> dict:
    fold, given, others = case
    original = load_model(arguments.folds / fold / "models" / STYLE)
    sources, targets = zip(*(pair_of(arguments.data, patient) for patient in given.split()), strict=True)
    name = f"adapted-{given.lower().replace(' ', '-')}"
    request = AdaptRequest(original, name, sources, targets, steps=arguments.steps, folder=folder, device="cpu")
    begun, used = time.time(), time.process_time()
    entry = {"fold": fold, "pair": given, "steps": arguments.steps, "refused": ""}
    try:
        result = adapt(request, Watcher(lambda line: print("  ", line, flush=True)))
    except NotBetterError as error:
        return entry | {"refused": str(error)}
    entry |= {
        "seconds": round(time.time() - begun, 1),
        "processor_seconds": round(time.process_time() - used, 1),
        "training_minutes": round(result.minutes, 2),
        "slices_learned": result.card.training["adapted"]["slices"],
        "slices_aside": result.aside.slices,
        "aside": {way: _entry(proof) for way, proof in result.proofs.items()},
        "others": {},
    }
    adapted = load_model(result.folder)
    for patient in others:
        proofs = {
            way: Proof(*(judged(model, way, arguments.data, patient) for model in (original, adapted)))
            for way in original.card.directions
        }
        entry["others"][patient] = {way: _entry(proof) for way, proof in proofs.items()}
        print(patient, {way: proof.text() for way, proof in proofs.items()}, flush=True)
    return entry


def _entry(proof: Proof) -> dict:
    rounded = [{key: round(value, 4) for key, value in part.items()} for part in (proof.original, proof.adapted)]
    return {"original": rounded[0], "adapted": rounded[1], "why_not": proof.why_not}


def table(path: Path) -> str:
    """The results as the table of docs/adapt.md."""
    lines = [
        "| given | judged on | way | PSNR (dB) | SSIM | mean error | sharpness | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in json.loads(path.read_text())["cases"]:
        if case["refused"]:
            lines.append(f"| {case['pair'].replace(' ', ', ')} | | | | | | | refused: {case['refused']} |")
            continue
        what = "its {} slices kept aside" if " " not in case["pair"] else "the second one ({} slices)"
        aside = (what.format(case["slices_aside"]), case["aside"], True)
        for what, figures, is_aside in (aside, *((f"patient {k}", v, False) for k, v in case["others"].items())):
            for way, text in (("forward", "T1w to T2w"), ("backward", "T2w to T1w")):
                before, after, why = (figures[way][key] for key in ("original", "adapted", "why_not"))
                if before == after:
                    continue  # this direction kept its weights
                verdict = "better" if not why else "not better: keeps its weights" if is_aside else "**not better**"
                numbers = [
                    f"{before[key]:.{digits}f} to {after[key]:.{digits}f}"
                    for key, digits in (("psnr", 1), ("ssim", 2), ("mae_normalised", 2), ("sharpness", 2))
                ]
                lines.append(f"| {case['pair']} | {what} | {text} | {' | '.join(numbers)} | {verdict} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folds", type=Path, default=Path("runs/folds"))
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--cases", type=int, nargs="*", default=list(range(len(CASES))))
    parser.add_argument("--keep", type=Path, help="folder in which the adapted styles stay")
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--table", action="store_true", help="only show the results")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(arguments.result))
        return
    torch.set_num_threads(1)
    entries = json.loads(arguments.result.read_text())["cases"] if arguments.result.exists() else []
    for number in arguments.cases:
        with tempfile.TemporaryDirectory() as folder:
            entry = run(CASES[number], arguments, arguments.keep or Path(folder))
        print(json.dumps(entry), flush=True)
        same = (entry["pair"], entry["steps"])
        entries = [other for other in entries if (other["pair"], other["steps"]) != same] + [entry]
        machine = f"{platform.machine()}, one thread, torch {torch.__version__.split('+')[0]}"
        arguments.result.write_text(json.dumps({"machine": machine, "cases": entries}, indent=1) + "\n")


if __name__ == "__main__":
    main()
