"""Feed-forward style transfer (Johnson, Alahi & Fei-Fei, ECCV 2016): one generator learns one picture's style.

The source folder holds the contents; the target is a folder with a single picture. There is no way back.
"""

from __future__ import annotations

from pathlib import Path

import torch

from surgical_style_engine.common.thresholds import AIR_TOP
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.style_picture import luminance_like, read_picture
from surgical_style_engine.models.style_settings import TINIEST, StyleSettings
from surgical_style_engine.networks import build_generator, generator_settings
from surgical_style_engine.stylize.features import FeatureNetwork, load_features, pick_features
from surgical_style_engine.stylize.losses import Objective, StyleTarget
from surgical_style_engine.stylize.optimise import resized
from surgical_style_engine.stylize.sequence import STROKES
from training_cli.training.config import TrainingConfig
from training_cli.training.data.cache import training_files
from training_cli.training.optimisation.averaging import ExponentialMovingAverage
from training_cli.training.optimisation.processes import average_gradients


class Perceptual:
    """A generator G: A -> the look of a picture, trained on content, style and total variation.

    The style is measured on the body only: air keeps what the content term asks for, which is to stay air.
    """

    def __init__(self, config: TrainingConfig, channels_a: int, channels_b: int, device, autocast) -> None:
        self.config, self.device, self.autocast = config, device, autocast
        self.channels = channels_a, channels_b
        shape = generator_settings(config.generator, config)
        self.architecture = {
            "forward": {"in_channels": config.stack * channels_a, "out_channels": config.stack * channels_b, **shape}
        }
        self.G = build_generator(config.generator, **self.architecture["forward"]).to(device)
        self.average = ExponentialMovingAverage(self.G, config.ema_decay)
        self.optimizer = torch.optim.Adam(
            self.G.parameters(), lr=config.learning_rate, betas=(config.beta1, config.beta2)
        )
        self.settings = StyleSettings(
            content_weight=config.lambda_content,
            style_weight=config.lambda_style,
            variation_weight=config.lambda_variation,
        )
        self._style: StyleTarget | None = None

    def step(self, batch: dict[str, torch.Tensor], progress: float, learning_rate: float) -> dict[str, torch.Tensor]:
        """One update. See ``base.Method.step``; only the contents of the batch are used."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        with self.autocast():
            made = self.G(batch["a"])
        images = self._images(made.float(), self.channels[1])
        # The disturbed input goes in, the clean one says what is to be kept.
        content = self._images(batch["a_clean"].float(), self.channels[0])
        mask = (content.mean(dim=1, keepdim=True) > (AIR_TOP + 1) / 2).float()
        terms = Objective(self.style(), content, self.settings, mask)(images)
        self.optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()
        average_gradients(list(self.G.parameters()))
        self.optimizer.step()
        self.average.update(self.G)
        return {name: value.detach() for name, value in terms.items()}

    def style(self) -> StyleTarget:
        """The picture's targets, made at the first step (building a method reads no files). Raises InputError."""
        if self._style is None:
            config = self.config
            files = training_files(config, "target")
            if len(files) != 1:
                raise InputError(
                    f"The method perceptual learns the style of one picture; {Path(config.target)} has {len(files)}."
                )
            picture = read_picture(files[0])
            if self.channels[1] == 1:
                picture = luminance_like(picture, float(picture.mean()), float(picture.std()))
            factor = min(1.0, config.brush * STROKES * config.patch_size / min(picture.shape[-2:]))
            size = tuple(max(TINIEST, round(side * factor)) for side in picture.shape[-2:])
            images = resized(torch.from_numpy(picture)[None], size)
            network: FeatureNetwork = load_features(pick_features(config.features), images, seed=config.seed)
            self._style = StyleTarget(network.to(self.device), images.to(self.device))
        return self._style

    def _images(self, batch: torch.Tensor, channels: int) -> torch.Tensor:
        """(n, stack*c, h, w) in [-1, 1] -> (n*stack, 3, h, w) in [0, 1]."""
        images = batch.reshape(-1, channels, *batch.shape[-2:])
        return ((images + 1) / 2).expand(-1, 3, -1, -1)

    def generators(self) -> dict[str, torch.nn.Module]:
        return {"forward": self.average.network}

    def networks(self) -> dict[str, torch.nn.Module]:
        return {"G": self.G}

    def state_dict(self) -> dict:
        return {
            "G": self.G.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        self.G.load_state_dict(state["G"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
