"""History of generated images shown to a discriminator (Shrivastava et al., CVPR 2017; used by CycleGAN)."""

from __future__ import annotations

import random
from typing import Any

import torch


class ImagePool:
    """Keeps up to ``size`` generated images; a query returns, half the time, an older one in exchange.

    State (images and the random generator) is part of the checkpoint, so a resumed run goes on identically.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.images: list[torch.Tensor] = []
        self._random = random.Random(seed)

    def query(self, batch: torch.Tensor) -> torch.Tensor:
        """Images (n, c, h, w) in, images of the same shape out, detached."""
        batch = batch.detach()
        if self.size == 0:
            return batch
        shown = []
        for image in batch:
            image = image.clone()
            if len(self.images) < self.size:
                self.images.append(image)
                shown.append(image)
            elif self._random.random() < 0.5:
                place = self._random.randrange(self.size)
                shown.append(self.images[place])
                self.images[place] = image
            else:
                shown.append(image)
        return torch.stack(shown)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        version, internal, gauss = self._random.getstate()
        return {"images": [i.cpu() for i in self.images], "random": [version, list(internal), gauss]}

    def load_state_dict(self, state: dict[str, Any], device: torch.device | str = "cpu") -> None:
        """Put back what ``state_dict`` gave."""
        self.images = [image.to(device) for image in state["images"]]
        version, internal, gauss = state["random"]
        self._random.setstate((version, tuple(internal), gauss))
