"""Without pairs: reference CycleGAN, CUT and ours at equal seconds of one core, judged on another hospital's pairs.

    python -m Testing.benchmarks.quality.unpaired --fold b --seconds 180 --arms cyclegan cut ours
    python -m Testing.benchmarks.quality.unpaired --fold a --arms ours --parts 5 --seed 1
    python -m Testing.benchmarks.quality.unpaired --fold a --ranks
    python -m Testing.benchmarks.quality.unpaired --table

The training patients of a fold are split by name, one to the source and the next to the target, so that no patient
gives both. Every arm is a method of ``sst train`` and gets batches from here; what ours spends on registering patients
counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.common import heap
from surgical_style_engine.common.thresholds import BODY_FROM
from training_cli.training.config import TrainingConfig
from training_cli.training.data.cache import describe_body
from training_cli.training.data.items import CachedItem, TrainingData
from training_cli.training.data.randomise import Randomise
from training_cli.training.state.unpaired_score import unpaired_score

from .data import PIXEL_MM, Scene, load_cohort
from .judge import chosen_slices, judge, judge_all, mean_of
from .picture import picture
from .protocol import FEW_SLICES, RESULTS, first_patients, left_out
from .recipes import STRONG
from .sampling import Sampler

SETTINGS = {"source": ".", "target": ".", "output": ".", "max_minutes": 1, "pool_size": 50}
REFERENCE = {"spectral_norm": False, "lambda_spatial": 0, "pseudo_pairs": "none"}
SMALL = {"ngf": 32, "n_blocks": 6, "ndf": 32}
# The published settings, with the published network and with one that takes steps enough on a CPU.
ARMS = {
    "cyclegan-9-64": {"method": "cyclegan", **REFERENCE},
    "cyclegan": {"method": "cyclegan", **REFERENCE, **SMALL},
    "cut": {"method": "cut", **REFERENCE, **SMALL},
    "fastcut": {"method": "fastcut", **REFERENCE, **SMALL},
    "ours": {
        "method": "cyclegan",
        "generator": "bilateral",
        "stack": 3,
        "batch_size": 2,
        "ndf": 32,
        "learning_rate": 1e-3,
        "beta1": 0.9,
        "ema_decay": 0.998,
        "pseudo_pairs": "auto",
    },
}


def halves(scenes: list[Scene], source: str, target: str) -> tuple[list[Scene], list[Scene]]:
    """Brains for the source and for the target, of different patients: every other one by name."""
    both = [s for s in scenes if not s.whole and {source, target} <= set(s.own)]
    patients = sorted({s.patient for s in both})
    chosen = [{p for p in patients[start::2]} for start in (0, 1)]
    return tuple([s for s in both if s.patient in part] for part in chosen)


def pseudo_scenes(sources: list[Scene], targets: list[Scene], names: tuple[str, str]) -> list[Scene]:
    """Every source with each target laid on it, by the registration of ``sst train``."""
    from training_cli.training.data.between_patients import centred, coarse, fit_affine, laid_on

    moving = [centred(t.images[names[1]], t.slice_mm, PIXEL_MM) for t in targets]
    small = [coarse(image) for image in moving]
    scenes = []
    for scene in sources:
        own = scene.images[names[0]]
        fixed = centred(own, scene.slice_mm, PIXEL_MM)
        low = coarse(fixed)
        for target, image, coarse_image in zip(targets, moving, small, strict=True):
            fit = fit_affine(low, coarse_image)
            print(scene.name, target.name, fit.plausible, f"{fit.information:.3f} {fit.chance:.3f}", fit.stretch)
            if fit.plausible:
                warped, covered = laid_on(fixed, image, fit.transform)
                body = covered & (own > BODY_FROM) & (warped > BODY_FROM)
                images = {names[0]: own, names[1]: warped.astype(np.float16)}
                name = f"{scene.name}+{target.name}"
                scenes.append(Scene(name, scene.patient, scene.site, scene.slice_mm, scene.whole, names, images, body))
    return scenes


class Batches:
    """Batches as ``sst train`` gives them to a method, from scenes."""

    def __init__(self, sources: list[Scene], targets: list[Scene], names: tuple[str, str], config, pairs: list) -> None:
        common = {"stack": config.stack, "images": config.batch_size, "heads": 0.0}
        self.a = Sampler(sources, names[0], names[0], seed=config.seed, **common)
        self.b = Sampler(targets, names[1], names[1], seed=config.seed + 1, **common)
        self.together = Sampler(pairs, *names, seed=config.seed + 2, whole_stacks=True, **common) if pairs else None
        self.random = np.random.default_rng(config.seed)
        self.fraction = config.pairs_fraction
        self.size = config.batch_size
        # What another scanner could have made of the inputs, as ``augment`` of sst train does it, but stronger.
        self.randomise = Randomise(**STRONG) if pairs else None
        self.draw = torch.Generator().manual_seed(config.seed)

    def next(self) -> dict[str, torch.Tensor]:
        if self.together is not None and self.random.random() < self.fraction:
            a, b, weight = self.together.batch()
            paired = True
        else:
            (a, _, _), (b, _, _) = self.a.batch(), self.b.batch()
            weight, paired = torch.zeros_like(a[:, :1]), False
        batch = {"a": a, "b": b, "a_clean": a, "b_clean": b, "weight": weight}
        if self.randomise:
            batch |= {"a": self.randomise(a, self.draw), "b": self.randomise(b, self.draw)}
        if self.together is not None:
            batch["rough"] = torch.full((self.size,), True)
        return {**batch, "paired": torch.full((self.size,), paired)}


def train(
    arm: str,
    scenes: list[Scene],
    names: tuple[str, str],
    seconds: float,
    seed: int = 0,
    parts: int = 1,
    look: Callable[[dict, torch.nn.Module], None] = lambda facts, network: None,
    **changed,
) -> dict:
    """Train an arm on unpaired halves for so many seconds of the process; ``look`` sees it at the end of each part."""
    from training_cli.training.methods.build import build_method
    from training_cli.training.optimisation.schedule import learning_rate

    begun = time.process_time()
    config = TrainingConfig(**{**SETTINGS, **ARMS[arm], **changed, "seed": seed})
    torch.manual_seed(seed)
    sources, targets = halves(scenes, *names)
    settings = {**ARMS[arm], **changed}
    pairs = pseudo_scenes(sources, targets, names) if settings.get("pseudo_pairs") == "auto" else []
    prepared = time.process_time() - begun
    method = build_method(config.method, config, 1, 1, torch.device("cpu"), contextlib.nullcontext)
    batches = Batches(sources, targets, names, config, pairs)
    facts = {"arm": arm, "seed": seed, "preparation_s": round(prepared, 1), "changed": changed}
    judging, part = 0.0, 0
    while True:
        spent = time.process_time() - begun - judging
        progress = min(1.0, spent / seconds)
        if progress >= (part + 1) / parts:
            part += 1
            facts |= {"steps": method.steps, "images": method.steps * config.batch_size, "seconds": round(spent, 1)}
            paused = time.process_time()
            look(facts, method.generators()["forward"].eval())
            judging += time.process_time() - paused
            if part == parts:
                break
            continue
        method.step(batches.next(), progress, learning_rate(config, progress))
    facts["parameters"] = sum(p.numel() for p in method.generators()["forward"].parameters())
    return facts


def floors(scenes: list[Scene], names: tuple[str, str], targets: list[Scene]) -> list[dict]:
    """The input, the input with the answer's histogram, and a body in one grey: the median of the targets' bodies."""
    from surgical_style_engine.volumes.histogram_matching import histogram_match

    grey = float(np.median([np.median(t.images[names[1]][t.body].astype(np.float32)) for t in targets]))
    found: dict[str, dict] = {"input": {}, "histogram-matched": {}, "one grey": {}}
    for scene in scenes:
        chosen = chosen_slices(scene)
        own, real = (scene.images[name][chosen].astype(np.float32) for name in names)
        body = scene.body[chosen]
        found["input"][scene.name] = judge(own, scene, names[1], chosen)
        matched = histogram_match(own[None], real[None], body, body)[0]
        found["histogram-matched"][scene.name] = judge(matched, scene, names[1], chosen)
        # With a trace of the input, for what cannot be computed of a constant.
        flat = np.where(own > BODY_FROM, grey + 1e-3 * own, -1).astype(np.float32)
        found["one grey"][scene.name] = judge(flat, scene, names[1], chosen)
    return [{"arm": arm, "seconds": 0, "mean": mean_of(figures), "scenes": figures} for arm, figures in found.items()]


class OfMiddleSlice(torch.nn.Module):
    """A network of single slices that is given stacks, as ``judge`` does."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x[:, x.shape[1] // 2 : x.shape[1] // 2 + 1])


def judged_on(scenes: list[Scene], fold: str, names: tuple[str, str]) -> list[Scene]:
    """Brains of the left-out sites, both contrasts on their own grid."""
    return [s for s in scenes if left_out(s, fold) and not s.whole and set(names) <= set(s.own)]


def items_of(scenes: list[Scene], name: str, folder: Path) -> list[CachedItem]:
    """One contrast of scenes as the cache of a training holds volumes."""
    items = []
    for scene in scenes:
        path = folder / f"{scene.name}-{name}.npy"
        valid = folder / f"{scene.name}-valid.npy"
        np.save(path, scene.images[name][None])
        np.save(valid, scene.body)
        found = describe_body(scene.images[name][None].astype(np.float32), 0.02)
        body, box = np.asarray(found["body"]), tuple(found["box"])
        items.append(CachedItem(scene.name, path, scene.slice_mm, body, box, {}, {}, valid))
    return items


def rank_correlation(entries: list[dict], figure: str = "psnr") -> dict[str, float]:
    """Spearman's, of the score without pairs and a figure with pairs: over all looks, and within each training."""
    from scipy.stats import spearmanr

    looks = [[(look["score"], look[figure]) for look in entry.get("curve", [])] for entry in entries]
    everything = [pair for part in looks for pair in part]
    found = {"all": float(spearmanr(*zip(*everything, strict=True)).statistic), "looks": len(everything)}
    for entry, part in zip(entries, looks, strict=True):
        if len(part) > 2:
            found[f"{entry['arm']} {entry['seed']} {entry['changed']}"] = float(
                spearmanr(*zip(*part, strict=True)).statistic
            )
    return found


def run(
    arm: str,
    fold: str,
    seconds: float,
    seed: int,
    scenes: list[Scene],
    pictures: Path | None,
    parts: int = 1,
    patients: int = 0,
    **changed,
) -> dict:
    """Train an arm without a fold's sites, judge it on them, and on the way without pairs as well.

    patients: train on so many only, half of them for each contrast; 0: on all.
    """
    names, started = ("T1w", "T2w"), time.time()
    judged = judged_on(scenes, fold, names)
    entry: dict = {"fold": fold, "budget_s": seconds, "source": names[0], "target": names[1], "curve": []}
    training = [s for s in scenes if not left_out(s, fold) and not s.whole and set(names) <= set(s.own)]
    training = first_patients(training, patients)
    sources, targets = halves(training, *names)
    entry["of_patients"] = [len({s.patient for s in part}) for part in (sources, targets)]
    if patients:
        entry["patients"] = patients
    config = TrainingConfig(**{**SETTINGS, **ARMS[arm], **changed})
    scratch = tempfile.TemporaryDirectory()
    folder = Path(scratch.name)
    data = TrainingData(items_of(sources, names[0], folder), items_of(targets, names[1], folder), [])
    if parts > 1:
        # What this costs is not the training's, which makes its own.
        laid = pseudo_scenes(sources, targets, names)
        data.pseudo_pairs.extend(zip(*(items_of(laid, name, folder) for name in names), strict=True))

    def look(facts: dict, trained: torch.nn.Module) -> None:
        network = OfMiddleSlice(trained) if config.stack == 1 else trained
        few = mean_of(judge_all(network, judged, *names, FEW_SLICES))
        without = unpaired_score(trained, data, config) if parts > 1 else {}
        entry["curve"].append({"steps": facts["steps"], "seconds": facts["seconds"], **few, **without})
        print(arm, entry["curve"][-1], flush=True)
        if len(entry["curve"]) < parts:
            return
        figures = judge_all(network, judged, *names)
        entry.update({"mean": mean_of(figures), "scenes": figures})
        if pictures:
            pictures.mkdir(parents=True, exist_ok=True)
            picture({arm: network}, judged, *names, pictures / f"unpaired_{arm}_{fold}_{seed}.png")
            torch.save(trained.state_dict(), pictures / f"unpaired_{arm}_{fold}_{seed}.pt")

    with scratch:
        facts = train(arm, training, names, seconds, seed, parts, look, **changed)
    return {**facts, **entry, "minutes": round((time.time() - started) / 60, 1)}


KEY = ("arm", "fold", "budget_s", "seed", "changed", "patients")


def keep(result: Path, entries: list[dict]) -> None:
    """Put entries into the JSON file in place of earlier ones of the same training."""
    stored = json.loads(result.read_text()) if result.exists() else []
    fresh = [[entry.get(key) for key in KEY] for entry in entries]
    stored = [old for old in stored if [old.get(key) for key in KEY] not in fresh] + entries
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(stored, indent=1))


def table(result: Path) -> str:
    """A line an entry, Markdown."""
    columns = ("psnr", "psnr_toned", "ssim", "ms_ssim", "sharpness", "edges")
    lines = [f"| fold | method | seconds | steps | images | {' | '.join(columns)} |", "|---" * (5 + len(columns)) + "|"]
    for entry in sorted(json.loads(result.read_text()), key=lambda e: (e["fold"], e["mean"]["psnr"])):
        name = entry["arm"] + "".join(f" {k}={v}" for k, v in entry.get("changed", {}).items())
        numbers = " | ".join(
            f"{entry['mean'][key]:.2f}" if "psnr" in key else f"{entry['mean'][key]:.3f}" for key in columns
        )
        facts = f"{entry['seconds']:.0f} | {entry.get('steps', '')} | {entry.get('images', '')}"
        lines.append(f"| {entry['fold']} | {name} | {facts} | {numbers} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--result", type=Path, default=RESULTS / "unpaired.json")
    parser.add_argument("--fold", default="b")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", nargs="*", default=["cyclegan", "cut", "ours"])
    parser.add_argument("--set", nargs="*", default=[], help="NAME=VALUE of the arms' settings")
    parser.add_argument("--patients", type=int, default=0, help="train on so many patients only; 0: on all")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of what was left out")
    parser.add_argument(
        "--parts", type=int, default=1, help="look at each training so many times, without pairs as well"
    )
    parser.add_argument(
        "--ranks",
        action="store_true",
        help="only show how the score without pairs ranks looks at the fold",
    )
    parser.add_argument("--table", action="store_true", help="only show the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    heap.keep_freed(heap.TO_TRAIN)
    if not (arguments.table or arguments.ranks):
        scenes = load_cohort(arguments.cache)
        changed = dict(setting.split("=", 1) for setting in arguments.set)
        names = ("T1w", "T2w")
        _, targets = halves([s for s in scenes if not left_out(s, arguments.fold)], *names)
        base = floors(judged_on(scenes, arguments.fold, names), names, targets)
        keep(arguments.result, [{**entry, "fold": arguments.fold} for entry in base])
        for arm in arguments.arms:
            entry = run(
                arm,
                arguments.fold,
                arguments.seconds,
                arguments.seed,
                scenes,
                arguments.pictures,
                arguments.parts,
                arguments.patients,
                **changed,
            )
            keep(arguments.result, [entry])
            print(arm, entry["steps"], entry["mean"], flush=True)
    if arguments.result.exists():
        print(table(arguments.result))
    if arguments.ranks:
        entries = [e for e in json.loads(arguments.result.read_text()) if e["fold"] == arguments.fold]
        stored = [e for e in entries if len(e.get("curve", [])) > 1 and "score" in e["curve"][0]]
        for figure in ("psnr", "psnr_toned", "ssim", "ms_ssim"):
            print(figure, rank_correlation(stored, figure))


if __name__ == "__main__":
    main()
