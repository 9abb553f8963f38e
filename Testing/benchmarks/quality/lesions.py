"""The lesion ledger of every shipped model, and of models on the hospitals that their training left out.

    python -m Testing.benchmarks.quality.lesions --appearance          # what real lesions look like in each contrast
    python -m Testing.benchmarks.quality.lesions --write-card          # shipped models on the check patients, once
    python -m Testing.benchmarks.quality.lesions --folds runs/folds    # models without some hospitals, on these
    python -m Testing.benchmarks.quality.lesions --table               # what the last one found

Real lesions are the tumours of the gliomas and the lesions of multiple sclerosis. Implanted ones are spheres of 2 to 20
mm that look in the source as real ones do (``TYPICAL_DIFFERENCE``), in two draws a patient. Some directions are
measured with a structure guard of 2 mm, too (check patients). Writes results/quality/lesions.json, on request cards.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.adjust.guard import structure_guard
from surgical_style_engine.metrics.lesions import (
    TYPICAL_DIFFERENCE,
    LedgerCase,
    choose_places,
    lesion_ledger,
    smallest_surviving,
    summed,
    survival,
    trials,
)
from surgical_style_engine.metrics.lesions.components import components, contrast_of
from surgical_style_engine.metrics.lesions.ledger import VISIBLE

from .checks import directions
from .data import CONTRASTS, Scene, load_cohort
from .judge import translate
from .protocol import FOLDS, RESULTS, left_out, shipped_pairs

RESULT = RESULTS / "lesions.json"
CHECKED = "check patients"
GUARD_MM = 2.0
GUARDED = (("T1w", "T2w"), ("T1w", "FLAIR"), ("T2w", "FLAIR"), ("FLAIR", "T2w"))  # measured with the guard as well
SEEDS = (0, 1)
ISOTROPIC = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Judged:
    """A network, whose it is, and the patients that it is judged on."""

    model: str
    source: str
    target: str
    network: torch.nn.Module
    scenes: list[Scene]
    patients: str


def labelled(scenes: list[Scene]) -> list[Scene]:
    """Scenes with lesions, whose contrasts share one isotropic grid."""
    return [scene for scene in scenes if scene.labels is not None and scene.labels.any()]


def appearance(scenes: list[Scene]) -> dict[str, dict]:
    """How lesions differ from their surroundings: all, and those that are visible the usual way round."""
    found: dict[str, list] = {contrast: [] for contrast in CONTRASTS}
    for scene in labelled(scenes):
        for component in components(scene.labels, ISOTROPIC, scene.body, 3.0):
            for contrast, image in scene.images.items():
                measured = contrast_of(image.astype(np.float32), component)
                if measured is not None:
                    found[contrast].append((measured.difference, measured.to_noise))
    table = {}
    for contrast, values in found.items():
        differences, ratios = np.array(values).T
        usual = 1 if np.sum(ratios >= VISIBLE) >= np.sum(ratios <= -VISIBLE) else -1
        visible = differences[usual * ratios >= VISIBLE]
        table[contrast] = {
            "lesions": len(values),
            "difference_quartiles": np.percentile(differences, (25, 50, 75)).round(3).tolist(),
            "visible": len(visible),
            "visible_quartiles": np.percentile(visible, (25, 50, 75)).round(3).tolist(),
        }
    return table


def measure(judged: Judged, places: dict) -> dict:
    """Ledger and survival of one direction, with and without the guard; ``places`` keeps where lesions were set."""
    plain: dict = {"ledgers": [], "trials": []}
    guarded: dict = {"ledgers": [], "trials": []}
    with_guards = judged.patients == CHECKED and (judged.source, judged.target) in GUARDED
    for scene in judged.scenes:
        image = scene.images[judged.source].astype(np.float32)
        run = translator(judged, scene)
        for entry, form in ((plain, run), (guarded, with_guard(run)))[: 1 + with_guards]:
            before = form(image)
            real = scene.images[judged.target].astype(np.float32)
            case = LedgerCase(before, real, scene.labels, scene.body, ISOTROPIC, judged.target)
            ledger = lesion_ledger(case)
            entry["ledgers"].append(ledger)
            for seed in SEEDS:
                key = (scene.name, judged.source, seed)
                if key not in places:
                    places[key] = choose_places(image, scene.body, ISOTROPIC, scene.labels, seed=seed)
                difference = TYPICAL_DIFFERENCE[judged.source]
                entry["trials"] += trials(
                    image, form, places[key], scene.body, ISOTROPIC, difference, ledger["polarity"], before
                )
    result = {
        "model": judged.model,
        "source": judged.source,
        "target": judged.target,
        "patients": [scene.patient for scene in judged.scenes],
        "what": judged.patients,
        "source_difference": TYPICAL_DIFFERENCE[judged.source],
        "plain": summary(plain),
    }
    return {**result, "guarded": summary(guarded)} if with_guards else result


def summary(entry: dict) -> dict:
    rows = survival(entry["trials"])
    return {"real": summed(entry["ledgers"]), "implanted": rows, "smallest_mm": smallest_surviving(rows)}


def translator(judged: Judged, scene: Scene) -> Callable[[np.ndarray], np.ndarray]:
    """From the source image of a scene to its translation; what was translated last is kept."""
    kept: dict[bytes, np.ndarray] = {}
    every = np.arange(len(scene.body))
    stack = getattr(judged.network, "in_channels", 3)

    def run(image: np.ndarray) -> np.ndarray:
        key = image.tobytes()
        if key not in kept:
            while len(kept) > len(SEEDS):
                kept.pop(next(iter(kept)))
            moved = replace(scene, images={judged.source: image})
            kept[key] = translate(judged.network, moved, judged.source, every, stack)
        return kept[key]

    return run


def with_guard(run: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: structure_guard(image[None], run(image)[None], GUARD_MM, ISOTROPIC)[0]


def shipped(folders: list[Path], scenes: list[Scene], what: str) -> Iterator[Judged]:
    from surgical_style_engine.models.folder import load_model

    for folder in folders:
        for direction in directions(folder):
            network = load_model(folder).generator(direction.name)
            yield Judged(folder.name, direction.source, direction.target, network, scenes, what)


def of_folds(folder: Path, scenes: list[Scene]) -> Iterator[Judged]:
    """Models trained without the sites of a fold, FOLDER/<fold>/models/*, on these sites."""
    for fold in FOLDS:
        models = sorted(path.parent for path in (folder / fold / "models").glob("*/model.json"))
        others = [scene for scene in scenes if left_out(scene, fold)]
        yield from shipped(models, others, f"left out of the training (fold {fold})")


def store(entry: dict, path: Path) -> None:
    """Add an entry to the file of results, in the place of an earlier one of the same."""
    keys = ("model", "source", "target", "what")
    entries = [old for old in stored(path) if any(old[key] != entry[key] for key in keys)] + [entry]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"entries": entries}, indent=1) + "\n", encoding="utf-8")


def stored(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["entries"] if path.exists() else []


def left_out_rows(entries: list[dict]) -> list[str]:
    """The ledgers of the folds' patients, a line a direction with all folds that were measured, Markdown."""
    lines = ["| | folds | patients | found | weakened | lost | invented per 100 ml | 9 of 10 from | all implanted |"]
    lines.append("|---" * 9 + "|")
    ways: dict[tuple[str, str], list[dict]] = {}
    for entry in entries:
        if entry["what"] != CHECKED:
            ways.setdefault((entry["source"], entry["target"]), []).append(entry)
    for (source, target), members in ways.items():
        real = [entry["plain"]["real"] for entry in members]
        counts = {key: sum(one[key] for one in real) for key in ("found", "weakened", "lost", "invented", "region_ml")}
        rows: dict[float, dict] = {}
        for row in (row for entry in members for row in entry["plain"]["implanted"]):
            total = rows.setdefault(row["diameter_mm"], {"diameter_mm": row["diameter_mm"], "trials": 0, "survived": 0})
            total["trials"] += row["trials"]
            total["survived"] += row["survived"]
        smallest = smallest_surviving([rows[size] for size in sorted(rows)])
        survived, tried = (sum(row[key] for row in rows.values()) for key in ("survived", "trials"))
        cells = [", ".join(sorted(entry["what"][-2] for entry in members)), sum(len(e["patients"]) for e in members)]
        cells += [counts[key] for key in ("found", "weakened", "lost")]
        cells += [f"{100 * counts['invented'] / counts['region_ml']:.2f}"]
        cells += ["none up to 20 mm" if smallest is None else f"{smallest:g} mm", f"{survived} of {tried}"]
        lines.append(f"| {source} to {target} | {' | '.join(map(str, cells))} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--models", type=Path, nargs="*", help="folders; the shipped ones if not given")
    parser.add_argument("--folds", type=Path, help="folder of trainings without a fold's sites, judged on these")
    parser.add_argument("--pairs", nargs="*", help="SOURCE:TARGET, to measure these only")
    parser.add_argument("--appearance", action="store_true", help="only how real lesions look in each contrast")
    parser.add_argument("--table", action="store_true", help="only show what is stored of the folds' patients")
    parser.add_argument("--write-card", action="store_true", help="from the stored results into cards and pictures")
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    folders = arguments.models or shipped_pairs()
    if arguments.appearance:
        print(json.dumps(appearance(load_cohort(arguments.cache)), indent=1))
        return
    if arguments.table:
        print("\n".join(left_out_rows(stored(arguments.result))))
        return
    if arguments.folds:
        runs = of_folds(arguments.folds, labelled(load_cohort(arguments.cache)))
    elif arguments.write_card and arguments.result.exists():
        runs = iter(())
    else:
        runs = shipped(folders, labelled(load_cohort(arguments.cache, checks=True)), CHECKED)
    places: dict = {}
    for judged in runs:
        if arguments.pairs and f"{judged.source}:{judged.target}" not in arguments.pairs:
            continue
        entry = measure(judged, places)
        store(entry, arguments.result)
        print(entry["model"], entry["source"], entry["target"], entry["plain"]["smallest_mm"], flush=True)
    if arguments.write_card:
        from .lesion_cards import write_cards

        write_cards(folders, [entry for entry in stored(arguments.result) if entry["what"] == CHECKED])


if __name__ == "__main__":
    main()
