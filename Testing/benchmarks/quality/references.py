"""CycleGAN and CUT as published, and this engine's CycleGAN, on the shipped models' own training patients and minutes.

    nohup nice -n 10 python -m Testing.benchmarks.quality.references cyclegan --minutes 25 --runs runs/court &
    python -m Testing.benchmarks.quality.court cyclegan=runs/court/cyclegan/model cut=runs/court/cut/model

Rivals for the court, T1w to T2w. ``cyclegan`` and ``cut`` are without pairs, with the networks and settings of
``unpaired`` (``ARMS``). ``engine`` is this project's CycleGAN on the bilateral generator, without pairs (its
pseudo-pairs are of different patients, and what they take counts), ``engine-pairs`` the same with registered pairs,
which are drawn as those of the shipped models. Images of both contrasts are drawn from all training patients, otherwise
independently of each other; the check patients are in no training. Minutes are of the process's own time on one thread.
The folder of a run has ``checkpoint.pt``, ``progress.json``, and at the end the model; the same command goes on where
it was stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.common import heap
from training_cli.training.config import TrainingConfig
from training_cli.training.config.presets import PAIRED_RECIPE
from training_cli.training.data.pseudo_pairs import PARTNERS
from training_cli.training.data.randomise import Randomise
from training_cli.training.methods.base import Method

from .data import Scene, load_cohort
from .folder import CITATION, domain
from .recipes import FINAL, STRONG
from .sampling import Sampler
from .unpaired import ARMS, SETTINGS, pseudo_scenes

NAMES = ("T1w", "T2w")
HEADS = 0.35  # share of whole heads, as the shipped models have it
PART = 60.0  # seconds between two checkpoints
# The preset's network for a CPU, a CycleGAN's terms at their defaults, and the terms on pairs of the shipped models.
PAIRS = {
    **ARMS["ours"],
    **PAIRED_RECIPE,
    "lambda_adversarial": 1.0,
    "learning_rate": 5e-4,  # at 1e-3 the discriminators' first steps overshoot
    "beta1": 0.5,
    "ema_decay": 0.999,
    "pairs": ".",
    "pairs_warmup": 0.4,
}
RIVALS = {**{arm: settings for arm, settings in ARMS.items() if arm != "ours"}, "engine": ARMS["ours"]}
RIVALS["engine-pairs"] = PAIRS


class OfOneSize(Sampler):
    """Whole heads are cut to the canvas of brains: a CycleGAN's pool mixes images of different batches."""

    def _canvas(self, whole: bool) -> tuple[int, int]:
        return super()._canvas(False)


def laid_on_others(scenes: list[Scene]) -> list[Scene]:
    """Pseudo-pairs as ``sst train`` plans them: each source with some targets of other patients, heads on heads."""
    sources, targets = ([scene for scene in scenes if name in scene.own] for name in NAMES)
    laid = []
    for number, scene in enumerate(sources):
        alike = [other for other in targets if other.whole == scene.whole and other.patient != scene.patient]
        step = max(1, len(alike) // PARTNERS)
        partners = [alike[(number + turn * step) % len(alike)] for turn in range(min(PARTNERS, len(alike)))]
        laid += pseudo_scenes([scene], partners, NAMES)
    return laid


class Batches:
    """Source and target of different patients, both brains or both whole heads, as ``sst train`` gives them.

    With pairs, or pseudo-pairs, these in a share of the batches; inputs then are of random contrast.
    """

    def __init__(self, scenes: list[Scene], config: TrainingConfig) -> None:
        self.random = np.random.default_rng(config.seed)
        self.fraction = config.pairs_fraction
        common = {"stack": config.stack, "images": config.batch_size}
        kind = OfOneSize if config.method == "cyclegan" else Sampler
        self.samplers = {
            (name, whole): kind(scenes, name, name, seed=config.seed + number, heads=float(whole), **common)
            for number, name in enumerate(NAMES)
            for whole in (False, True)
        }
        self.rough = config.asks_pseudo_pairs()
        self.together, self.randomise = None, None
        if self.rough or config.pairs:
            pairs, how = (laid_on_others(scenes), {"heads": HEADS}) if self.rough else (scenes, FINAL.sampler)
            settings = {**common, **how, "images": config.batch_size, "seed": config.seed + len(NAMES)}
            self.together = OfOneSize(pairs, *NAMES, whole_stacks=True, **settings)
            self.randomise = Randomise(**(STRONG if self.rough else FINAL.randomise))

    def next(self) -> dict[str, torch.Tensor]:
        if self.together is None:
            return self._apart()
        if self.random.random() >= self.fraction:
            batch = self._apart()
        else:
            a, b, weight = self.together.batch()
            paired = torch.ones(len(a), dtype=torch.bool)
            batch = {"a": a, "b": b, "a_clean": a, "b_clean": b, "weight": weight, "paired": paired}
        draw = torch.Generator().manual_seed(int(self.random.integers(2**31)))
        batch |= {side: self.randomise(batch[side], draw) for side in ("a", "b")}
        return {**batch, "rough": torch.full_like(batch["paired"], self.rough)}

    def _apart(self) -> dict[str, torch.Tensor]:
        whole = bool(self.random.random() < HEADS)
        a, b = (self.samplers[name, whole].batch()[0] for name in NAMES)
        unpaired = torch.zeros(len(a), dtype=torch.bool)
        return {"a": a, "b": b, "a_clean": a, "b_clean": b, "weight": torch.zeros_like(a[:, :1]), "paired": unpaired}

    def draws(self) -> str:
        """The state of what is drawn by, as JSON."""
        return json.dumps([source.bit_generator.state for source in self._randoms()])

    def go_on(self, draws: str) -> None:
        """Put back what ``draws`` gave."""
        for source, state in zip(self._randoms(), json.loads(draws), strict=True):
            source.bit_generator.state = state

    def _randoms(self) -> list[np.random.Generator]:
        together = [self.together] if self.together else []
        return [self.random, *(sampler.random for sampler in [*self.samplers.values(), *together])]


def configuration(arm: str) -> TrainingConfig:
    return TrainingConfig(**{**SETTINGS, **RIVALS[arm], "seed": 0})


def train(arm: str, scenes: list, seconds: float, folder: Path) -> Method:
    """Train an arm for so many seconds in all, from its last checkpoint on; its state is kept every ``PART``."""
    from training_cli.training.methods.build import build_method
    from training_cli.training.optimisation.schedule import learning_rate

    folder.mkdir(parents=True, exist_ok=True)
    config = configuration(arm)
    torch.manual_seed(config.seed)
    method = build_method(config.method, config, 1, 1, torch.device("cpu"), contextlib.nullcontext)
    begun = time.process_time()
    batches = Batches(scenes, config)
    prepared = time.process_time() - begun
    spent = resume(method, batches, folder / "checkpoint.pt") or prepared
    while spent < seconds:
        begun, kept = time.process_time(), spent
        while spent < min(seconds, kept + PART):
            losses = method.step(batches.next(), spent / seconds, learning_rate(config, spent / seconds))
            spent = kept + time.process_time() - begun
        save(method, batches, spent, folder / "checkpoint.pt")
        progress = {"arm": arm, "seconds": round(spent, 1), "budget": seconds, "steps": method.steps}
        progress["images"] = method.steps * config.batch_size
        (folder / "progress.json").write_text(json.dumps(progress | {k: round(float(v), 4) for k, v in losses.items()}))
        print(progress, flush=True)
    return method


def save(method: Method, batches: Batches, spent: float, path: Path) -> None:
    """A checkpoint; written whole or not at all."""
    temporary = path.with_suffix(".part")
    state = {"method": method.state_dict(), "spent": spent, "draws": batches.draws(), "torch": torch.get_rng_state()}
    torch.save(state, temporary)
    temporary.replace(path)


def resume(method: Method, batches: Batches, path: Path) -> float:
    """Put a checkpoint back, if there is one; the seconds spent so far."""
    if not path.exists():
        return 0.0
    state = torch.load(path, weights_only=True)
    method.load_state_dict(state["method"])
    batches.go_on(state["draws"])
    torch.set_rng_state(state["torch"])
    return state["spent"]


def write_model(arm: str, method: Method, scenes: list, data: Path, seconds: float, folder: Path) -> None:
    """The averaged generators as a model folder, its domains as those of the shipped models."""
    from surgical_style_engine.models.card import ModelCard
    from surgical_style_engine.models.folder import save_model

    config, generators = configuration(arm), method.generators()
    card = ModelCard(
        name=f"court-{arm}",
        title=f"{arm} as a rival for the court",
        architecture={
            "name": config.generator,
            "arguments": method.architecture["forward"],
            "backward_arguments": method.architecture.get("backward"),
        },
        domains={side: domain(data, scenes, name) for side, name in zip(("source", "target"), NAMES, strict=True)},
        spacing_mm=1.0,
        plane="axial",
        stack=config.stack,
        directions=list(generators),
        training={"method": config.method, "steps": method.steps, "minutes": round(seconds / 60, 1)},
        licence="CC-BY 4.0",
        citation=CITATION,
        intended_use="To be compared with.",
    )
    states = {direction: network.state_dict() for direction, network in generators.items()}
    save_model(folder, card, states["forward"], states.get("backward"), overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arms", nargs="+", choices=sorted(RIVALS))
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/court"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    heap.keep_freed(heap.TO_TRAIN)
    scenes = [scene for scene in load_cohort(arguments.cache) if set(NAMES) <= set(scene.images)]
    for arm in arguments.arms:
        folder, seconds = arguments.runs / arm, arguments.minutes * 60
        method = train(arm, scenes, seconds, folder)
        write_model(arm, method, scenes, arguments.data, seconds, folder / "model")
        print(folder / "model", flush=True)


if __name__ == "__main__":
    main()
