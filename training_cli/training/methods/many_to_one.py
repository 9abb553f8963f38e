"""Scans of many sites into the look of one (after IGUANe: Roca et al., Medical Image Analysis, 2025, in small)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import build_generator
from training_cli.training.config.method_settings import ManyToOneSettings
from training_cli.training.optimisation.losses import adversarial_loss
from training_cli.training.optimisation.networks import generator_arguments, middle_like, run_together

from .base import Batch, Losses, Method

GENERATOR, WAY_BACK = "bilateral", "domain_grid"
SHARED = ("features", "bins", "levels", "detail")  # arguments that both networks have
REFERENCE = 0  # number of the reference among the sites


class ManyToOne(Method):
    """One generator G from any site into the reference's look, one way back that is told the site.

    G never learns which site a scan is of, so that it takes those of scanners that it has not seen; the way back,
    which is not exported, is what keeps a scan's anatomy (``lambda_cycle``). Scans of the reference, given in altered
    contrasts (``randomise``), have to come out as they were (``lambda_identity``). A discriminator compares what comes
    out with the reference's scans (``lambda_adversarial``), inside the brain alone, so that a skull that only one of
    them shows counts for nothing. Both networks apply local tone curves, which cannot draw what is not there.
    """

    losses: ClassVar[tuple[str, ...]] = ("generators", "discriminators", "adversarial", "cycle", "identity")

    def build(self) -> None:
        """See ``Method.build``."""
        config = self.config
        self.settings = config.section(ManyToOneSettings)
        self.sites = sorted(self.settings.domains, key=lambda site: site != self.settings.reference)
        if config.generator != GENERATOR:
            raise InputError(f"The method many-to-one trains the generator {GENERATOR}, not {config.generator}.")
        self.G = self.add_generator("G", "forward")
        given = generator_arguments(config)
        arguments = {key: given[key] for key in SHARED if key in given}
        back = build_generator(WAY_BACK, domains=len(self.sites), stack=config.stack, **arguments)
        self.way_back: Any = self.add_generator_part("way_back", back)
        self.judge = self.add_discriminator("D", 1)
        self.adversarial = adversarial_loss(config.adversarial)

    def train_step(self, batch: Batch, progress: float) -> Losses:
        """One update of the generators, then of the discriminator. See ``Method.train_step``."""
        config = self.config
        clean_a, clean_b = (middle_like(batch[key], batch["weight"]) for key in ("a_clean", "b_clean"))
        sites = batch["site"][:, None]
        self.freeze_discriminators(True)
        with self.autocast():
            there, same = run_together(self.G, batch["a"], batch["b"])
            back = self.way_back.translated(there[:, None], torch.full_like(sites, REFERENCE), sites)[:, 0]
        middle = middle_like(there, batch["weight"])
        losses: Losses = {
            "cycle": F.l1_loss(back.float(), clean_a),
            "identity": F.l1_loss(same.float(), batch["b_clean"]),
        }
        total = self.settings.lambda_cycle * losses["cycle"] + self.settings.lambda_identity * losses["identity"]
        plays = config.lambda_adversarial > 0
        if plays:
            losses["adversarial"] = self._judged(middle, batch["a_inside"], real=True, for_discriminator=False)
            total = total + config.lambda_adversarial * losses["adversarial"]
        self.update_generators(total)
        losses["generators"] = total
        if plays:
            self.freeze_discriminators(False)
            of_real = self._judged(clean_b, batch["b_inside"], real=True, for_discriminator=True)
            of_fake = self._judged(middle.detach(), batch["a_inside"], real=False, for_discriminator=True)
            losses["discriminators"] = 0.5 * (of_real + of_fake)
            self.update_discriminators(losses["discriminators"])
        return losses

    def _judged(
        self, images: torch.Tensor, inside: torch.Tensor, *, real: bool, for_discriminator: bool
    ) -> torch.Tensor:
        """The adversarial term of images (n, 1, h, w), of which the discriminator sees the inside (n, 1, h, w)."""
        with self.autocast():
            scores = self.judge((images.float() + 1) * inside - 1)
        return self.adversarial(scores.float(), real, for_discriminator)

    def card_entries(self) -> dict[str, Any]:
        """See ``Method.card_entries``."""
        return {"sites": self.sites, "reference": self.settings.reference}

    def extra_state(self) -> dict[str, Any]:
        """See ``Method.extra_state``."""
        return {"sites": self.sites}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """See ``Method.load_extra_state``. Raises InputError for a checkpoint of other sites."""
        if state["sites"] != self.sites:
            raise InputError(f"The checkpoint is of {', '.join(state['sites'])}, not {', '.join(self.sites)}.")
