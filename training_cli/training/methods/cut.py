"""CUT and FastCUT: contrastive learning for unpaired translation (Park, Efros, Zhang, Zhu, ECCV 2020).

One direction, one generator and one discriminator: a patch of the translation must be recognised, among the patches of
the input, as that of its own place (PatchNCE), by features of the generator's own encoder.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import build_generator
from training_cli.training.config import TrainingConfig
from training_cli.training.optimisation.averaging import ExponentialMovingAverage
from training_cli.training.optimisation.finetune import generator_arguments, start_from
from training_cli.training.optimisation.losses import (
    adversarial_loss,
    discriminator_features,
    masked_l1,
    patch_nce_loss,
    spatial_domain_loss,
)

from .cyclegan import check_patch_size, run_together
from .parts import load_trained_state, make_adam, make_discriminator, set_rate, trained_state, update


class CUT:
    """Generator G: A -> B, discriminator D_B, and a small projection head for each layer that is compared.

    cut: PatchNCE of weight 1, and the same for G(y) against y as the identity term. fastcut: weight 10, no identity
    term, and inputs flipped at random, whose features must be those of the unflipped ones (flip equivariance).
    """

    def __init__(self, config: TrainingConfig, channels_a: int, channels_b: int, device, autocast) -> None:
        if channels_a != channels_b:
            raise InputError(
                f"The method {config.method} needs domains of equal channels, not {channels_a} and {channels_b}; "
                "cyclegan takes these."
            )
        self.config, self.device, self.autocast = config, device, autocast
        self.fast = config.method == "fastcut"
        self.weight = config.lambda_nce if config.lambda_nce is not None else 10.0 if self.fast else 1.0
        channels = config.stack * channels_a
        self.architecture = {
            "forward": {"in_channels": channels, "out_channels": channels, **generator_arguments(config)}
        }
        self.G = build_generator(config.generator, **self.architecture["forward"]).to(device)
        self.D_B = make_discriminator(config, channels, device)
        check_patch_size({"G": self.G, "D_B": self.D_B}, {"G": channels, "F": channels}, config.patch_size)
        self.layers = encoder_layers(self.G)
        # Made from the sizes of the layers now: the optimiser and a resumed run must find them.
        self.heads = nn.ModuleList(
            ProjectionHead(width, config.nce_features)
            for width in feature_widths(self.G, self.layers, channels, config.patch_size)
        ).to(device)
        start_from(config, {"forward": self.G})
        self.averages = {"forward": ExponentialMovingAverage(self.G, config.ema_decay)}
        self.adversarial = adversarial_loss(config.adversarial)
        self.generator_parameters = [*self.G.parameters(), *self.heads.parameters()]
        self.discriminator_parameters = [*self.D_B.parameters()]
        self.optimizer_g = make_adam(config, self.generator_parameters, device)
        self.optimizer_d = make_adam(config, self.discriminator_parameters, device)

    def step(self, batch: dict[str, torch.Tensor], progress: float, learning_rate: float) -> dict[str, torch.Tensor]:
        """One update of generator and heads, then of the discriminator. See ``base.Method.step``."""
        set_rate(learning_rate, self.optimizer_g, self.optimizer_d)
        losses = self._supervised_step(batch) if progress < self.config.pairs_warmup else self._full_step(batch)
        self.averages["forward"].update(self.G)
        return {name: value.detach() for name, value in losses.items()}

    def _supervised_step(self, batch) -> dict[str, torch.Tensor]:
        """Only the L1 term on registered pairs."""
        loss = batch["a"].new_zeros(())
        if bool(batch["paired"].any()):
            with self.autocast():
                fake = self.G(batch["a"])
            loss = masked_l1(fake.float(), batch["b_clean"], batch["weight"])
        total = loss * self.config.lambda_pairs
        update(self.optimizer_g, self.generator_parameters, total)
        return {"pairs": loss, "generators": total}

    def _full_step(self, batch) -> dict[str, torch.Tensor]:
        config = self.config
        a, real = batch["a"], batch["b_clean"]
        losses: dict[str, torch.Tensor] = {}
        flipped = self.fast and bool(torch.rand(()) < 0.5)
        shown = a.flip(-1) if flipped else a

        self.D_B.requires_grad_(False)
        with self.autocast():
            inputs = shown if self.fast else torch.cat([shown, real])
            made, keys = run_with_features(self.G, self.layers, inputs)
            _, queries = run_with_features(self.G, self.layers, made, whole=False)
            if flipped:
                queries = [feature.flip(-1) for feature in queries]
                with torch.no_grad():
                    _, keys = run_with_features(self.G, self.layers, a, whole=False)
            fake = made[: len(a)]
            features, score = discriminator_features(self.D_B, fake)
            if config.lambda_spatial > 0:
                with torch.no_grad():
                    real_features, _ = discriminator_features(self.D_B, real)
        losses["adversarial"] = self.adversarial(score.float(), True, False)
        contrast = self._contrast(queries, keys, len(a))
        losses["nce"] = contrast[0]
        total = config.lambda_adversarial * losses["adversarial"]
        if self.fast:
            total = total + self.weight * losses["nce"]
        else:
            losses["identity"] = contrast[1]
            total = total + self.weight * 0.5 * (losses["nce"] + losses["identity"])
        if config.lambda_spatial > 0:
            losses["spatial"] = spatial_domain_loss(features, real_features)
            total = total + config.lambda_spatial * losses["spatial"]
        if config.lambda_pairs > 0 and bool(batch["paired"].any()):
            straight = fake.flip(-1) if flipped else fake
            losses["pairs"] = masked_l1(straight.float(), real, batch["weight"])
            total = total + config.lambda_pairs * losses["pairs"]
        update(self.optimizer_g, self.generator_parameters, total)
        losses["generators"] = total

        self.D_B.requires_grad_(True)
        with self.autocast():
            real_score, fake_score = run_together(self.D_B, real, fake.detach())
        critic = 0.5 * (
            self.adversarial(real_score.float(), True, True) + self.adversarial(fake_score.float(), False, True)
        )
        update(self.optimizer_d, self.discriminator_parameters, critic)
        losses["discriminators"] = critic
        return losses

    def _contrast(self, queries: list[torch.Tensor], keys: list[torch.Tensor], count: int) -> list[torch.Tensor]:
        """The PatchNCE term, mean over the layers, of each group of ``count`` images."""
        groups = range(0, len(queries[0]), count)
        totals = [queries[0].new_zeros((), dtype=torch.float32) for _ in groups]
        for head, query, key in zip(self.heads, queries, keys, strict=True):
            # fp32: what is told apart here lies close together.
            places = torch.randperm(query.shape[2] * query.shape[3])[: self.config.nce_patches].to(query.device)
            query = head(at_places(query, places))
            with torch.no_grad():
                key = head(at_places(key, places))
            for number, start in enumerate(groups):
                chosen = slice(start, start + count)
                loss = patch_nce_loss(query[chosen], key[chosen], self.config.nce_temperature)
                totals[number] = totals[number] + loss / len(self.heads)
        return totals

    def generators(self) -> dict[str, nn.Module]:
        return {direction: average.network for direction, average in self.averages.items()}

    def networks(self) -> dict[str, nn.Module]:
        return {"G": self.G, "D_B": self.D_B, "heads": self.heads}

    def state_dict(self) -> dict:
        return trained_state(self)

    def load_state_dict(self, state: dict) -> None:
        load_trained_state(self, state)


class ProjectionHead(nn.Module):
    """Two-layer perceptron: features (n, p, width) -> unit vectors (n, p, features)."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, features), nn.ReLU(), nn.Linear(features, features))
        for layer in (self.layers[0], self.layers[2]):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.layers(features), dim=-1, eps=1e-7)


def at_places(features: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """(n, c, h, w) and p numbers of pixels -> (n, p, c), float32."""
    return features.flatten(2)[:, :, places].transpose(1, 2).float()


def encoder_sequence(generator: nn.Module) -> nn.Sequential:
    """The layers of a ResNet generator, first to last. Raises InputError for others."""
    for name in ("layers", "model"):
        layers = getattr(generator, name, None)
        if isinstance(layers, nn.Sequential) and any(_is_residual(layer) for layer in layers):
            return layers
    raise InputError("The methods cut and fastcut need a ResNet generator: resnet or resnet_reference.")


def encoder_layers(generator: nn.Module) -> list[int]:
    """Numbers of the layers compared: pixels, both down-samplings, first and middle residual block, as in the paper."""
    layers = encoder_sequence(generator)
    residual = [number for number, layer in enumerate(layers) if _is_residual(layer)]
    down = [number for number, layer in enumerate(layers[: residual[0]]) if _is_downsampling(layer)]
    return sorted({0, *down, residual[0], residual[len(residual) // 2]})


def _is_residual(layer: nn.Module) -> bool:
    return type(layer).__name__.endswith("ResidualBlock")


def _is_downsampling(layer: nn.Module) -> bool:
    return type(layer).__name__.startswith("BlurDown") or getattr(layer, "stride", None) in (2, (2, 2))


def run_with_features(
    generator: nn.Module, wanted: list[int], images: torch.Tensor, whole: bool = True
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """What the generator makes of images, and the output of the wanted layers; not ``whole``: only so far as needed."""
    features = []
    for number, layer in enumerate(encoder_sequence(generator)):
        images = layer(images)
        if number in wanted:
            features.append(images)
        if not whole and number == wanted[-1]:
            break
    return images, features


def feature_widths(generator: nn.Module, wanted: list[int], channels: int, size: int) -> list[int]:
    """Channels of the wanted layers' outputs, by a dry run without arithmetic."""
    dry = copy.deepcopy(generator).to("meta")
    _, features = run_with_features(dry, wanted, torch.empty(1, channels, size, size, device="meta"), whole=False)
    return [feature.shape[1] for feature in features]
