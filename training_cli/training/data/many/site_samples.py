"""Training samples of scans from many sites, each beside one of the reference; see ``dataset.SampleByNumber``."""

from __future__ import annotations

import numpy as np
import torch

from training_cli.training.config import TrainingConfig
from training_cli.training.data.patches import is_constant

from .samples import SampleOfGroups
from .sites import SiteData


class SampleOfSites(SampleOfGroups):
    """Samples by number.

    Sample i is {"a": patch (stack, p, p) in [-1, 1] of a site other than the reference, every site as often as the
    others, "b": of the reference, "a_clean", "b_clean": the same before intensity augmentation, "a_inside",
    "b_inside": (1, p, p), one where grey values are compared with the reference's, "site": number of a's site, the
    reference's being 0, "weight": (1, p, p) zeros and "paired": False, as there are no pairs}.
    """

    def __init__(self, data: SiteData, config: TrainingConfig, length: int = 2**31 - 1) -> None:
        super().__init__(data, config, length)
        sites = [data.names.index(next(iter(group))) for group in data.groups]
        self.of_site = [np.flatnonzero(np.array(sites) == number) for number in range(len(data.names))]

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        random = np.random.default_rng((self.config.seed, number))
        site = int(random.integers(1, len(self.of_site)))
        sample: dict[str, torch.Tensor] = {}
        for key, place in (("a", site), ("b", 0)):
            clean, inside = self._patch(place, random)
            images = {key: self._disturbed(clean[None], random)[0], f"{key}_clean": clean, f"{key}_inside": inside}
            sample |= {name: torch.from_numpy(np.ascontiguousarray(image)) for name, image in images.items()}
        return sample | {
            "site": torch.tensor(site),
            "weight": torch.zeros_like(sample["a_inside"]),
            "paired": torch.tensor(False),
        }

    def _patch(self, site: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A patch (stack, p, p) of a scan of a site, and where it is inside (1, p, p)."""
        numbers = self.of_site[site]
        index = int(random.choice(numbers, p=self.odds[numbers] / self.odds[numbers].sum()))
        images = self._drawn(self.data.groups[index], self.bodies[index], random)
        if self.augmentation is not None:
            moved = self.augmentation.move(images, int(random.integers(2**31)))
            if not is_constant(moved["a"]):
                images = moved
        return images["a"].astype(np.float32), images["weight"].astype(np.float32)
