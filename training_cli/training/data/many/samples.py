"""Training samples of groups by number, each always the same; see ``dataset.SampleByNumber``."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import Dataset

from surgical_style_engine.volumes import slices
from training_cli.training.config import TrainingConfig
from training_cli.training.config.strengths import randomise_strengths
from training_cli.training.data.augment import Augmentation
from training_cli.training.data.items import CachedItem
from training_cli.training.data.patches import corner_at_edge, crop, is_constant, random_corner
from training_cli.training.data.randomise import Randomise

from .prepare import Group, GroupedData, body_of


class SampleOfGroups(Dataset):
    """Samples by number.

    Sample i is {"images": (domains, stack, p, p) in [-1, 1], -1 of those that the patient lacks, "clean": the same
    before intensity augmentation, "known": (domains,) bool, "weight": (1, p, p), where volumes may be compared}.
    """

    def __init__(self, data: GroupedData, config: TrainingConfig, length: int = 2**31 - 1) -> None:
        self.data, self.config, self.length = data, config, length
        self.augmentation = Augmentation(config.patch_size) if config.augment else None
        strengths = randomise_strengths(config.randomise, config.randomise_settings)
        self.randomise = None if strengths is None else Randomise(**strengths)  # type: ignore[arg-type]  # knots
        self.bodies = [body_of(group) for group in data.groups]
        firsts = [next(iter(group.values())) for group in data.groups]
        lengths = np.array([len(body) * item.slice_mm for body, item in zip(self.bodies, firsts, strict=True)])
        # Of each domain alike, however many volumes there are, and what shows several counts as several.
        counts = {name: sum(name in group for group in data.groups) for name in data.names}
        shares = np.array([sum(1 / counts[name] for name in group) for group in data.groups])
        self.odds = lengths * shares / (lengths * shares).sum()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        random = np.random.default_rng((self.config.seed, number))
        index = int(random.choice(len(self.data.groups), p=self.odds))
        group = self.data.groups[index]
        images = self._drawn(group, self.bodies[index], random)
        if self.augmentation is not None:
            moved = self.augmentation.move(images, int(random.integers(2**31)))
            if not is_constant(moved["a"]):
                images.update(moved)
        stack, places = self.config.stack, [self.data.names.index(name) for name in group]
        clean = np.full((len(self.data.names), stack, *images["a"].shape[-2:]), -1, np.float32)
        clean[places] = images["a"].reshape(len(group), stack, *images["a"].shape[-2:])
        noisy = clean.copy()
        noisy[places] = self._disturbed(clean[places], random)
        known = np.zeros(len(self.data.names), bool)
        known[places] = True
        sample = {"images": noisy, "clean": clean, "known": known, "weight": images["weight"]}
        return {key: torch.from_numpy(value) for key, value in sample.items()}

    def _drawn(self, group: Group, body: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        """A slice's patch of every volume of a group: "a" (domains * stack, p, p), "weight" (1, p, p)."""
        size, place = self.config.patch_size, int(random.choice(body))
        items = list(group.values())
        joined = np.concatenate([self._stack(item, place) for item in items])
        weight = np.ones((1, *joined.shape[-2:]), np.float32)
        for item in items:
            valid = item.load_valid()
            weight *= 1 if valid is None else valid[None, place].astype(np.float32)
        corner = random_corner(items[0], size, random)
        if is_constant(crop(joined, corner, size)):
            corner = corner_at_edge(joined, size)
        return {"a": crop(joined, corner, size), "weight": crop(weight, corner, size, 0.0)}

    def _stack(self, item: CachedItem, place: int) -> np.ndarray:
        array = item.load()
        step = slices.stack_step(self.config.stack_spacing, item.slice_mm)
        indices = slices.stack_indices(array.shape[1], self.config.stack, step)[place : place + 1]
        return slices.gather_stacks(array, indices)[0].astype(np.float32)

    def _disturbed(self, stacks: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """(k, stack, p, p), each domain's as another scanner might have given it."""
        seed = int(random.integers(2**31))
        if self.randomise is not None:
            draw = torch.Generator().manual_seed(seed)
            return self.randomise(torch.from_numpy(stacks.copy()), draw).numpy()
        if self.augmentation is None:
            return stacks
        return np.stack([self.augmentation.disturb(stack, seed + number) for number, stack in enumerate(stacks)])
