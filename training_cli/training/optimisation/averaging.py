"""Moving average of a network's weights; the average is what gets exported."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel


class WeightAverage(AveragedModel):
    """torch's AveragedModel with decay min(decay, (1 + n) / (10 + n)) at update n, so that early weights are forgotten.

    Buffers are copied as they are. ``module`` is the averaged network, for evaluation, without gradients.

    Args:
        network: whose weights are averaged, from their present values on.
        decay: of the average, once enough updates are done.

    Example:
        >>> network = torch.nn.Linear(1, 1, bias=False).requires_grad_(False)
        >>> average = WeightAverage(network.apply(lambda layer: layer.weight.fill_(0)), decay=0.999)
        >>> average.update_parameters(network.apply(lambda layer: layer.weight.fill_(1)))
        >>> round(float(average.module.weight), 3)  # decay (1 + 0) / (10 + 0)
        0.9
    """

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        super().__init__(network, multi_avg_fn=self._mix)
        self.decay = decay
        # torch would take the first update as the average; here the weights before it count as well.
        self.n_averaged += 1
        self.eval().requires_grad_(False)

    @property
    def updates(self) -> int:
        """How often ``update_parameters`` was called."""
        return int(self.n_averaged) - 1

    @torch.no_grad()
    def _mix(self, averaged: Any, current: Any, _count: Any) -> None:
        # The count is read from the CPU: from a GPU it would have to be waited for.
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(averaged, current, 1.0 - decay)

    def checkpoint(self) -> dict[str, Any]:
        """The average as a checkpoint keeps it: {"network": state, "updates": number}."""
        return {"network": self.module.state_dict(), "updates": self.updates}

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Put back what ``checkpoint`` gave."""
        self.module.load_state_dict(checkpoint["network"])
        self.n_averaged.fill_(int(checkpoint["updates"]) + 1)
