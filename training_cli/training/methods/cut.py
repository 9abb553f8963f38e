"""CUT and FastCUT: contrastive learning for unpaired translation (Park, Efros, Zhang, Zhu, ECCV 2020).

One direction, one generator and one discriminator: a patch of the translation must be recognised, among the patches of
the input, as that of its own place (PatchNCE), by features of the generator's own encoder.
"""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.errors import InputError
from training_cli.training.config.method_settings import CUTSettings
from training_cli.training.optimisation.losses import (
    adversarial_loss,
    discriminator_features,
    patch_nce_loss,
    spatial_domain_loss,
)
from training_cli.training.optimisation.networks import run_together
from training_cli.training.optimisation.pair_terms import pairs_term

from .base import Batch, Losses, Method


class CUT(Method):
    """Generator G: A -> B, discriminator D_B, and a small projection head for each layer that is compared.

    PatchNCE of weight 1, and the same for G(y) against y as the identity term.
    """

    losses: ClassVar[tuple[str, ...]] = (
        "generators",
        "discriminators",
        "adversarial",
        "nce",
        "identity",
        "spatial",
        "pairs",
    )
    default_weight: ClassVar[float] = 1.0
    has_identity: ClassVar[bool] = True
    flips: ClassVar[bool] = False

    def build(self) -> None:
        """See ``Method.build``."""
        if self.channels_a != self.channels_b:
            raise InputError(
                f"The method {self.config.method} needs domains of equal channels, not {self.channels_a} and "
                f"{self.channels_b}; cyclegan takes these."
            )
        config, channels = self.config, self.in_channels["a"]
        self.settings = config.section(CUTSettings)
        weight = self.settings.lambda_nce
        self.weight = self.default_weight if weight is None else weight
        self.G = self.add_generator("G", "forward")
        self.D_B = self.add_discriminator("D_B", channels)
        self.layers = encoder_layers(self.G)
        # Made from the sizes of the layers now: the optimiser and a resumed run must find them.
        widths = feature_widths(self.G, self.layers, channels, config.patch_size)
        self.heads = nn.ModuleList(ProjectionHead(width, self.settings.nce_features) for width in widths)
        self.add_generator_part("heads", self.heads)
        self.adversarial = adversarial_loss(config.adversarial)

    def train_step(self, batch: Batch, progress: float) -> Losses:
        """One update of generator and heads, then of the discriminator. See ``Method.train_step``."""
        if progress < self.config.pairs_warmup:
            return self._supervised_step(batch)
        self.freeze_discriminators(True)
        losses, fake = self._generator_losses(batch)
        self.update_generators(losses["generators"])
        self.freeze_discriminators(False)
        with self.autocast():
            real_score, fake_score = run_together(self.D_B, batch["b_clean"], fake.detach())
        losses["discriminators"] = 0.5 * (
            self.adversarial(real_score.float(), True, True) + self.adversarial(fake_score.float(), False, True)
        )
        self.update_discriminators(losses["discriminators"])
        return losses

    def _supervised_step(self, batch: Batch) -> Losses:
        """Only the term on registered pairs."""
        loss = batch["a"].new_zeros(())
        if bool(batch["paired"].any()):
            with self.autocast():
                fake = self.G(batch["a"])
            loss = pairs_term(self.config, fake, batch["b_clean"], batch["weight"])
        total = loss * self.config.lambda_pairs
        self.update_generators(total)
        return {"pairs": loss, "generators": total}

    def _generator_losses(self, batch: Batch) -> tuple[Losses, torch.Tensor]:
        """The terms and their weighted sum, and the translation."""
        config = self.config
        a, real = batch["a"], batch["b_clean"]
        losses: Losses = {}
        flipped = self.flips and bool(torch.rand(()) < 0.5)
        shown = a.flip(-1) if flipped else a
        with self.autocast():
            outputs, keys = run_with_features(
                self.G, self.layers, torch.cat([shown, real]) if self.has_identity else shown
            )
            _, queries = run_with_features(self.G, self.layers, outputs, whole=False)
            if flipped:
                queries = [feature.flip(-1) for feature in queries]
                with torch.no_grad():
                    _, keys = run_with_features(self.G, self.layers, a, whole=False)
            fake = outputs[: len(a)]
            features, score = discriminator_features(self.D_B, fake)
            if config.lambda_spatial > 0:
                with torch.no_grad():
                    real_features, _ = discriminator_features(self.D_B, real)
        losses["adversarial"] = self.adversarial(score.float(), True, False)
        contrast = self._contrast(queries, keys, len(a))
        losses["nce"] = contrast[0]
        total = config.lambda_adversarial * losses["adversarial"]
        if self.has_identity:
            losses["identity"] = contrast[1]
            total = total + self.weight * 0.5 * (losses["nce"] + losses["identity"])
        else:
            total = total + self.weight * losses["nce"]
        if config.lambda_spatial > 0:
            losses["spatial"] = spatial_domain_loss(features, real_features)
            total = total + config.lambda_spatial * losses["spatial"]
        if config.lambda_pairs > 0 and bool(batch["paired"].any()):
            straight = fake.flip(-1) if flipped else fake
            losses["pairs"] = pairs_term(config, straight, real, batch["weight"])
            total = total + config.lambda_pairs * losses["pairs"]
        return losses | {"generators": total}, fake

    def _contrast(self, queries: list[torch.Tensor], keys: list[torch.Tensor], count: int) -> list[torch.Tensor]:
        """The PatchNCE term, mean over the layers, of each group of ``count`` images."""
        groups = range(0, len(queries[0]), count)
        totals = [queries[0].new_zeros((), dtype=torch.float32) for _ in groups]
        for head, query, key in zip(self.heads, queries, keys, strict=True):
            # fp32: what is told apart here lies close together.
            places = torch.randperm(query.shape[2] * query.shape[3])[: self.settings.nce_patches].to(query.device)
            query = head(at_places(query, places))
            with torch.no_grad():
                key = head(at_places(key, places))
            for number, start in enumerate(groups):
                group = slice(start, start + count)
                loss = patch_nce_loss(query[group], key[group], self.settings.nce_temperature)
                totals[number] = totals[number] + loss / len(self.heads)
        return totals


class FastCUT(CUT):
    """CUT with PatchNCE of weight 10 and no identity term.

    Inputs are flipped at random, and their features must be those of the unflipped ones (flip equivariance).
    """

    losses = ("generators", "discriminators", "adversarial", "nce", "spatial", "pairs")
    default_weight = 10.0
    has_identity = False
    flips = True


class ProjectionHead(nn.Module):
    """Two-layer perceptron: features (n, p, width) -> unit vectors (n, p, features)."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        first, second = nn.Linear(width, features), nn.Linear(features, features)
        self.layers = nn.Sequential(first, nn.ReLU(), second)
        for layer in (first, second):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, p, width) -> (n, p, features), of unit length."""
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
    generator: nn.Module, layers: list[int], images: torch.Tensor, whole: bool = True
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Run a generator and keep what some of its layers give.

    Args:
        generator: as ``encoder_sequence`` takes it.
        layers: numbers of the layers, in order.
        images: (n, c, h, w).
        whole: whether to go on after the last of these layers.

    Returns:
        What came out at the end, and the output (n, width, h', w') of each layer.
    """
    features = []
    for number, layer in enumerate(encoder_sequence(generator)):
        images = layer(images)
        if number in layers:
            features.append(images)
        if not whole and number == layers[-1]:
            break
    return images, features


def feature_widths(generator: nn.Module, layers: list[int], channels: int, size: int) -> list[int]:
    """Channels of the layers' outputs, by a dry run without arithmetic."""
    dry = copy.deepcopy(generator).to("meta")
    _, features = run_with_features(dry, layers, torch.empty(1, channels, size, size, device="meta"), whole=False)
    return [feature.shape[1] for feature in features]
