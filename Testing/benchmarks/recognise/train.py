"""Trains the recogniser's network: patches in, one of the kinds out."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from surgical_style_engine.volumes.recognise.kinds import CT, KINDS, OTHER, T2W

from .augment import cut, patches
from .cohort import Grid, Image
from .parts import SHARE_DRESSED, drawn, dressed

BATCH = 64
RATE = 3e-3
MIXED = "mixed"  # the group of contrasts that are none
WEIGHTS = {
    "T1w": 1.0,
    "T1w-Gd": 1.0,
    "T2w": 1.0,
    "FLAIR": 1.0,
    CT: 0.0,  # told by its values; an average brain of CT looks like FLAIR
    "radiograph": 0.15,
    "picture": 0.25,
    OTHER: 0.4,
}


LAYERS = ((24, 5, 2), (48, 3, 2), (64, 3, 1), (96, 3, 2))  # width, side and stride of the convolutions


class Network(nn.Module):
    """Convolutions, the mean and the largest of every feature, and two layers on these."""

    def __init__(self, layers: tuple[tuple[int, int, int], ...] = LAYERS, embedding: int = 32) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        before = 2
        for width, side, stride in layers:
            parts += [nn.Conv2d(before, width, side, stride, side // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.features = nn.Sequential(*parts)
        self.embed = nn.Linear(2 * before, embedding)
        self.classify = nn.Linear(embedding, len(KINDS))
        self.drop = nn.Dropout(0.15)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.classify(self.embedded(batch))

    def embedded(self, batch: torch.Tensor) -> torch.Tensor:
        """(n, embedding) features, none negative."""
        features = self.features(batch)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        return torch.relu(self.embed(self.drop(pooled)))


@dataclass(eq=False)
class Bank:
    """Patches of one image, or of a contrast that is none, cut and changed once for all trainings.

    Attributes:
        kind: number in KINDS.
        group: images of one site and one preprocessing.
        site: that may be left out.
        patient: the same.
        patches: (n, 2, SIDE, SIDE) float16.
    """

    kind: int
    group: str
    site: str
    patient: str
    patches: torch.Tensor


def banks(entries: list[tuple], path: Path, report=print) -> list[Bank]:
    """The patches of all images, kept in a file.

    Args:
        entries: as ``wanted_banks`` gives them.
        path: of the file; where it exists, it is read.
        report: takes a line about the progress.
    """
    if path.exists():
        return [Bank(**entry) for entry in torch.load(path, weights_only=True)]
    made = []
    for number, entry in enumerate(entries):
        made.append(bank_of(*entry, seed=number))
        report(f"{number + 1}/{len(entries)} {made[-1].group}")
    torch.save([vars(bank) for bank in made], path)
    return made


def wanted_banks(loaded: list[tuple[Image, Grid]], healed: list[tuple[Image, Grid]]) -> list[tuple]:
    """What ``bank_of`` takes, of every image; where there is a tumour, more patches are taken without it."""
    counts = Counter((image.truth, image.site, image.extracted) for image, _ in loaded)
    wanted = []
    has_healed = {image.name for image, _ in healed}
    for image, grid in [*loaded, *healed, *_of_other_scanners(loaded, healed)]:
        group = f"{image.site} {'brains' if image.extracted else 'heads'}"
        count = 256 if counts[image.truth, image.site, image.extracted] < 3 else 192
        count = 96 if image.name in has_healed else count
        wanted.append((KINDS.index(image.truth), group, image.site, image.patient, grid, count))
    return wanted + [
        (KINDS.index(OTHER), MIXED, site, patient, grid, 64) for site, patient, grid in _of_no_kind(loaded)
    ]


def bank_of(kind: int, group: str, site: str, patient: str, grid: Grid, count: int, seed: int) -> Bank:
    """So many patches of one image."""
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    as_head = grid
    if group.endswith("brains") or group == MIXED:
        bright = random.random() < 0.5 if kind == KINDS.index(OTHER) else kind == KINDS.index(T2W)
        as_head = dressed(grid, random, bright)
    cuts = _cuts((grid, as_head), random, count)
    values, depths = (torch.from_numpy(np.stack(part)) for part in zip(*cuts, strict=True))
    return Bank(kind, group, site, patient, patches(values, depths, generator).half())


def _cuts(grids: tuple[Grid, Grid], random: np.random.Generator, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """So many cuts of the whole, of crops and of single slices; of an image as it is, and as a head."""
    cuts: list[tuple[np.ndarray, np.ndarray]] = []
    while len(cuts) < count:
        part, of_it = drawn(grids[int(random.random() < SHARE_DRESSED)], random)
        cuts += [cut(part, random) for _ in range(min(of_it, count - len(cuts)))]
    return cuts


def _of_other_scanners(loaded: list[tuple[Image, Grid]], healed: list[tuple[Image, Grid]]) -> list[tuple[Image, Grid]]:
    """Contrasts with some of another in them, as other echo times would give: grey and white matter differ less."""
    scans: dict[tuple[str, bool], dict[str, tuple[Image, Grid]]] = {}
    for image, grid in [*loaded, *healed]:  # without tumours where that is known
        if image.extracted:
            scans.setdefault((image.patient, image.extracted), {})[image.truth] = (image, grid)
    mixed = []
    for scan in scans.values():
        for kind, other, share in (
            ("FLAIR", "T1w", 0.2),
            ("FLAIR", "T1w", -0.15),
            ("T2w", "FLAIR", 0.2),
            ("T1w", "T2w", 0.12),
        ):
            if not {kind, other} <= set(scan) or scan[kind][1].values.shape != scan[other][1].values.shape:
                continue
            image, grid = scan[kind]
            values = grid.values.astype(np.float32) + share * scan[other][1].values
            mixed.append((image, replace(grid, values=values.astype(np.float16), _places={})))
    return mixed


def _of_no_kind(loaded: list[tuple[Image, Grid]]) -> list[tuple[str, str, Grid]]:
    """Contrasts like proton density, or that no scanner gives, mixed of a patient's scans."""
    scans: dict[tuple[str, str], dict[str, Grid]] = {}
    for image, grid in loaded:
        if image.extracted:
            scans.setdefault((image.site, image.patient), {})[image.truth] = grid
    mixed = []
    for (site, patient), scan in scans.items():
        if not {"T1w", "T2w", "FLAIR"} <= set(scan):
            continue
        t1, t2, flair = (scan[kind] for kind in ("T1w", "T2w", "FLAIR"))
        first, second, third = (grid.values.astype(np.float32) for grid in (t1, t2, flair))
        arrays = [1 - third]
        if first.shape == second.shape == third.shape:
            arrays += [0.48 * second + 0.52 * third, 0.57 * second + 0.43 * third, 0.5 * first + 0.5 * second]
        mixed += [(site, patient, replace(flair, values=array.astype(np.float16), _places={})) for array in arrays]
    return mixed


class Sampler:
    """Draws a kind, then a site, then an image, then a patch of it, turned by a right angle or mirrored."""

    def __init__(self, banks: list[Bank], seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.by_kind: dict[int, dict[str, list[Bank]]] = {}
        for bank in banks:
            if WEIGHTS[KINDS[bank.kind]]:
                self.by_kind.setdefault(bank.kind, {}).setdefault(bank.group, []).append(bank)
        self.kinds = sorted(self.by_kind)
        shares = np.array([WEIGHTS[KINDS[kind]] for kind in self.kinds])
        self.shares = shares / shares.sum()

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(BATCH, 2, SIDE, SIDE), and numbers of kinds."""
        drawn, kinds = [], []
        for _ in range(BATCH):
            kind = int(self.random.choice(self.kinds, p=self.shares))
            groups = self.by_kind[kind]
            members = groups[str(self.random.choice(sorted(groups)))]
            bank = members[int(self.random.integers(len(members)))]
            patch = bank.patches[int(self.random.integers(len(bank.patches)))]
            turned = torch.rot90(patch, int(self.random.integers(4)), (1, 2))
            drawn.append(turned.flip(2) if self.random.random() < 0.5 else turned)
            kinds.append(kind)
        return torch.stack(drawn).float(), torch.tensor(kinds)


def train(banks: list[Bank], steps: int, seed: int = 0, report=print) -> Network:
    """A network that has seen these patches."""
    torch.manual_seed(seed)
    sampler, network = Sampler(banks, seed), Network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.15)
    objective = nn.CrossEntropyLoss(label_smoothing=0.02)
    started, running = time.process_time(), 0.0
    for step in range(1, steps + 1):
        batch, kinds = sampler.batch()
        batch = batch.contiguous(memory_format=torch.channels_last)
        loss = objective(network(batch), kinds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        running += 0.05 * (loss.item() - running) if step > 1 else loss.item()
        if step % 50 == 0:
            report(f"{step}/{steps} loss {running:.3f} {time.process_time() - started:.0f} s")
    return network.eval()
