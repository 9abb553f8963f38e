"""What every training method shares: optimisers, learning rate, averaged weights, start from a model, checkpoints.

A method is a subclass that makes its networks in ``build`` and computes its losses in ``train_step``.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import Direction
from surgical_style_engine.networks import build_generator
from training_cli.training.config import TrainingConfig
from training_cli.training.optimisation.averaging import WeightAverage
from training_cli.training.optimisation.finetune import load_initial_weights
from training_cli.training.optimisation.networks import (
    check_patch_size,
    generator_arguments,
    gives_middle_slice,
    make_discriminator,
)
from training_cli.training.optimisation.optimizers import make_adam, set_learning_rate, update

Batch = dict[str, torch.Tensor]
Losses = dict[str, torch.Tensor]


class Method(abc.ABC):
    """Networks, their optimisers and one training step.

    ``takes_middle_slice`` says whether it can go on from a model that gives the middle slice of a stack alone.

    A subclass states ``losses``, the names of all losses that ``train_step`` may give, which are the columns of
    losses.csv, and has ``build`` and ``train_step``. ``extra_state`` and ``load_extra_state`` are for what else a
    resumed run must find again.

    Args:
        config: of the training.
        channels_a: of a source image, without neighbouring slices.
        channels_b: of a target image.
        device: where the networks are to be.
        autocast: gives the context in which networks run.

    Raises:
        InputError: where the settings, the images or the model of ``init`` do not fit.

    Attributes:
        in_channels: of a batch's images by their key, "a" (source) and "b" (target), neighbouring slices included.
        architecture: by direction, the arguments that build a generator anew.
        generator_networks: the generators being trained, by direction.
        discriminators: by name.
        generator_parts: further modules that are trained with the generators, by name.
        started_from: name, sha256 and directions of the model of ``init``, None without.
        steps: done so far, those before a resume included.
    """

    losses: ClassVar[tuple[str, ...]]
    fused_adam: ClassVar[bool] = True
    takes_middle_slice: bool = False

    def __init__(
        self,
        config: TrainingConfig,
        channels_a: int,
        channels_b: int,
        device: torch.device | str,
        autocast: Callable[[], AbstractContextManager],
    ) -> None:
        self.config, self.device, self.autocast = config, device, autocast
        self.channels_a, self.channels_b = channels_a, channels_b
        self.in_channels = {"a": config.stack * channels_a, "b": config.stack * channels_b}
        self.architecture: dict[Direction, dict[str, Any]] = {}
        self.generator_networks: dict[Direction, torch.nn.Module] = {}
        self.discriminators: dict[str, torch.nn.Module] = {}
        self.generator_parts: dict[str, torch.nn.Module] = {}
        self.started_from: dict[str, Any] | None = None
        self.steps = 0
        self._names: dict[Direction, str] = {}
        self.build()
        self.start_from_init()
        self.averages = {way: WeightAverage(net, config.ema_decay) for way, net in self.generator_networks.items()}
        generators = [*self.generator_networks.values(), *self.generator_parts.values()]
        self._generator_parameters = [p for network in generators for p in network.parameters()]
        self._discriminator_parameters = [p for network in self.discriminators.values() for p in network.parameters()]
        self.optimizer_g = make_adam(config, self._generator_parameters, device, self.fused_adam, config.weight_decay)
        self.optimizer_d = (
            make_adam(config, self._discriminator_parameters, device, self.fused_adam) if self.discriminators else None
        )

    @abc.abstractmethod
    def build(self) -> None:
        """Make the networks, by ``add_generator``, ``add_discriminator`` and ``add_generator_part``."""

    @abc.abstractmethod
    def train_step(self, batch: Batch, progress: float) -> Losses:
        """Compute losses and update the networks, by ``update_generators`` and ``update_discriminators``.

        Args:
            batch: as of ``step``.
            progress: share of the budget used, 0 to 1.

        Returns:
            Losses by name, scalars; all of ``losses`` or some.
        """

    def leading_share(self) -> float:
        """The first part of the budget, 0 to 1, whose steps take another time than those after it."""
        return self.config.pairs_warmup

    def step(self, batch: Batch, progress: float, learning_rate: float) -> Losses:
        """One training step at a learning rate, after which the averages follow the weights.

        Args:
            batch: "a" and "b" (n, stack*c, p, p) in [-1, 1], "a_clean" and "b_clean" the same without disturbances,
                "weight" (n, 1, p, p) one where a pair may be compared, "paired" (n,) whether the two are a pair, and
                "rough" (n,), which may be absent, whether the pairs of this training are of different patients.
            progress: share of the budget used, 0 to 1.
            learning_rate: of all optimisers.

        Returns:
            Losses by name, scalars without gradient.
        """
        for optimizer in filter(None, (self.optimizer_g, self.optimizer_d)):
            set_learning_rate(optimizer, learning_rate)
        losses = self.train_step(batch, progress)
        undeclared = set(losses) - set(self.losses)
        if undeclared:
            raise KeyError(f"{type(self).__name__} does not declare its losses {', '.join(sorted(undeclared))}.")
        for direction, average in self.averages.items():
            average.update_parameters(self.generator_networks[direction])
        self.steps += 1
        return {name: value.detach() for name, value in losses.items()}

    def add_generator(self, name: str, direction: Direction) -> torch.nn.Module:
        """Make a generator as the configuration describes it.

        Args:
            name: in checkpoints.
            direction: "forward" is from source to target.
        """
        start, end = ("a", "b") if direction == "forward" else ("b", "a")
        given = self.in_channels[end]
        if gives_middle_slice(self.config):
            if not self.takes_middle_slice:
                raise InputError(
                    f"The model {self.config.init} gives the middle slice of a stack alone, which the method "
                    f"{self.config.method} cannot go on from; paired can."
                )
            given //= self.config.stack
        channels = {"in_channels": self.in_channels[start], "out_channels": given}
        self.architecture[direction] = {**channels, **generator_arguments(self.config)}
        network = build_generator(self.config.generator, **self.architecture[direction]).to(self.device)
        self.generator_networks[direction] = network
        self._names[direction] = name
        check_patch_size(network, self.in_channels[start], self.config.patch_size, "generator")
        return network

    def add_discriminator(self, name: str, channels: int) -> torch.nn.Module:
        """Make a discriminator as the configuration describes it, for images of so many channels."""
        network = make_discriminator(self.config, channels, self.device)
        self.discriminators[name] = network
        check_patch_size(network, channels, self.config.patch_size, "discriminator")
        return network

    def add_generator_part(self, name: str, module: torch.nn.Module) -> torch.nn.Module:
        """Let a module be trained with the generators and kept in checkpoints; it is not exported."""
        self.generator_parts[name] = module.to(self.device)
        return self.generator_parts[name]

    def start_from_init(self) -> None:
        """Give the generators the weights of the model of ``init``, if one was named; called after ``build``.

        Raises:
            InputError: where the model does not fit, or has none of the directions that are trained.
        """
        if self.config.init is not None and self.started_from is None:
            self.started_from = load_initial_weights(self.config.init, self.generator_networks)

    def update_generators(self, loss: torch.Tensor) -> None:
        """One step of the generators, and what is trained with them, down the gradient of a loss (scalar)."""
        update(self.optimizer_g, self._generator_parameters, loss)

    def update_discriminators(self, loss: torch.Tensor) -> None:
        """One step of the discriminators down the gradient of a loss (scalar)."""
        if self.optimizer_d is None:
            raise RuntimeError("This method has no discriminators.")
        update(self.optimizer_d, self._discriminator_parameters, loss)

    def freeze_discriminators(self, frozen: bool) -> None:
        """Whether the discriminators' weights get gradients: not while the generators learn from them."""
        for network in self.discriminators.values():
            network.requires_grad_(not frozen)

    def generators(self) -> dict[Direction, torch.nn.Module]:
        """The averaged generators by direction: what is exported and shown in samples."""
        return {direction: average.module for direction, average in self.averages.items()}

    def networks(self) -> dict[str, torch.nn.Module]:
        """All networks being trained, by their name in checkpoints."""
        generators = {self._names[direction]: network for direction, network in self.generator_networks.items()}
        return {**generators, **self.discriminators, **self.generator_parts}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of the method."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks().items()},
            "averages": {direction: average.checkpoint() for direction, average in self.averages.items()},
            "optimizer_g": self.optimizer_g.state_dict(),
            "optimizer_d": self.optimizer_d.state_dict() if self.optimizer_d else {},
            "steps": self.steps,
            **self.extra_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` gave, also that of earlier versions."""
        state = self.converted(state)
        for name, network in self.networks().items():
            network.load_state_dict(state["networks"][name])
        for direction, average in self.averages.items():
            average.restore(state["averages"][direction])
        self.optimizer_g.load_state_dict(state["optimizer_g"])
        if self.optimizer_d:
            self.optimizer_d.load_state_dict(state["optimizer_d"])
        self.steps = int(state.get("steps", 0))
        self.load_extra_state(state)

    @staticmethod
    def converted(state: dict[str, Any]) -> dict[str, Any]:
        """The state of a checkpoint of an earlier version in the form of this one."""
        return state

    def card_entries(self) -> dict[str, Any]:
        """What else the model's card tells of the training, in JSON's types."""
        return {}

    def extra_state(self) -> dict[str, Any]:
        """What else a checkpoint must keep, under names of its own; tensors and plain values only."""
        return {}

    def load_extra_state(self, state: dict[str, Any]) -> None:  # noqa: B027 - most methods have nothing more
        """Put back what ``extra_state`` gave."""
