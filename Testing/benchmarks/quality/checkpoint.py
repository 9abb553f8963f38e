"""Checkpoints of a benchmark's training."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch


class Checkpointed:
    """A training with network, averaged, optimiser, spent, step, images, history, recipe, draw and sampler."""

    network: torch.nn.Module
    averaged: torch.nn.Module
    optimiser: torch.optim.Optimizer
    spent: float
    step: int
    images: int
    history: list
    recipe: Any
    draw: torch.Generator
    sampler: Any

    def save(self, path: Path) -> None:
        """A checkpoint to resume from; written whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "spent": self.spent,
            "step": self.step,
            "images": self.images,
            "history": self.history,
            "recipe": json.dumps(asdict(self.recipe)),
            "draw": self.draw.get_state(),
            "random": json.dumps(self.sampler.random.bit_generator.state),
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(path)

    def resume(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.spent, self.step, self.images = state["spent"], state["step"], state["images"]
        self.history = state["history"]
        self.draw.set_state(state["draw"])
        self.sampler.random.bit_generator.state = json.loads(state["random"])
