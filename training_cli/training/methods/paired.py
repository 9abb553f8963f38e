"""Supervised translation on registered pairs, and an adversarial term on request (Isola et al., CVPR 2017)."""

from __future__ import annotations

from typing import ClassVar

import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import Direction
from training_cli.training.config.method_settings import PairedSettings
from training_cli.training.optimisation.losses import adversarial_loss
from training_cli.training.optimisation.networks import middle_like, run_together
from training_cli.training.optimisation.pair_terms import pairs_term

from .base import Batch, Losses, Method

BATCH_KEYS: dict[Direction, tuple[str, str]] = {"forward": ("a", "b"), "backward": ("b", "a")}


class Paired(Method):
    """Generators G: A -> B and F: B -> A, each taught by the registered image of the other domain.

    Weights: ``lambda_pairs`` for the supervised term (see ``pairs_term``), ``lambda_adversarial`` for the
    discriminators; 0 leaves these out. A conditional discriminator sees input and output together (pix2pix), else the
    output alone. A source of several modalities is translated one way only.
    """

    takes_middle_slice = True
    losses: ClassVar[tuple[str, ...]] = ("generators", "discriminators", "adversarial", "pairs")

    def build(self) -> None:
        """See ``Method.build``."""
        config = self.config
        if config.lambda_pairs == 0:
            raise InputError("The method paired learns from pairs alone; lambda_pairs must be above 0.")
        self.settings = config.section(PairedSettings)
        directions: list[Direction] = ["forward"] if config.extra_list() else ["forward", "backward"]
        for direction in directions:
            self.add_generator(direction, direction)
        # Before the discriminators are made: reading a model draws random numbers, which decide their weights.
        self.start_from_init()
        self.direction_discriminators: dict[Direction, torch.nn.Module] = {}
        if config.lambda_adversarial > 0:
            for direction in directions:
                source, _target = BATCH_KEYS[direction]
                channels = int(self.architecture[direction]["out_channels"])
                channels += self.in_channels[source] if self.settings.conditional else 0
                discriminator = self.add_discriminator(f"discriminator_{direction}", channels)
                self.direction_discriminators[direction] = discriminator
        self.adversarial = adversarial_loss(config.adversarial)

    def train_step(self, batch: Batch, progress: float) -> Losses:
        """One update of the generators, then of the discriminators. See ``Method.train_step``."""
        adversarial = bool(self.discriminators) and progress >= self.config.pairs_warmup
        weight = batch["weight"]
        losses: Losses = {"pairs": batch["a"].new_zeros(())}
        self.freeze_discriminators(True)
        shown = {}
        with self.autocast():
            translations = {
                direction: network(batch[BATCH_KEYS[direction][0]])
                for direction, network in self.generator_networks.items()
            }
            if adversarial:
                shown = {direction: self._shown(batch, direction, image) for direction, image in translations.items()}
                scores = [network(shown[direction][1]) for direction, network in self.direction_discriminators.items()]
        for direction, image in translations.items():
            target = middle_like(batch[f"{BATCH_KEYS[direction][1]}_clean"], image)
            losses["pairs"] = losses["pairs"] + pairs_term(self.config, image, target, weight)
        total = self.config.lambda_pairs * losses["pairs"]
        if adversarial:
            losses["adversarial"] = sum(self.adversarial(score.float(), True, False) for score in scores)
            total = total + self.config.lambda_adversarial * losses["adversarial"]
        self.update_generators(total)
        losses["generators"] = total
        if adversarial:
            losses["discriminators"] = self._discriminator_loss(shown)
            self.update_discriminators(losses["discriminators"])
        return losses

    def _shown(self, batch: Batch, direction: Direction, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the discriminator of a direction sees: the real image and the translation, the input beside them."""
        source, target = BATCH_KEYS[direction]
        real = middle_like(batch[f"{target}_clean"], image)
        # Where there is nothing to compare with, the discriminator is to see no difference.
        fake = torch.where(batch["weight"] > 0, image.float(), real)
        if not self.settings.conditional:
            return real, fake
        return torch.cat([batch[source], real], dim=1), torch.cat([batch[source], fake], dim=1)

    def _discriminator_loss(self, shown: dict[Direction, tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        self.freeze_discriminators(False)
        loss = torch.zeros((), device=self.device)
        for direction, discriminator in self.direction_discriminators.items():
            real, fake = shown[direction]
            with self.autocast():
                real_score, fake_score = run_together(discriminator, real, fake.detach())
            loss = loss + 0.5 * (
                self.adversarial(real_score.float(), True, True) + self.adversarial(fake_score.float(), False, True)
            )
        return loss
