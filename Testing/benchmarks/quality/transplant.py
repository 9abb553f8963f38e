"""Tumours of one patient set into another's brain, in all contrasts alike: a few tumours seen in many surroundings.

What is moved is the difference to the donor's healthy tissue, so that the recipient's tone is kept; edges are soft.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter

from .data import Scene

SMALLEST = 80  # pixels of a tumour in its slice
SCALP = 16  # pixels below the surface of a whole head in which there is no brain
EDGE = 1.5  # pixels, width of the soft edge


@dataclass
class Transplants:
    """Donors are the scenes with tumour labels."""

    scenes: list[Scene]
    random: np.random.Generator
    _middles: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.donors = []
        for scene in self.scenes:
            if scene.labels is not None and scene.site != "Ljubljana":  # lesions of MS are not tumours
                slices = np.flatnonzero((scene.labels > 0).sum(axis=(1, 2)) >= SMALLEST)
                if len(slices):
                    self.donors.append((scene, slices))

    def into(self, scene: Scene, z: int, stacks: dict[str, np.ndarray], weights: np.ndarray, importance: float) -> None:
        """Set a random tumour into stacks (contrast to (s, h, w), changed in place) around slice z of a scene.

        weights: (1, h, w), which becomes ``importance`` where the tumour lies.
        """
        fitting = [entry for entry in self.donors if set(stacks) <= set(entry[0].images)]
        if not fitting:
            return
        donor, slices = fitting[self.random.integers(len(fitting))]
        middle = int(self.random.choice(slices))
        allowed = weights[0] > 0
        if scene.whole:
            allowed = binary_erosion(allowed, iterations=SCALP)
        inside = np.argwhere(allowed)
        if not len(inside):
            return
        tumour = donor.labels[middle] > 0
        rows, columns = (np.flatnonzero(tumour.any(axis=axis)) for axis in (1, 0))
        box = tuple(
            slice(max(0, int(found[0]) - 5), min(length, int(found[-1]) + 6))
            for found, length in zip((rows, columns), tumour.shape, strict=True)
        )
        mirrored = slice(None, None, -1 if self.random.random() < 0.5 else 1)
        place = inside[self.random.integers(len(inside))]
        high, wide = (part.stop - part.start for part in box)
        top, left = int(place[0]) - high // 2, int(place[1]) - wide // 2
        size = weights.shape[1:]
        own = slice(max(0, top), min(size[0], top + high)), slice(max(0, left), min(size[1], left + wide))
        cut = tuple(slice(part.start - first, part.stop - first) for part, first in zip(own, (top, left), strict=True))
        strength = self.random.uniform(0.8, 1.2)
        shape = None
        for contrast, stack in stacks.items():
            step = 3 if len(stack) > 1 else 0
            offsets = (np.arange(len(stack)) - len(stack) // 2) * step
            places = np.clip(middle + offsets, 0, len(donor.body) - 1)
            soft = (
                np.stack(
                    [
                        gaussian_filter((donor.labels[p][box] > 0).astype(np.float32), EDGE)[:, mirrored][cut]
                        for p in places
                    ]
                )
                * allowed[own]
            )
            given = np.stack([donor.images[contrast][p][box][:, mirrored][cut] for p in places]).astype(np.float32)
            moved = self._middle(scene, contrast) + strength * (given - self._middle(donor, contrast))
            stack[:, own[0], own[1]] = np.clip(soft * moved + (1 - soft) * stack[:, own[0], own[1]], -1, 1)
            shape = soft[len(stack) // 2] > 0.5
        weights[0][own][shape] = importance

    def _middle(self, scene: Scene, contrast: str) -> float:
        """The median of what is healthy in a scene; of a whole head, in the middle of it."""
        key = (scene.name, contrast)
        if key not in self._middles:
            image, body = scene.images[contrast], scene.body
            if scene.whole:
                h, w = body.shape[1:]
                part = np.s_[len(body) // 3 : -len(body) // 4, h // 4 : -h // 4, w // 4 : -w // 4]
                image, body = image[part], body[part]
            elif scene.labels is not None:
                body = body & (scene.labels == 0)
            self._middles[key] = float(np.median(image[body].astype(np.float32)[::7]))
        return self._middles[key]
