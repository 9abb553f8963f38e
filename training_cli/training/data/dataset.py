"""Training samples by number: sample ``i`` is always the same slices, crop and augmentation, wherever it is made.

That makes data order independent of worker and process count and lets a resumed run go on with the very next sample.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from surgical_style_engine.volumes import slices
from training_cli.training.config import TrainingConfig
from training_cli.training.config.method_registry import method_entry
from training_cli.training.config.strengths import randomise_strengths

from .augment import Augmentation
from .items import CachedItem, TrainingData
from .many.prepare import ManyData
from .many.samples import SampleOfGroups
from .many.site_samples import SampleOfSites
from .many.sites import SiteData
from .patches import corner_at_edge, crop, is_constant, random_corner
from .randomise import Randomise


class SampleByNumber(Dataset):
    """Samples by number, each always the same.

    Sample i is {"a", "b": inputs (stack*c, p, p), "a_clean", "b_clean": the same before intensity augmentation,
    "weight": (1, p, p), "paired": bool}, images in [-1, 1].

    A sample is a registered pair (or a pseudo-pair, where there are only these) with probability ``pairs_fraction``,
    else one independent draw of each domain; where they are pseudo-pairs, the sample says "rough" as well. ``weight``
    is one where a pair may be compared and zero elsewhere. No image is constant, for what InstanceNorm makes of one.
    """

    def __init__(self, data: TrainingData, config: TrainingConfig, length: int = 2**31 - 1) -> None:
        self.data, self.config, self.length = data, config, length
        self.pairs = data.pairs or data.pseudo_pairs
        # Where nothing is learned from single images, none is drawn.
        self.pairs_fraction = 1.0 if method_entry(config.method).needs_pairs else config.pairs_fraction
        self.augmentation = Augmentation(config.patch_size) if config.augment else None
        strengths = randomise_strengths(config.randomise, config.randomise_settings)
        self.randomise = None if strengths is None else Randomise(**strengths)  # type: ignore[arg-type]  # knots
        # Slices of thick and thin scans should be equally likely to be seen: draw by the length scanned, not by count.
        self._odds = {
            "source": _odds(data.source),
            "target": _odds(data.target),
            "pairs": _odds([a for a, _ in self.pairs]) if self.pairs else None,
        }

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        random = np.random.default_rng((self.config.seed, number))
        paired = bool(self.pairs) and random.random() < self.pairs_fraction
        images = self._draw_pair(random) if paired else self._draw_singly(random)
        if self.augmentation is not None:
            # What belongs together is moved together.
            for group in [("a", "b", "weight")] if paired else [("a",), ("b",)]:
                moved = self.augmentation.move({key: images[key] for key in group}, int(random.integers(2**31)))
                # A small body at the patch's border may have been moved out of it.
                if not any(is_constant(moved[key]) for key in group if key != "weight"):
                    images.update(moved)
        images["a_clean"], images["b_clean"] = images["a"], images["b"]
        for key in ("a", "b"):
            if self.randomise is not None:
                images[key] = self._randomised(images[key], key, int(random.integers(2**31)))
            elif self.augmentation is not None:
                images[key] = self.augmentation.disturb(images[key], int(random.integers(2**31)))
        sample = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in images.items()}
        sample["paired"] = torch.tensor(paired)
        if self.data.pseudo_pairs:
            sample["rough"] = torch.tensor(True)
        return sample

    def _randomised(self, image: np.ndarray, key: str, seed: int) -> np.ndarray:
        """A stack (s*c, h, w) in another contrast; different modalities of an input each in one of its own."""
        draw = torch.Generator().manual_seed(seed)
        stacks = torch.from_numpy(np.ascontiguousarray(image))[None]
        modalities = len(self.data.source[0].inputs) if key == "a" else 0
        if modalities:
            stacks = stacks.view(-1, modalities, *image.shape[1:]).transpose(0, 1)
        assert self.randomise is not None
        changed = self.randomise(stacks, draw)
        return (changed.transpose(0, 1) if modalities else changed).reshape(image.shape).numpy()

    def _draw_pair(self, random: np.random.Generator) -> dict[str, np.ndarray]:
        """The same slice and patch of both sides of a pair, and where they may be compared."""
        a, b = self.pairs[random.choice(len(self.pairs), p=self._odds["pairs"])]
        place = int(random.choice(a.body))
        corner = self._corner(a, random)
        valid = a.load_valid()
        stack_a, stack_b = self._stack(a, place), self._stack(b, place)
        weight = np.ones((1, *stack_a.shape[-2:])) if valid is None else valid[None, place]
        return self._crop_pair(stack_a, stack_b, weight.astype(np.float32), corner)

    def _draw_singly(self, random: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch of each domain, independently; nothing of them may be compared."""
        size = self.config.patch_size
        images: dict[str, np.ndarray] = {}
        for key, side, items in (("a", "source", self.data.source), ("b", "target", self.data.target)):
            item = items[random.choice(len(items), p=self._odds[side])]
            stack = self._stack(item, int(random.choice(item.body)))
            images[key] = crop(stack, self._corner(item, random), size)
            if is_constant(images[key]):
                images[key] = crop(stack, corner_at_edge(stack, size), size)
        images["weight"] = np.zeros((1, size, size), np.float32)
        return images

    def _stack(self, item: CachedItem, place: int) -> np.ndarray:
        array = item.load()
        step = slices.stack_step(self.config.stack_spacing, item.slice_mm)
        indices = slices.stack_indices(array.shape[1], self.config.stack, step)[place : place + 1]
        return slices.gather_stacks(array, indices)[0].astype(np.float32)

    def _crop_pair(
        self, a: np.ndarray, b: np.ndarray, weight: np.ndarray, corner: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        """The same patch of both sides and of their weight; from another place where one side is constant there."""
        size = self.config.patch_size
        for place in (corner, corner_at_edge(a, size), corner_at_edge(b, size)):
            images = {"a": crop(a, place, size), "b": crop(b, place, size), "weight": crop(weight, place, size, 0.0)}
            if not (is_constant(images["a"]) or is_constant(images["b"])):
                break
        return images

    def _corner(self, item: CachedItem, random: np.random.Generator) -> tuple[int, int]:
        return random_corner(item, self.config.patch_size, random)


def _odds(items: Sequence[CachedItem]) -> np.ndarray:
    lengths = np.array([len(item.body) * item.slice_mm for item in items], float)
    return lengths / lengths.sum()


class Numbers(torch.utils.data.Sampler):
    """The sample numbers one process reads: from ``start`` on, every ``processes``-th batch is its own."""

    def __init__(self, start: int, batch: int, process: int, processes: int) -> None:
        self.start, self.batch, self.process, self.processes = start, batch, process, processes

    def __iter__(self) -> Iterator[list[int]]:
        step = self.start
        while True:
            first = (step * self.processes + self.process) * self.batch
            yield list(range(first, first + self.batch))
            step += 1


def samples_of(data: TrainingData, config: TrainingConfig) -> Dataset:
    """The samples of a training by number."""
    if isinstance(data, SiteData):
        return SampleOfSites(data, config)
    return SampleOfGroups(data, config) if isinstance(data, ManyData) else SampleByNumber(data, config)


def make_loader(data: TrainingData, config: TrainingConfig, start: int, process: int, processes: int) -> DataLoader:
    """Batches from training step ``start`` on, without end."""
    return DataLoader(
        samples_of(data, config),
        batch_sampler=Numbers(start, config.batch_size, process, processes),
        num_workers=config.workers,
        persistent_workers=config.workers > 0,
        prefetch_factor=4 if config.workers else None,
        worker_init_fn=_start_worker,
        # A loader draws a seed when it starts; from the global generator that would make a resumed run differ.
        generator=torch.Generator().manual_seed(config.seed),
    )


def _start_worker(_worker: int) -> None:
    torch.set_num_threads(1)
    # A Ctrl-C reaches every process of the terminal; the workers go when the training, which saves first, lets them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
