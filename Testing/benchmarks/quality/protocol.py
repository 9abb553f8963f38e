"""Leave-one-site-out: recipes side by side at equal seconds of one core, then the table.

python -m Testing.benchmarks.quality.protocol --seconds 150 --recipes base curve ...
python -m Testing.benchmarks.quality.protocol --table
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from surgical_style_engine.common import heap

from .data import load_cohort
from .judge import judge_all, mean_of
from .picture import picture
from .recipes import RECIPES
from .train import Training

RESULTS = Path(__file__).resolve().parents[1] / "results" / "quality"
FEW_SLICES = 7  # of a scene, on the way
# Patients of these sites (and of raw heads these patients) are left out together, so that two trainings judge most.
FOLDS = {
    "a": ("TCIA01", "patient03"),
    "b": ("CBICA", "TCIA10", "TCIA13", "patient01"),
    "c": ("TCIA02", "TCIA03", "mni-patient19"),
}
# For the learning curve: few patients are left out, so that ten are there to be trained on.
SMALL_FOLDS = {"d": ("CBICA",), "e": ("TCIA03", "TCIA10", "TCIA13")}


def shipped_pairs() -> list[Path]:
    """Folders of the shipped models for pairs; that for any contrast is made of them."""
    from surgical_style_engine.models.card import read_card
    from surgical_style_engine.models.names import shipped_models_folder

    return [path for path in sorted(shipped_models_folder().glob("brain-mr-*")) if not read_card(path).is_many]


def left_out(scene, fold: str) -> bool:
    without = {**FOLDS, **SMALL_FOLDS}[fold]
    return scene.site in without or scene.patient in without


def first_patients(scenes: list, most: int) -> list:
    """The scenes of so many patients, site after site in turn, so that few patients are of many sites; all if 0."""
    if not most:
        return scenes
    by_site: dict[str, list[str]] = {}
    for scene in scenes:
        if scene.patient not in by_site.setdefault(scene.site, []):
            by_site[scene.site].append(scene.patient)
    rounds = max(map(len, by_site.values()))
    turns = [patients[turn] for turn in range(rounds) for patients in by_site.values() if turn < len(patients)]
    return [scene for scene in scenes if scene.patient in turns[:most]]


def run(
    name: str,
    fold: str,
    seconds: float,
    source: str,
    target: str,
    scenes: list,
    result: Path,
    picture_folder: Path | None = None,
    parts: int = 1,
    patients: int = 0,
) -> dict:
    """Train one recipe without a fold's sites and judge it on them; adds to the JSON file."""
    started = time.time()
    judged_on = [s for s in scenes if left_out(s, fold)]
    both = [s for s in scenes if not left_out(s, fold) and {source, target} <= set(s.images)]
    shown = first_patients(both, patients)
    training = Training(RECIPES[name], shown, source, target, seconds)
    curve = []
    for number in range(1, parts + 1):
        training.run(seconds * number / parts)
        if number < parts:
            judged = mean_of(judge_all(training.averaged, judged_on, source, target, FEW_SLICES))
            curve.append({"steps": training.step, "seconds": round(training.spent, 1), **judged})
            print(name, fold, curve[-1], flush=True)
    if picture_folder:
        picture(
            {name: training.averaged},
            judged_on,
            source,
            target,
            picture_folder / f"{name}_{fold}_{source}_{target}.png",
        )
        torch.save(training.averaged.state_dict(), picture_folder / f"{name}_{fold}_{source}_{target}.pt")
    entry = judged_entry(name, fold, training, shown, judged_on)
    entry |= {"minutes": round((time.time() - started) / 60, 1), "curve": curve}
    record(entry, result)
    return entry


def judged_entry(name: str, fold: str, training: Training, shown: list, judged_on: list) -> dict:
    """What is kept of a training that has ended: what it saw, and its figures on what was left out."""
    figures = judge_all(training.averaged, judged_on, training.source, training.target)
    return {
        "recipe": name,
        "fold": fold,
        "seconds": training.budget,
        "source": training.source,
        "target": training.target,
        "steps": training.step,
        "images": training.images,
        "patients": len({s.patient for s in shown}),
        "parameters": sum(p.numel() for p in training.network.parameters()),
        "loss": training.history[-1:],
        "mean": mean_of(figures),
        "scenes": figures,
    }


def record(entry: dict, result: Path) -> None:
    """Put an entry into the JSON file, instead of an earlier one of the same training."""
    stored = json.loads(result.read_text()) if result.exists() else []
    same = ("recipe", "fold", "seconds", "source", "target", "patients")
    stored = [old for old in stored if any(old.get(key) != entry[key] for key in same)] + [entry]
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(stored, indent=1))


def table(result: Path) -> str:
    """Means over all scenes of all folds, one line a recipe; brains of other sites and whole heads apart."""
    rows: dict[tuple, dict] = {}
    for entry in json.loads(result.read_text()):
        key = (f"{entry['source']}>{entry['target']}", entry["seconds"], entry["recipe"])
        row = rows.setdefault(key, {"folds": "", "steps": 0, "brains": {}, "heads": {}})
        row["folds"] += entry["fold"]
        row["steps"] += entry["steps"]
        for name, figures in entry["scenes"].items():
            row["heads" if name.endswith("_head") else "brains"][name] = figures
    columns = "pair s recipe folds steps psnr toned ssim ms_ssim sharp tumour heads_psnr heads_ssim heads_sharp".split()
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for (pair, seconds, recipe), row in sorted(rows.items()):
        b, h = mean_of(row["brains"]), mean_of(row["heads"])
        values = [b.get(k, float("nan")) for k in ("psnr", "psnr_toned", "ssim", "ms_ssim", "sharpness", "tumour")]
        values += [h.get(k, float("nan")) for k in ("psnr", "ssim", "sharpness")]
        numbers = " | ".join(f"{v:.2f}" if v > 3 else f"{v:.3f}" for v in values)
        lines.append(f"| {pair} | {seconds:g} | {recipe} | {row['folds']} | {row['steps']} | {numbers} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--result", type=Path, default=RESULTS / "leave-one-site-out.json")
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--folds", default="ab")
    parser.add_argument("--source", default="T1w")
    parser.add_argument("--target", default="T2w")
    parser.add_argument("--recipes", nargs="*", default=["base"])
    parser.add_argument("--pictures", type=Path, help="folder for pictures of what was left out")
    parser.add_argument("--parts", type=int, default=1, help="judge so many times on the way")
    parser.add_argument("--patients", type=int, default=0, help="train on so many patients only; 0: on all")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    heap.keep_freed(heap.TO_TRAIN)
    if not arguments.table:
        scenes = load_cohort(arguments.cache)
        for name in arguments.recipes:
            for fold in arguments.folds:
                entry = run(
                    name,
                    fold,
                    arguments.seconds,
                    arguments.source,
                    arguments.target,
                    scenes,
                    arguments.result,
                    arguments.pictures,
                    arguments.parts,
                    arguments.patients,
                )
                print(name, fold, entry["steps"], entry["minutes"], entry["loss"], entry["mean"], flush=True)
    if arguments.result.exists():
        print(table(arguments.result))


if __name__ == "__main__":
    main()
