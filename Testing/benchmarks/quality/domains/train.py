"""One training of the generator for many contrasts, for so many seconds of the processor's time; resumable."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.nn import functional as F

from training_cli.training.data.randomise import Randomise

from ..checkpoint import Checkpointed
from ..data import CONTRASTS, Scene
from ..losses import masked_mean, sharpness_term, ssim_term
from ..recipes import RECIPES
from .sampling import Routes, RouteSampler

CYCLE_FROM = 0.4  # part of the budget after which translations are inputs, too
LATE = 0.3  # part of the budget at its end in which the learning rate falls


@dataclass
class ManyRecipe:
    """Everything that decides a training but the patients and the budget; the pair models' recipe but for the routes.

    cycle: share of the batches, later on, whose input is the network's own translation and has to come back.
    discriminator: weight of one with a class output (StarGAN), least squares, beside the supervised terms.
    """

    network: dict = field(default_factory=lambda: {"features": 32})
    randomise: dict = field(default_factory=lambda: dict(RECIPES["final"].randomise))
    sampler: dict = field(default_factory=lambda: {**RECIPES["final"].sampler, "canvas": 0.4, "heads": 0.3})
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    ema: float = 0.999
    ssim: float = 0.3
    sharpness: float = 0.5
    air: float = 0.1
    cycle: float = 0.15
    discriminator: float = 0.0
    seed: int = 0


MANY: dict[str, ManyRecipe] = {
    "many": ManyRecipe(),
    "many-24": ManyRecipe(network={"features": 24}),
    "many-24-no-cycle": ManyRecipe(network={"features": 24}, cycle=0.0),
    "many-24-discriminator": ManyRecipe(network={"features": 24}, cycle=0.0, discriminator=0.1),
    "many-one-target": ManyRecipe(sampler={**ManyRecipe().sampler, "most_targets": 1}),
    "many-three": ManyRecipe(sampler={**ManyRecipe().sampler, "most_targets": 3}),
}


class ManyTraining(Checkpointed):
    """A training that can be run in parts. budget: seconds of the process's own time."""

    def __init__(self, recipe: ManyRecipe, scenes: list[Scene], budget: float, begin_with: Path | None = None) -> None:
        from surgical_style_engine.networks import build_discriminator, build_generator

        torch.manual_seed(recipe.seed)
        self.recipe, self.budget = recipe, budget
        self.spent, self.step, self.images, self.history = 0.0, 0, 0, []
        self.recent: list[float] = []
        self.network = build_generator("domain_grid", domains=len(CONTRASTS), **recipe.network).train()
        self.sampler = RouteSampler(scenes, "", "", seed=recipe.seed, **recipe.sampler)
        self.randomise = Randomise(**recipe.randomise)
        self.draw = torch.Generator().manual_seed(recipe.seed)
        self.network.begin_with(tone_curves([self.sampler.routes() for _ in range(60)], self.network.bins))
        if begin_with is not None:
            take_features(self.network, begin_with)
        self.averaged = copy.deepcopy(self.network).eval()
        self.judge = build_discriminator("patchgan_classes", in_channels=1, ndf=32, classes=len(CONTRASTS))
        self.judge_optimiser = torch.optim.Adam(self.judge.parameters(), 2e-4, betas=(0.5, 0.999))
        trained = list(self.network.parameters())
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, recipe.learning_rate, betas=(0.9, 0.99))

    def run(self, until: float) -> None:
        """Train until so many seconds are spent in all."""
        until = min(until, self.budget)
        clock, start = time.process_time(), self.spent
        while self.spent < until:
            self.recent.append(self._step())
            self.spent = start + time.process_time() - clock
            if self.step % 200 == 0:
                self.history.append([self.step, round(self.spent, 1), round(sum(self.recent) / len(self.recent), 5)])
                self.recent.clear()

    def _batch(self) -> Routes:
        late = self.spent > CYCLE_FROM * self.budget
        if late and self.sampler.random.random() < self.recipe.cycle:
            stack, numbers, others, weights = self.sampler.there_and_back()
            wide = self.sampler.stack
            first, middle = stack.shape[1] - wide + 1, stack.shape[1] // 2
            with torch.no_grad():
                there = [self.averaged.translated(stack[:, None, i : i + wide], numbers, others) for i in range(first)]
            images = torch.cat(there, 2).clamp(-1, 1)
            return Routes(images, others, numbers, stack[:, None, middle : middle + 1], weights)
        return self.sampler.routes()

    def _step(self) -> float:
        part = min(1.0, self.spent / self.budget)
        falling = max(0.01, min(1.0, (1 - part) / LATE))
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * falling * min(1.0, (self.step + 1) / 50)
        batch = self._batch()
        # Each input as a scanner of its own might have given it.
        images = self.randomise(batch.images.flatten(0, 1), self.draw).view_as(batch.images)
        made = self.network.translated(images, batch.given, batch.targets)
        t = batch.targets.shape[1]
        loss = self._loss(made.flatten(0, 1), batch.real.flatten(0, 1), batch.weights.repeat_interleave(t, 0))
        if self.recipe.discriminator:
            loss = loss + self.recipe.discriminator * self._judged(made.flatten(0, 1), batch.targets.flatten(), 1.0)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        if self.recipe.discriminator:
            real, domains = batch.real.flatten(0, 1), batch.targets.flatten()
            scores = self.judge(made.detach().flatten(0, 1))[:, :1]
            judged = self._judged(real, domains, 1.0) + (scores**2).mean()
            self.judge_optimiser.zero_grad(set_to_none=True)
            judged.backward()
            self.judge_optimiser.step()
        self.step += 1
        self.images += made.shape[0] * t
        keep = min(self.recipe.ema, self.step / (self.step + 10))
        with torch.no_grad():
            for slow, fast in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
        return float(loss.detach())

    def _judged(self, images: torch.Tensor, domains: torch.Tensor, aim: float) -> torch.Tensor:
        """Least squares to an aim, and how well the discriminator tells the domains (n,) of images (n, 1, h, w)."""
        scores = self.judge(images)
        return ((scores[:, :1] - aim) ** 2).mean() + F.cross_entropy(scores[:, 1:].mean((2, 3)), domains)

    def _loss(self, made: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        recipe, difference = self.recipe, (made - real).abs()
        loss = masked_mean(difference, mask) + recipe.air * masked_mean(difference, (mask == 0).float())
        loss = loss + recipe.sharpness * sharpness_term(made, real, mask)
        return loss + recipe.ssim * ssim_term(made, real, mask)


def take_features(network: torch.nn.Module, path: Path) -> None:
    """Begin with the features of a pair model of as many features, its averaged weights; curves and places stay new."""
    from safetensors.torch import load_file

    state = {key.removeprefix("forward."): value.float() for key, value in load_file(path).items()}
    own = network.state_dict()
    if state.keys() == own.keys():  # another training of the same network
        network.load_state_dict(state)
        return
    for key, value in state.items():
        place, _, part = key.rpartition(".")
        if place.startswith("stem."):
            number, layer = place.split(".")[1:]
            name = f"stem.{int(number) - 1}.{('convolution', 'norm')[int(layer)]}"
        elif place.startswith("context."):
            for old, new in NAMES.items():
                place = place.replace(old, new)
            name = place
        else:
            name = DETAIL.get(place, "")
        if f"{name}.{part}" in own:
            old = own[f"{name}.{part}"]
            # Each contrast's slices as those of the pair model's.
            repeats = old.shape[1] // value.shape[1] if value.ndim > 1 else 1
            own[f"{name}.{part}"] = value.repeat(1, repeats, 1, 1) if repeats > 1 else value
    network.load_state_dict(own)


NAMES = {
    "body.0.0": "first.convolution",
    "body.0.1": "first.norm",
    "body.1": "second.convolution",
    "body.2": "second.norm",
    "down.0": "down.convolution",
    "down.1": "down.norm",
}
DETAIL = {
    "detail.first.1": "detail.first",
    "detail.context": "detail.context",
    "detail.last.1": "detail.inner",
    "detail.last.3": "detail.last",
}


def tone_curves(batches: list[Routes], bins: int) -> torch.Tensor:
    """(targets, sources, bins): for each pair of contrasts the tone curve that fits these slices best; 0 where none."""
    count = len(CONTRASTS)
    total, weights = torch.zeros(count, count, bins), torch.full((count, count, bins), 1e-3)
    for batch in batches:
        n, s = batch.given.shape
        middle = batch.images.shape[2] // 2
        for i in range(n):
            for j in range(s):
                places = (batch.images[i, j, middle].flatten() * 0.5 + 0.5) * (bins - 1)
                hats = (1 - (places[:, None] - torch.arange(bins)).abs()).clamp(min=0)
                for k, target in enumerate(batch.targets[i].tolist()):
                    total[target, batch.given[i, j]] += hats.T @ batch.real[i, k].flatten()
                    weights[target, batch.given[i, j]] += hats.sum(0)
    return total / weights
