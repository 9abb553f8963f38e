"""What the loop asks of a training method, so that a new method is one file."""

from __future__ import annotations

from typing import Protocol

import torch


class Method(Protocol):
    """Networks, their optimisers and one training step.

    ``generators()`` gives {"forward": module, "backward": module or absent}: the averaged networks that are exported.
    ``networks()``: those being trained. ``architecture``: by direction, the arguments that build a generator anew.
    """

    architecture: dict[str, dict]

    def step(self, batch: dict[str, torch.Tensor], progress: float, learning_rate: float) -> dict[str, torch.Tensor]:
        """Do one update on a batch; ``progress`` is the share of the budget used. Returns losses by name, detached."""

    def generators(self) -> dict[str, torch.nn.Module]: ...

    def networks(self) -> dict[str, torch.nn.Module]: ...

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict) -> None: ...
