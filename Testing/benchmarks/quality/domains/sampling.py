"""Random batches of routes: some contrasts of a slice as the input, one or two of the others as targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..data import CONTRASTS, Scene
from ..sampling import STACK_MM, Sampler

SINGLE, DOUBLE = 0.6, 0.28  # shares of batches with one and with two inputs; the rest has three
NUMBER = {contrast: number for number, contrast in enumerate(CONTRASTS)}


@dataclass
class Routes:
    """A batch.

    images: (n, s, stack, h, w). given: (n, s) numbers of the contrasts. targets: (n, t) numbers. real: (n, t, 1, h, w).
    weights: (n, 1, h, w), 0 where nothing is known.
    """

    images: torch.Tensor
    given: torch.Tensor
    targets: torch.Tensor
    real: torch.Tensor
    weights: torch.Tensor


@dataclass
class RouteSampler(Sampler):
    """Draws routes instead of one pair of contrasts; the settings are those of ``Sampler``.

    most_targets: of an image. wide_stack: slices of what goes there and back, see ``there_and_back``.
    """

    most_targets: int = 2

    def _sources(self, scene: Scene) -> list[str]:
        return list(scene.contrasts) if len(scene.contrasts) > 1 else []

    def routes(self) -> Routes:
        """A batch of routes with as many inputs, and as many targets, for each image."""
        scenes, high, wide = self._scenes()
        fewest = min(len(scene.contrasts) for scene in scenes)
        drawn = self.random.random()
        s = min(1 if drawn < SINGLE else 2 if drawn < SINGLE + DOUBLE else 3, fewest - 1)
        t = min(self.most_targets, fewest - s)
        chosen = [self._route(scene, s, t) for scene in scenes]
        images, weights = [], []
        for scene, (given, targets) in zip(scenes, chosen, strict=True):
            image = self._slices(scene, [*given, *targets], s, self.stack, high, wide)
            images.append(image[:-1] - 1)
            weights.append(torch.where(image[-1:] > 0.99, image[-1:], 0.0))
        joined = torch.stack(images)
        inputs = joined[:, : s * self.stack].unflatten(1, (s, self.stack))
        numbers = [torch.tensor([[NUMBER[c] for c in route[part]] for route in chosen]) for part in (0, 1)]
        return Routes(inputs, *numbers, joined[:, s * self.stack :].unsqueeze(2), torch.stack(weights))

    def there_and_back(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """For a cycle: (n, stack + 2, h, w) of one contrast each, (n, 1) its number, (n, 1) another's, weights."""
        scenes, high, wide = self._scenes()
        starts = [scene.contrasts[self.random.integers(len(scene.contrasts))] for scene in scenes]
        numbers = [NUMBER[start] for start in starts]
        others = [(number + int(self.random.integers(1, len(CONTRASTS)))) % len(CONTRASTS) for number in numbers]
        images = torch.stack(
            [
                self._slices(scene, [start], 1, self.stack + 2, high, wide)
                for scene, start in zip(scenes, starts, strict=True)
            ]
        )
        weights = torch.where(images[:, -1:] > 0.99, images[:, -1:], 0.0)
        return images[:, :-1] - 1, torch.tensor(numbers)[:, None], torch.tensor(others)[:, None], weights

    def _scenes(self) -> tuple[list[Scene], int, int]:
        whole = bool(self.groups[True]) and (not self.groups[False] or self.random.random() < self.heads)
        high, wide = self._canvas(whole)
        chosen = self.random.choice(len(self.groups[whole]), self.images, p=self.weights[whole])
        return [self.groups[whole][index] for index in chosen], high, wide

    def _route(self, scene: Scene, s: int, t: int) -> tuple[list[str], list[str]]:
        """Inputs and targets; each target, or else the input, is on its own grid."""
        order = list(self.random.permutation(np.array(scene.contrasts, dtype=object)))
        if len(scene.own) < len(scene.contrasts):
            own = scene.own[0]
            order.remove(own)
            is_target = t == 1 and self.random.random() < 0.5
            order.insert(s if is_target else int(self.random.integers(s)), own)
        return order[:s], order[s : s + t]

    def _slices(
        self, scene: Scene, contrasts: list[str], stacks: int, stack: int, high: int, wide: int
    ) -> torch.Tensor:
        """(channels + 1, high, wide): stacks of the first contrasts, slices of the others, air being 0; mask."""
        z = int(self.random.choice(self.slices[scene.name]))
        step = max(1, round(STACK_MM / scene.slice_mm))
        places = np.clip(z + (np.arange(stack) - stack // 2) * step, 0, len(scene.body) - 1)
        shown = {
            c: places if number < stacks else places[stack // 2 : stack // 2 + 1] for number, c in enumerate(contrasts)
        }
        arrays = {c: scene.images[c][at].astype(np.float32) for c, at in shown.items()}
        if scene.slice_mm < 2 and self.random.random() < self.thick:
            for contrast, at in shown.items():
                around = [np.clip(at + d, 0, len(scene.body) - 1) for d in (-1, 1)]
                arrays[contrast] = (
                    arrays[contrast] + sum(scene.images[contrast][p].astype(np.float32) for p in around)
                ) / 3
        weights = scene.body[z : z + 1].astype(np.float32)
        if scene.labels is not None and self.tumour != 1:
            weights[weights * scene.labels[z : z + 1] > 0] = self.tumour
        if len(contrasts) > 1 and self.random.random() < self.transplant * (0.3 if scene.whole else 1):
            self.transplants.into(scene, z, arrays, weights, self.tumour)
        stacked = torch.from_numpy(np.concatenate([*(arrays[c] + 1 for c in contrasts), weights]))
        if self.random.random() < 0.5:
            stacked = stacked.flip(-1)
        return self._moved(stacked, high, wide) if self.random.random() < 0.5 else self._turned(stacked, high, wide)
