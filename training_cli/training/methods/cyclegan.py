"""CycleGAN (Zhu et al., ICCV 2017) with the article's terms and an optional supervised term on registered pairs."""

from __future__ import annotations

import copy

import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import build_discriminator, build_generator, discriminator_settings
from training_cli.training.config import TrainingConfig
from training_cli.training.optimisation.averaging import ExponentialMovingAverage
from training_cli.training.optimisation.finetune import generator_arguments, start_from
from training_cli.training.optimisation.image_pool import ImagePool
from training_cli.training.optimisation.losses import (
    adversarial_loss,
    discriminator_features,
    masked_l1,
    reconstruction_loss,
    spatial_domain_loss,
)
from training_cli.training.optimisation.processes import average_gradients

from .parts import load_trained_state, trained_state


class CycleGAN:
    """Generators G: A -> B and F: B -> A, discriminators D_A and D_B.

    The identity term compares G(y) with y for y in B (the article's listing compares a translation with its own
    input, which forbids any translation). Passes of one network that do not depend on each other run as one batch
    where it normalises each image by itself, so that this computes the same as running them one by one.
    """

    def __init__(self, config: TrainingConfig, channels_a: int, channels_b: int, device, autocast) -> None:
        self.config, self.device, self.autocast = config, device, autocast
        stack = config.stack
        shape = generator_arguments(config)
        self.architecture = {
            "forward": {"in_channels": stack * channels_a, "out_channels": stack * channels_b, **shape},
            "backward": {"in_channels": stack * channels_b, "out_channels": stack * channels_a, **shape},
        }
        critic = discriminator_settings(config.discriminator, config)
        self.G = build_generator(config.generator, **self.architecture["forward"]).to(device)
        self.F = build_generator(config.generator, **self.architecture["backward"]).to(device)
        self.D_A = build_discriminator(config.discriminator, in_channels=stack * channels_a, **critic).to(device)
        self.D_B = build_discriminator(config.discriminator, in_channels=stack * channels_b, **critic).to(device)
        check_patch_size(self.networks(), {"G": stack * channels_a, "F": stack * channels_b}, config.patch_size)
        start_from(config, {"forward": self.G, "backward": self.F})
        self.averages = {
            "forward": ExponentialMovingAverage(self.G, config.ema_decay),
            "backward": ExponentialMovingAverage(self.F, config.ema_decay),
        }
        self.pool_a = ImagePool(config.pool_size, config.seed)
        self.pool_b = ImagePool(config.pool_size, config.seed + 1)
        self.adversarial = adversarial_loss(config.adversarial)
        # Only what is in the shape of both domains can be its own translation.
        self.same_channels = channels_a == channels_b
        self.generator_parameters = [*self.G.parameters(), *self.F.parameters()]
        self.discriminator_parameters = [*self.D_A.parameters(), *self.D_B.parameters()]
        adam = {"lr": config.learning_rate, "betas": (config.beta1, config.beta2), "fused": _fused(device)}
        self.optimizer_g = torch.optim.Adam(self.generator_parameters, **adam)
        self.optimizer_d = torch.optim.Adam(self.discriminator_parameters, **adam)
        self.steps = 0

    def step(self, batch: dict[str, torch.Tensor], progress: float, learning_rate: float) -> dict[str, torch.Tensor]:
        """One update of the generators, then of the discriminators. See ``base.Method.step``."""
        for optimizer in (self.optimizer_g, self.optimizer_d):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
        if progress < self.config.pairs_warmup:
            losses = self._supervised_step(batch)
        else:
            losses = self._full_step(batch)
        self.averages["forward"].update(self.G)
        self.averages["backward"].update(self.F)
        self.steps += 1
        return losses

    def _supervised_step(self, batch) -> dict[str, torch.Tensor]:
        """Only the L1 term on pairs: a quick start from where the adversarial game has something to refine."""
        if bool(batch["paired"].any()):
            with self.autocast():
                fake_b, fake_a = self.G(batch["a"]), self.F(batch["b"])
            loss = self._pairs_term(fake_a, fake_b, batch)
        else:
            loss = batch["a"].new_zeros(())
        self._update(self.optimizer_g, self.generator_parameters, loss * self.config.lambda_pairs)
        return {"pairs": loss.detach(), "generators": (loss * self.config.lambda_pairs).detach()}

    def _pairs_term(self, fake_a, fake_b, batch) -> torch.Tensor:
        weight = batch["weight"]
        return masked_l1(fake_b.float(), batch["b_clean"], weight) + masked_l1(fake_a.float(), batch["a_clean"], weight)

    def _full_step(self, batch) -> dict[str, torch.Tensor]:
        config = self.config
        a, b = batch["a"], batch["b"]
        real_a, real_b = batch["a_clean"], batch["b_clean"]
        identity = config.lambda_identity > 0 and self.same_channels and self.steps % config.identity_every == 0
        losses: dict[str, torch.Tensor] = {}

        for network in (self.D_A, self.D_B):
            network.requires_grad_(False)
        with self.autocast():
            if identity:
                fake_b, identity_b = run_together(self.G, a, real_b)
                fake_a, identity_a = run_together(self.F, b, real_a)
            else:
                fake_b, fake_a = self.G(a), self.F(b)
            cycle_a, cycle_b = self.F(fake_b), self.G(fake_a)
            features_fake_b, score_b = discriminator_features(self.D_B, fake_b)
            features_fake_a, score_a = discriminator_features(self.D_A, fake_a)
            if config.lambda_spatial > 0:
                with torch.no_grad():
                    features_real_b, _ = discriminator_features(self.D_B, real_b)
                    features_real_a, _ = discriminator_features(self.D_A, real_a)
        losses["adversarial"] = self.adversarial(score_b.float(), True, False) + self.adversarial(
            score_a.float(), True, False
        )
        losses["cycle"] = reconstruction_loss(config.cycle_norm, cycle_a.float(), a) + reconstruction_loss(
            config.cycle_norm, cycle_b.float(), b
        )
        total = config.lambda_adversarial * losses["adversarial"] + config.lambda_cycle * losses["cycle"]
        if identity:
            losses["identity"] = reconstruction_loss("l1", identity_b.float(), real_b) + reconstruction_loss(
                "l1", identity_a.float(), real_a
            )
            total = total + config.lambda_identity * losses["identity"]
        if config.lambda_spatial > 0:
            losses["spatial"] = spatial_domain_loss(features_fake_b, features_real_b) + spatial_domain_loss(
                features_fake_a, features_real_a
            )
            total = total + config.lambda_spatial * losses["spatial"]
        if config.lambda_pairs > 0 and bool(batch["paired"].any()):
            losses["pairs"] = self._pairs_term(fake_a, fake_b, batch)
            total = total + config.lambda_pairs * losses["pairs"]
        self._update(self.optimizer_g, self.generator_parameters, total)
        losses["generators"] = total

        for network in (self.D_A, self.D_B):
            network.requires_grad_(True)
        old_a, old_b = self.pool_a.query(fake_a.float()), self.pool_b.query(fake_b.float())
        with self.autocast():
            real_score_a, old_score_a = run_together(self.D_A, real_a, old_a)
            real_score_b, old_score_b = run_together(self.D_B, real_b, old_b)
        critic = 0.5 * (
            self.adversarial(real_score_a.float(), True, True)
            + self.adversarial(old_score_a.float(), False, True)
            + self.adversarial(real_score_b.float(), True, True)
            + self.adversarial(old_score_b.float(), False, True)
        )
        self._update(self.optimizer_d, self.discriminator_parameters, critic)
        losses["discriminators"] = critic
        return {name: value.detach() for name, value in losses.items()}

    def _update(self, optimizer, parameters, loss: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        if loss.requires_grad:
            loss.backward()
        average_gradients(parameters)
        optimizer.step()

    def generators(self) -> dict[str, torch.nn.Module]:
        return {direction: average.network for direction, average in self.averages.items()}

    def networks(self) -> dict[str, torch.nn.Module]:
        return {"G": self.G, "F": self.F, "D_A": self.D_A, "D_B": self.D_B}

    def state_dict(self) -> dict:
        pools = {"pool_a": self.pool_a.state_dict(), "pool_b": self.pool_b.state_dict()}
        return {**trained_state(self), **pools, "steps": self.steps}

    def load_state_dict(self, state: dict) -> None:
        load_trained_state(self, state)
        self.pool_a.load_state_dict(state["pool_a"], self.device)
        self.pool_b.load_state_dict(state["pool_b"], self.device)
        self.steps = int(state["steps"])


def run_together(network: torch.nn.Module, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What the network makes of two batches (n, c, h, w), in one pass where images do not influence each other."""
    if any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules()):
        return network(first), network(second)
    return network(torch.cat([first, second])).chunk(2)


def check_patch_size(networks: dict[str, torch.nn.Module], channels: dict[str, int], size: int) -> None:
    """Raise InputError where a patch does not fit the networks: a dry run without arithmetic."""
    shapes = channels | {"D_A": channels["G"], "D_B": channels["F"]}
    for name, network in networks.items():
        dry = copy.deepcopy(network).to("meta")
        image = torch.empty(1, shapes[name], size, size, device="meta")
        try:
            result = dry(image)
        except (RuntimeError, ValueError):
            result = None
        fits = result is not None and min(result.shape[1:]) > 0
        if name in ("G", "F") and fits:
            fits = result.shape[-2:] == image.shape[-2:]
        if not fits:
            what = "generator" if name in ("G", "F") else "discriminator"
            raise InputError(f"Patches of {size} pixels do not fit the {what}; change patch_size or the network.")


def _fused(device) -> bool:
    """Whether Adam has a fused kernel for this device and torch version."""
    return torch.device(device).type in ("cuda", "cpu") and hasattr(torch, "_fused_adam_")
