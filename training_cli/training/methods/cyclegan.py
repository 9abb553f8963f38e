"""CycleGAN (Zhu et al., ICCV 2017) with the article's terms and an optional supervised term on registered pairs."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from training_cli.training.config.method_settings import CycleGANSettings
from training_cli.training.optimisation.image_pool import ImagePool
from training_cli.training.optimisation.losses import (
    adversarial_loss,
    discriminator_features,
    reconstruction_loss,
    spatial_domain_loss,
)
from training_cli.training.optimisation.networks import middle_like, run_together
from training_cli.training.optimisation.pair_terms import pairs_term
from training_cli.training.optimisation.tolerant import air_term, begin_with_one_curve, tolerant_loss

from .base import Batch, Losses, Method

# It is known which tissue is bright after so much of the time with pseudo-pairs alone, and so many images.
SETTLED, SETTLED_IMAGES = 0.4, 1500
AIR = 0.1  # weight of what is said of air, beside L1 on pseudo-pairs


class CycleGAN(Method):
    """Generators G: A -> B and F: B -> A, discriminators D_A and D_B.

    The identity term compares G(y) with y for y in B (the article's listing compares a translation with its own
    input, which forbids any translation). Passes of one network that do not depend on each other run as one batch
    where it normalises each image by itself, so that this computes the same as running them one by one.

    Where a batch is "rough", its pairs are pseudo-pairs: images of other patients laid roughly on the source, from
    which ``tolerant_loss`` learns the tone. They begin alone, for ``pseudo_alone`` of the budget.
    """

    losses: ClassVar[tuple[str, ...]] = (
        "generators",
        "discriminators",
        "adversarial",
        "cycle",
        "identity",
        "spatial",
        "pairs",
        "air",
        "distribution",
        "sharpness",
    )

    def build(self) -> None:
        """See ``Method.build``."""
        self.settings = self.config.section(CycleGANSettings)
        # No cycle is ever closed then.
        self.takes_middle_slice = self.settings.pseudo_alone == 1 and self.config.pairs is None
        self.G = self.add_generator("G", "forward")
        self.F = self.add_generator("F", "backward")
        self.D_A = self.add_discriminator("D_A", self.in_channels["a"])
        self.D_B = self.add_discriminator("D_B", self.in_channels["b"])
        self.pool_a = ImagePool(self.settings.pool_size, self.config.seed)
        self.pool_b = ImagePool(self.settings.pool_size, self.config.seed + 1)
        self.adversarial = adversarial_loss(self.config.adversarial)

    def leading_share(self) -> float:
        """See ``Method.leading_share``."""
        return self.settings.pseudo_alone if self.config.asks_pseudo_pairs() else super().leading_share()

    def train_step(self, batch: Batch, progress: float) -> Losses:
        """One update of the generators, then of the discriminators. See ``Method.train_step``."""
        if progress < self.config.pairs_warmup:
            return self._supervised_step(batch)
        if _is_rough(batch) and progress < self.settings.pseudo_alone:
            return self._rough_step(batch, progress)
        self.freeze_discriminators(True)
        losses, fake_a, fake_b = self._generator_losses(batch)
        self.update_generators(losses["generators"])
        self.freeze_discriminators(False)
        losses["discriminators"] = self._discriminator_loss(batch, fake_a, fake_b)
        self.update_discriminators(losses["discriminators"])
        return losses

    def _supervised_step(self, batch: Batch) -> Losses:
        """Only the term on pairs: a quick start from where the adversarial game has something to refine."""
        loss = batch["a"].new_zeros(())
        if bool(batch["paired"].any()):
            with self.autocast():
                fake_b, fake_a = self.G(batch["a"]), self.F(batch["b"])
            loss = self._pairs_term(fake_a, fake_b, batch)
        total = loss * self.config.lambda_pairs
        self.update_generators(total)
        return {"pairs": loss, "generators": total}

    def _rough_step(self, batch: Batch, progress: float) -> Losses:
        """Only the terms on pseudo-pairs: as they lie, which says what is bright, later moved to where they fit."""
        if not bool(batch["paired"].any()):
            return {"generators": batch["a"].new_zeros(())}
        if self.started_from is None:  # the first batch with a pair need not be the first
            begin_with_one_curve(self.G, batch["a"], batch["b_clean"])
            begin_with_one_curve(self.F, batch["b"], batch["a_clean"])
        with self.autocast():
            fake_b, fake_a = self.G(batch["a"]), self.F(batch["b"])
        settled = progress >= SETTLED * self.settings.pseudo_alone and self.steps * len(batch["a"]) >= SETTLED_IMAGES
        losses = self._rough_terms(batch, fake_a, fake_b, move=settled)
        losses["generators"] = self._weighed(losses)
        self.update_generators(losses["generators"])
        return losses

    def _rough_terms(self, batch: Batch, fake_a: torch.Tensor, fake_b: torch.Tensor, move: bool = True) -> Losses:
        weight = batch["weight"]
        forward = tolerant_loss(fake_b.float(), middle_like(batch["b_clean"], fake_b), weight, move)
        backward = tolerant_loss(fake_a.float(), middle_like(batch["a_clean"], fake_a), weight, move)
        terms = {name: value + backward[name] for name, value in forward.items()}
        return terms | {"air": _air_terms(batch, fake_a, fake_b)}

    def _weighed(self, terms: Losses) -> torch.Tensor:
        """The weighted sum of the terms on pseudo-pairs, those of them that there are."""
        settings = self.settings
        weights = {
            "pairs": 1.0,
            "air": AIR,
            "distribution": settings.pseudo_distribution,
            "sharpness": settings.pseudo_sharpness,
        }
        total = sum((weights[name] * value for name, value in terms.items()), terms["pairs"].new_zeros(()))
        return self.config.lambda_pairs * total

    def _generator_losses(self, batch: Batch) -> tuple[Losses, torch.Tensor, torch.Tensor]:
        """The terms and their weighted sum, and the translations (into A, into B)."""
        config, settings = self.config, self.settings
        a, b, real_a, real_b = batch["a"], batch["b"], batch["a_clean"], batch["b_clean"]
        with self.autocast():
            if self._identity_is_due():
                fake_b, identity_b = run_together(self.G, a, real_b)
                fake_a, identity_a = run_together(self.F, b, real_a)
            else:
                fake_b, fake_a = self.G(a), self.F(b)
            cycle_a, cycle_b = self.F(fake_b), self.G(fake_a)
            features_b, score_b = discriminator_features(self.D_B, fake_b)
            features_a, score_a = discriminator_features(self.D_A, fake_a)
            if config.lambda_spatial > 0:
                with torch.no_grad():
                    real_features_b, _ = discriminator_features(self.D_B, real_b)
                    real_features_a, _ = discriminator_features(self.D_A, real_a)
        losses: Losses = {}
        losses["adversarial"] = self._adversarial(score_b, True, False) + self._adversarial(score_a, True, False)
        norm = settings.cycle_norm
        losses["cycle"] = reconstruction_loss(norm, cycle_a.float(), a) + reconstruction_loss(norm, cycle_b.float(), b)
        total = config.lambda_adversarial * losses["adversarial"] + settings.lambda_cycle * losses["cycle"]
        if self._identity_is_due():
            losses["identity"] = reconstruction_loss("l1", identity_b.float(), real_b) + reconstruction_loss(
                "l1", identity_a.float(), real_a
            )
            total = total + settings.lambda_identity * losses["identity"]
        if config.lambda_spatial > 0:
            losses["spatial"] = spatial_domain_loss(features_b, real_features_b) + spatial_domain_loss(
                features_a, real_features_a
            )
            total = total + config.lambda_spatial * losses["spatial"]
        if config.lambda_pairs > 0 and bool(batch["paired"].any()):
            if _is_rough(batch):
                terms = self._rough_terms(batch, fake_a, fake_b)
                losses, total = losses | terms, total + self._weighed(terms)
            else:
                losses["pairs"] = self._pairs_term(fake_a, fake_b, batch)
                total = total + config.lambda_pairs * losses["pairs"]
        return losses | {"generators": total}, fake_a, fake_b

    def _discriminator_loss(self, batch: Batch, fake_a: torch.Tensor, fake_b: torch.Tensor) -> torch.Tensor:
        old_a, old_b = self.pool_a.query(fake_a.float()), self.pool_b.query(fake_b.float())
        with self.autocast():
            real_score_a, old_score_a = run_together(self.D_A, batch["a_clean"], old_a)
            real_score_b, old_score_b = run_together(self.D_B, batch["b_clean"], old_b)
        return 0.5 * (
            self._adversarial(real_score_a, True, True)
            + self._adversarial(old_score_a, False, True)
            + self._adversarial(real_score_b, True, True)
            + self._adversarial(old_score_b, False, True)
        )

    def _pairs_term(self, fake_a: torch.Tensor, fake_b: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The supervised term of both directions."""
        config, weight = self.config, batch["weight"]
        return pairs_term(config, fake_b, batch["b_clean"], weight) + pairs_term(
            config, fake_a, batch["a_clean"], weight
        )

    def _identity_is_due(self) -> bool:
        # Only what is in the shape of both domains can be its own translation.
        same_channels = self.channels_a == self.channels_b
        return self.settings.lambda_identity > 0 and same_channels and self.steps % self.settings.identity_every == 0

    def _adversarial(self, score: torch.Tensor, real: bool, for_discriminator: bool) -> torch.Tensor:
        return self.adversarial(score.float(), real, for_discriminator)

    def extra_state(self) -> dict[str, Any]:
        """See ``Method.extra_state``."""
        return {"pool_a": self.pool_a.state_dict(), "pool_b": self.pool_b.state_dict()}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """See ``Method.load_extra_state``."""
        self.pool_a.load_state_dict(state["pool_a"], self.device)
        self.pool_b.load_state_dict(state["pool_b"], self.device)


def _air_terms(batch: Batch, fake_a: torch.Tensor, fake_b: torch.Tensor) -> torch.Tensor:
    a, b = batch["a_clean"], batch["b_clean"]
    paired = batch["paired"]
    return air_term(fake_b.float()[paired], a[paired], b[paired]) + air_term(
        fake_a.float()[paired], b[paired], a[paired]
    )


def _is_rough(batch: Batch) -> bool:
    """Whether the pairs of this training are of different patients."""
    return "rough" in batch and bool(batch["rough"].any())
