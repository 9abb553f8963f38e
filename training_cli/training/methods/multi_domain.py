"""One generator for many domains, told what is given and what is asked for (Choi et al., StarGAN, CVPR 2018)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.networks import build_discriminator, build_generator, discriminator_settings
from training_cli.training.config.method_settings import MultiDomainSettings
from training_cli.training.optimisation.losses import adversarial_loss
from training_cli.training.optimisation.networks import check_patch_size, generator_arguments
from training_cli.training.optimisation.pair_terms import pairs_term

from .base import Batch, Losses, Method

GENERATOR = "domain_grid"
SINGLE, DOUBLE = 0.6, 0.28  # shares of images with one and with two inputs, where the patient has more


class MultiDomain(Method):
    """Domains given at random make others that the patient has (``lambda_pairs``, see ``pairs_term``).

    Volumes without a registered one of another domain, and a share of the others, go there and back between random
    domains (``lambda_cycle``) and into their own (``lambda_identity``); the first also play against one discriminator,
    which tells real patches (``lambda_adversarial``) and an image's domain (``lambda_class``).
    """

    losses: ClassVar[tuple[str, ...]] = (
        "generators",
        "discriminators",
        "adversarial",
        "classes",
        "cycle",
        "identity",
        "pairs",
    )

    def build(self) -> None:
        """See ``Method.build``."""
        config = self.config
        self.settings = config.section(MultiDomainSettings)
        self.names = list(self.settings.domains)
        if config.generator != GENERATOR:
            raise InputError(f"The method multi-domain trains the generator {GENERATOR}, not {config.generator}.")
        arguments = generator_arguments(config) | {"domains": len(self.names), "stack": config.stack}
        arguments = {key: value for key, value in arguments.items() if key not in ("given", "target")}
        network = build_generator(GENERATOR, **arguments).to(self.device)
        self.architecture["forward"], self.generator_networks["forward"] = arguments, network
        self._names["forward"] = "generator"
        check_patch_size(network, config.stack, config.patch_size, "generator")
        self.network: Any = network
        # Before the discriminator is made: reading a model draws random numbers, which decide its weights.
        self.start_from_init()
        settings = discriminator_settings("patchgan", config)
        classes = len(self.names)
        self.judge = build_discriminator("patchgan_classes", in_channels=1, classes=classes, **settings).to(self.device)
        self.discriminators["discriminator"] = self.judge
        check_patch_size(self.judge, 1, config.patch_size, "discriminator")
        self.adversarial = adversarial_loss(config.adversarial)

    def start_from_init(self) -> None:
        """See ``Method.start_from_init``; the model has to have the same domains."""
        if self.config.init is None or self.started_from is not None:
            return
        model = load_model(self.config.init)
        card = model.card
        if not card.is_many or card.names != self.names:
            raise InputError(f"The model {card.name} is not one for {', '.join(self.names)}, in this order.")
        self.network.load_state_dict(model.generator(card.directions[0]).state_dict())
        self.started_from = {"name": card.name, "sha256": card.stored.sha256, "directions": list(card.directions)}

    def train_step(self, batch: Batch, progress: float) -> Losses:
        """One update of the generator, then of the discriminator. See ``Method.train_step``."""
        images, clean, known = batch["images"], batch["clean"], batch["known"]
        counts = known.sum(1)
        losses: Losses = {"pairs": images.new_zeros(())}
        paired, alone = torch.nonzero(counts > 1).flatten(), torch.nonzero(counts == 1).flatten()
        self.freeze_discriminators(True)
        if len(paired):
            losses["pairs"] = self._pairs(images[paired], clean[paired], known[paired], batch["weight"][paired])
        total = self.config.lambda_pairs * losses["pairs"]
        too = len(paired) > 0 and float(torch.rand(())) < self.settings.cycle_fraction
        there_and_back = torch.cat([alone, paired]) if too or self.settings.everywhere else alone
        shown = None
        if len(there_and_back):
            starts = torch.multinomial(known[there_and_back].float(), 1)
            shown = self._there_and_back(images[there_and_back], clean[there_and_back], starts, losses)
            total = total + self.settings.lambda_cycle * losses["cycle"]
            total = total + self.settings.lambda_identity * losses["identity"]
        playing = slice(None) if self.settings.everywhere else slice(0, len(alone))
        plays = shown is not None and self.config.lambda_adversarial > 0 and len(shown[0][playing]) > 0
        if plays and shown is not None:
            shown = tuple(part[playing] for part in shown)
            losses["adversarial"], losses["classes"] = self._judged(shown[1], shown[3], True, False)
            total = total + self.config.lambda_adversarial * losses["adversarial"]
            total = total + self.settings.lambda_class * losses["classes"]
        self.update_generators(total)
        losses["generators"] = total
        if plays and shown is not None:
            losses["discriminators"] = self._discriminator_loss(*shown)
            self.update_discriminators(losses["discriminators"])
        return losses

    def _pairs(
        self, images: torch.Tensor, clean: torch.Tensor, known: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """The supervised term: for each image some domains in, one or two of the others out."""
        fewest = int(known.sum(1).min())
        drawn = float(torch.rand(()))
        s = min(1 if drawn < SINGLE else 2 if drawn < SINGLE + DOUBLE else 3, fewest - 1)
        t = min(2, fewest - s)
        order = torch.multinomial(known.float(), s + t)
        given, targets = order[:, :s], order[:, s:]
        rows = torch.arange(len(images), device=images.device)[:, None]
        with self.autocast():
            result = self.network.translated(images[rows, given], given, targets)
        middle = self.config.stack // 2
        real = clean[rows, targets][:, :, middle : middle + 1]
        return pairs_term(self.config, result.flatten(0, 1), real.flatten(0, 1), weight.repeat_interleave(t, 0))

    def _there_and_back(
        self, images: torch.Tensor, clean: torch.Tensor, starts: torch.Tensor, losses: Losses
    ) -> tuple[torch.Tensor, ...]:
        """Add the cycle and identity terms; real slices, translations (n, 1, h, w), and their domains (n,)."""
        count, n, middle = len(self.names), len(images), self.config.stack // 2
        ends = (starts + torch.randint(1, count, (n, 1), device=starts.device)) % count
        rows = torch.arange(n, device=images.device)
        stack, real = images[rows, starts[:, 0]], clean[rows, starts[:, 0]][:, middle : middle + 1]
        with self.autocast():
            there = self._of_every_slice(stack, starts, ends)
            back = self.network.translated(there[:, None], ends, starts)[:, 0]
            same = self.network.translated(stack[:, None], starts, starts)[:, 0]
        losses["cycle"] = F.l1_loss(back.float(), real)
        losses["identity"] = F.l1_loss(same.float(), real)
        return real, there[:, middle : middle + 1].float(), starts[:, 0], ends[:, 0]

    def _of_every_slice(self, stack: torch.Tensor, given: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """A stack (n, stack, h, w) with each slice translated; beyond its ends the last slices are repeated."""
        size = stack.shape[1]
        places = torch.arange(size)[:, None] + torch.arange(size) - size // 2
        around = stack[:, places.clamp(0, size - 1)].flatten(0, 1)
        repeated = (part.repeat_interleave(size, 0) for part in (given, targets))
        return self.network.translated(around[:, None], *repeated).reshape(stack.shape)

    def _judged(
        self, images: torch.Tensor, domains: torch.Tensor, real: bool, for_discriminator: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the discriminator says of images (n, 1, h, w): the adversarial term, and that of their domains (n,)."""
        with self.autocast():
            scores = self.judge(images).float()
        classes = F.cross_entropy(scores[:, 1:].mean((2, 3)), domains)
        return self.adversarial(scores[:, :1], real, for_discriminator), classes

    def _discriminator_loss(
        self, real: torch.Tensor, fake: torch.Tensor, starts: torch.Tensor, ends: torch.Tensor
    ) -> torch.Tensor:
        self.freeze_discriminators(False)
        of_real, classes = self._judged(real, starts, True, True)
        of_fake, _ = self._judged(fake.detach(), ends, False, True)
        return 0.5 * (of_real + of_fake) + self.settings.lambda_class * classes

    def extra_state(self) -> dict[str, Any]:
        """See ``Method.extra_state``."""
        return {"domains": self.names}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """See ``Method.load_extra_state``. Raises InputError for a checkpoint of other domains."""
        if state["domains"] != self.names:
            raise InputError(f"The checkpoint is of {', '.join(state['domains'])}, not {', '.join(self.names)}.")
