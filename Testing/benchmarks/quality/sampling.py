"""Random batches of slices from scenes: stacks of the source, the target's slice, and where both are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import binary_erosion
from torch.nn import functional as F

from .data import Scene
from .synthetic_lesions import set_lesion
from .transplant import SCALP, Transplants

STACK_MM = 3.0
CANVAS = {False: (192, 160), True: (240, 192)}  # rows and columns; brains and whole heads


@dataclass
class Sampler:
    """Draws batches for one or both directions of a pair of contrasts.

    images: in a batch. heads: share of batches with whole heads, where there are any. zoom, degrees: largest change of
    size (log) and angle of half the images; the others are only moved and mirrored, and stay as sharp as they are. mix:
    largest share of another contrast of the same head that is added to the source (or taken away). thick: how often
    thin slices are averaged into thick ones. tumour: how much a voxel of tumour or lesion counts. transplant: how often
    another patient's tumour is set into a brain, see ``transplant``. lesions: how often one of random form is, see
    ``synthetic_lesions``. also: further contrasts that are taken for the
    source in half of the images where a scene has both, and where it has none of the source. elastic: largest
    displacement of a smooth deformation, in pixels. whole_stacks: the target comes as a stack as well. canvas: share of
    batches on a canvas of 0.6 to 1.2 times the usual size, so that neither the share of air nor a missing edge of the
    body says whether this is a brain or a whole head.
    """

    scenes: list[Scene]
    source: str
    target: str
    stack: int = 3
    images: int = 4
    heads: float = 0.35
    zoom: float = 0.15
    degrees: float = 10.0
    mix: float = 0.0
    thick: float = 0.3
    tumour: float = 1.0
    transplant: float = 0.0
    lesions: float = 0.0
    also: tuple[str, ...] = ()
    elastic: float = 0.0
    whole_stacks: bool = False
    canvas: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        fitting = [scene for scene in self.scenes if self._sources(scene)]
        self.groups = {whole: [s for s in fitting if s.whole == whole] for whole in (False, True)}
        # Each patient counts alike, however many scenes there are, and a site by the root of its patients.
        self.weights = {}
        for whole, group in self.groups.items():
            counts = {p: sum(s.patient == p for s in group) for p in {s.patient for s in group}}
            sizes = {site: len({s.patient for s in group if s.site == site}) for site in {s.site for s in group}}
            weights = np.array([1 / counts[s.patient] / sizes[s.site] ** 0.5 for s in group])
            self.weights[whole] = weights / weights.sum() if len(group) else weights
        self.random = np.random.default_rng(self.seed)
        self.transplants = Transplants(fitting, self.random)
        self.slices = {s.name: np.flatnonzero(s.body.mean(axis=(1, 2)) > 0.03) for s in fitting}

    def _sources(self, scene: Scene) -> list[str]:
        """What can be translated in a scene: the source, or what is taken for it. One of a pair is on its own grid."""
        return [
            contrast
            for contrast in (self.source, *self.also)
            if {contrast, self.target} <= set(scene.contrasts) and {contrast, self.target} & set(scene.own)
        ]

    def batch(self, backward: bool = False) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(source (n, stack, h, w), target (n, 1, h, w), weights (n, 1, h, w): 0 where nothing is known)."""
        whole = bool(self.groups[True]) and (not self.groups[False] or self.random.random() < self.heads)
        high, wide = self._canvas(whole)
        chosen = self.random.choice(len(self.groups[whole]), self.images, p=self.weights[whole])
        images = [self._one(self.groups[whole][index], high, wide, backward) for index in chosen]
        joined = torch.stack(images)
        weights = torch.where(joined[:, -1:] > 0.99, joined[:, -1:], 0.0)
        return joined[:, : self.stack] - 1, joined[:, self.stack : -1] - 1, weights

    def _canvas(self, whole: bool) -> tuple[int, int]:
        """Rows and columns of a batch, in multiples of 16."""
        high, wide = CANVAS[whole]
        if self.canvas and self.random.random() < self.canvas:
            high, wide = (16 * round(size * self.random.uniform(0.6, 1.2) / 16) for size in (high, wide))
        return high, wide

    def _one(self, scene: Scene, high: int, wide: int, backward: bool) -> torch.Tensor:
        """(stack + 2, high, wide): source and target above -1 (air is 0), mask."""
        source, target = (self.target, self.source) if backward else (self.source, self.target)
        images = scene.images
        if self.also:
            sources = self._sources(scene)
            first = self.random.random() < 0.5 or len(sources) == 1
            source = sources[0 if first else self.random.integers(1, len(sources))]
        z = int(self.random.choice(self.slices[scene.name]))
        step = max(1, round(STACK_MM / scene.slice_mm))
        places = np.clip(z + (np.arange(self.stack) - self.stack // 2) * step, 0, len(scene.body) - 1)
        others = places if self.whole_stacks else places[self.stack // 2 : self.stack // 2 + 1]
        a, b = images[source][places].astype(np.float32), images[target][others].astype(np.float32)
        if scene.slice_mm < 2 and self.random.random() < self.thick:
            # As if slices were three times as thick.
            around = [np.clip(places + d, 0, len(scene.body) - 1) for d in (-1, 1)]
            a = (a + sum(images[source][p].astype(np.float32) for p in around)) / 3
            nearby = [np.clip(others + d, 0, len(scene.body) - 1) for d in (-1, 1)]
            b = (b + sum(images[target][p].astype(np.float32) for p in nearby)) / 3
        further = [c for c in scene.contrasts if c not in (source, target)]
        if self.mix and further and self.random.random() < 0.4:
            other = images[further[self.random.integers(len(further))]][places].astype(np.float32)
            a = np.clip(a + self.random.uniform(-self.mix, self.mix) * (other - a), -1, 1)
        weights = scene.body[z : z + 1].astype(np.float32)
        if scene.labels is not None and self.tumour != 1:
            weights[weights * scene.labels[z : z + 1] > 0] = self.tumour
        if source != target and self.random.random() < self.transplant * (0.3 if scene.whole else 1):
            # The same place in both: the middle of the source's stack is the target's slice.
            self.transplants.into(scene, z, {source: a, target: b}, weights, self.tumour)
        elif source != target and self.lesions and self.random.random() < self.lesions:
            allowed = weights[0] > 0
            if scene.whole:
                allowed = binary_erosion(allowed, iterations=SCALP)
            set_lesion({source: a, target: b}, source, allowed, weights, self.tumour, self.random)
        stacked = torch.from_numpy(np.concatenate([a + 1, b + 1, weights]))
        if self.random.random() < 0.5:
            stacked = stacked.flip(-1)
        if self.random.random() < 0.5:
            return self._moved(stacked, high, wide)
        return self._turned(stacked, high, wide)

    def _moved(self, image: torch.Tensor, high: int, wide: int) -> torch.Tensor:
        """On a canvas, at a random whole place; what is larger is cut."""
        for axis, size in ((1, high), (2, wide)):
            spare = size - image.shape[axis]
            if spare < 0:
                image = image.narrow(axis, int(self.random.integers(-spare + 1)), size)
            elif spare:
                before = int(self.random.integers(spare + 1))
                pads = (0, 0, before, spare - before) if axis == 1 else (before, spare - before, 0, 0)
                image = F.pad(image, pads)
        return image

    def _turned(self, image: torch.Tensor, high: int, wide: int) -> torch.Tensor:
        """On a canvas, turned and resized about its centre."""
        angle = np.deg2rad(self.random.uniform(-self.degrees, self.degrees))
        scale = np.exp(self.random.uniform(-self.zoom, self.zoom, 2) * (1, 0.3))
        sizes = scale[0] * np.exp([scale[1] - 1, 1 - scale[1]])
        h, w = image.shape[-2:]
        cos, sin = np.cos(angle), np.sin(angle)
        # From canvas to image, both in [-1, 1].
        rows = np.array([[cos * wide / w, -sin * high / w], [sin * wide / h, cos * high / h]]) / sizes[:, None]
        shift = self.random.uniform(-0.05, 0.05, 2)
        theta = torch.tensor(np.column_stack([rows, shift]), dtype=torch.float32)[None]
        grid = F.affine_grid(theta, [1, len(image), high, wide], align_corners=False)
        if self.elastic:
            knots = torch.from_numpy(self.random.uniform(-1, 1, (1, 2, 6, 6)).astype(np.float32)) * self.elastic
            field = F.interpolate(knots, (high, wide), mode="bicubic", align_corners=True)
            grid = grid + field.permute(0, 2, 3, 1) * torch.tensor([2 / w, 2 / h])
        return F.grid_sample(image[None], grid, align_corners=False)[0]
