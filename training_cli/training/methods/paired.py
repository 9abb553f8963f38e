"""Supervised translation on registered pairs: L1, and an adversarial term on request (Isola et al., CVPR 2017)."""

from __future__ import annotations

import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import build_generator
from training_cli.training.config import TrainingConfig
from training_cli.training.optimisation.averaging import ExponentialMovingAverage
from training_cli.training.optimisation.finetune import generator_arguments, start_from
from training_cli.training.optimisation.losses import adversarial_loss, masked_l1

from .cyclegan import check_patch_size, run_together
from .parts import load_trained_state, make_adam, make_discriminator, set_rate, trained_state, update


class Paired:
    """Generators G: A -> B and F: B -> A, each taught by the registered image of the other domain.

    Weights: ``lambda_pairs`` for L1, ``lambda_adversarial`` for the discriminators; 0 leaves these out. A conditional
    discriminator sees input and output together (pix2pix), else the output alone. A source of several modalities is
    translated one way only.
    """

    def __init__(self, config: TrainingConfig, channels_a: int, channels_b: int, device, autocast) -> None:
        if config.lambda_pairs == 0:
            raise InputError("The method paired learns from pairs alone; lambda_pairs must be above 0.")
        self.config, self.device, self.autocast = config, device, autocast
        a, b = config.stack * channels_a, config.stack * channels_b
        shape = generator_arguments(config)
        self.architecture = {"forward": {"in_channels": a, "out_channels": b, **shape}}
        self.ways = {"forward": ("a", "b")}
        if not config.extra_list():
            self.architecture["backward"] = {"in_channels": b, "out_channels": a, **shape}
            self.ways["backward"] = ("b", "a")
        self.trained = {
            way: build_generator(config.generator, **arguments).to(device)
            for way, arguments in self.architecture.items()
        }
        names = {"forward": "G", "backward": "F"}
        check_patch_size({names[way]: net for way, net in self.trained.items()}, {"G": a, "F": b}, config.patch_size)
        start_from(config, self.trained)
        self.averages = {
            way: ExponentialMovingAverage(network, config.ema_decay) for way, network in self.trained.items()
        }
        self.critics: dict[str, torch.nn.Module] = {}
        if config.lambda_adversarial > 0:
            made = {"forward": b, "backward": a}
            seen = {way: a + b if config.conditional else made[way] for way in self.ways}
            self.critics = {way: make_discriminator(config, channels, device) for way, channels in seen.items()}
            for way, critic in self.critics.items():
                check_patch_size({"D_B": critic}, {"G": seen[way], "F": seen[way]}, config.patch_size)
        self.adversarial = adversarial_loss(config.adversarial)
        self.generator_parameters = [p for network in self.trained.values() for p in network.parameters()]
        self.critic_parameters = [p for network in self.critics.values() for p in network.parameters()]
        self.optimizer_g = make_adam(config, self.generator_parameters, device)
        self.optimizer_d = make_adam(config, self.critic_parameters, device) if self.critics else None

    def step(self, batch: dict[str, torch.Tensor], progress: float, learning_rate: float) -> dict[str, torch.Tensor]:
        """One update of the generators, then of the discriminators. See ``base.Method.step``."""
        set_rate(learning_rate, self.optimizer_g, *([self.optimizer_d] if self.optimizer_d else []))
        with_critics = bool(self.critics) and progress >= self.config.pairs_warmup
        weight = batch["weight"]
        zero = batch["a"].new_zeros(())
        losses = {"pairs": zero}
        for critic in self.critics.values():
            critic.requires_grad_(False)
        shown = {}
        with self.autocast():
            made = {way: self.trained[way](batch[start]) for way, (start, _) in self.ways.items()}
            if with_critics:
                for way, (start, goal) in self.ways.items():
                    # Where there is nothing to compare with, the discriminator is to see no difference.
                    fake = torch.where(weight > 0, made[way].float(), batch[f"{goal}_clean"])
                    shown[way] = (self._seen(batch, start, batch[f"{goal}_clean"]), self._seen(batch, start, fake))
                scores = {way: critic(shown[way][1]) for way, critic in self.critics.items()}
        for way, (_, goal) in self.ways.items():
            losses["pairs"] = losses["pairs"] + masked_l1(made[way].float(), batch[f"{goal}_clean"], weight)
        total = self.config.lambda_pairs * losses["pairs"]
        if with_critics:
            losses["adversarial"] = sum(self.adversarial(score.float(), True, False) for score in scores.values())
            total = total + self.config.lambda_adversarial * losses["adversarial"]
        update(self.optimizer_g, self.generator_parameters, total)
        losses["generators"] = total
        if with_critics:
            losses["discriminators"] = self._teach_critics(shown)
        for way, average in self.averages.items():
            average.update(self.trained[way])
        return {name: value.detach() for name, value in losses.items()}

    def _seen(self, batch: dict[str, torch.Tensor], start: str, image: torch.Tensor) -> torch.Tensor:
        return torch.cat([batch[start], image], dim=1) if self.config.conditional else image

    def _teach_critics(self, shown: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        loss = 0.0
        for way, critic in self.critics.items():
            critic.requires_grad_(True)
            real, fake = shown[way]
            with self.autocast():
                real_score, fake_score = run_together(critic, real, fake.detach())
            loss = loss + 0.5 * (
                self.adversarial(real_score.float(), True, True) + self.adversarial(fake_score.float(), False, True)
            )
        update(self.optimizer_d, self.critic_parameters, loss)
        return loss

    def generators(self) -> dict[str, torch.nn.Module]:
        return {way: average.network for way, average in self.averages.items()}

    def networks(self) -> dict[str, torch.nn.Module]:
        return {**self.trained, **{f"discriminator_{way}": critic for way, critic in self.critics.items()}}

    def state_dict(self) -> dict:
        return trained_state(self)

    def load_state_dict(self, state: dict) -> None:
        load_trained_state(self, state)
