"""Feed-forward style transfer (Johnson, Alahi & Fei-Fei, ECCV 2016): one generator learns one picture's style.

The source folder holds the contents; the target is a folder with a single picture. There is no way back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch

from surgical_style_engine.common.thresholds import AIR_TOP, SMALLEST_STYLE_PICTURE
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.style_picture import luminance_like, read_picture
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.stylize.feature_network import FeatureNetwork
from surgical_style_engine.stylize.features import RANDOM, load_features, pick_features
from surgical_style_engine.stylize.losses import Objective, StyleTarget
from surgical_style_engine.stylize.optimise import resized
from surgical_style_engine.stylize.published import VGG19, is_at_hand
from surgical_style_engine.stylize.sequence import STROKES
from training_cli.training.config.method_settings import PerceptualSettings
from training_cli.training.data.files import training_files

from .base import Batch, Losses, Method


class Perceptual(Method):
    """A generator G: A -> the look of a picture, trained on content, style and total variation.

    The style is measured on the body only: air keeps what the content term asks for, which is to stay air.
    """

    losses: ClassVar[tuple[str, ...]] = ("total", "content", "style", "variation")
    fused_adam: ClassVar[bool] = False  # whose last digits are others than those of models trained so far

    def build(self) -> None:
        """See ``Method.build``."""
        self.settings = self.config.section(PerceptualSettings)
        self.G = self.add_generator("G", "forward")
        self.weights = StyleSettings(
            content_weight=self.settings.lambda_content,
            style_weight=self.settings.lambda_style,
            variation_weight=self.settings.lambda_variation,
        )
        self.features = pick_features(self.settings.features)
        self._style: StyleTarget | None = None

    def train_step(self, batch: Batch, progress: float) -> Losses:
        """One update; only the contents of the batch are used. See ``Method.train_step``."""
        with self.autocast():
            translation = self.G(batch["a"])
        images = _pictures(translation.float(), self.channels_b)
        # The disturbed input goes in, the clean one says what is to be kept.
        content = _pictures(batch["a_clean"].float(), self.channels_a)
        mask = (content.mean(dim=1, keepdim=True) > (AIR_TOP + 1) / 2).float()
        terms = Objective(self.style(), content, self.weights, mask)(images)
        self.update_generators(terms["total"])
        return terms

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
            if self.channels_b == 1:
                picture = luminance_like(picture, float(picture.mean()), float(picture.std()))
            factor = min(1.0, self.settings.brush * STROKES * config.patch_size / min(picture.shape[-2:]))
            height, width = (max(SMALLEST_STYLE_PICTURE, round(side * factor)) for side in picture.shape[-2:])
            images = resized(torch.from_numpy(picture)[None], (height, width))
            network: FeatureNetwork = load_features(self.features, images, seed=config.seed)
            self._style = StyleTarget(network.to(self.device), images.to(self.device))
        return self._style

    def card_entries(self) -> dict[str, Any]:
        """See ``Method.card_entries``: which network "auto" came to."""
        return {"features": self.features}

    def extra_state(self) -> dict[str, Any]:
        """See ``Method.extra_state``: a resumed run keeps its network, whatever has been fetched since."""
        return {"features": self.features}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """See ``Method.load_extra_state``. Up to version 0.1.0 there were VGG-19 and random filters only."""
        if "features" in state:
            self.features = str(state["features"])
        elif self.settings.features == "auto":
            self.features = VGG19.name if is_at_hand(VGG19.name) else RANDOM
        self._style = None

    @staticmethod
    def converted(state: dict[str, Any]) -> dict[str, Any]:
        """See ``Method.converted``: up to version 0.1.0 this method had names of its own in checkpoints."""
        if "networks" in state:
            return state
        return {
            "networks": {"G": state["G"]},
            "averages": {"forward": state["average"]},
            "optimizer_g": state["optimizer"],
        }


def _pictures(batch: torch.Tensor, channels: int) -> torch.Tensor:
    """(n, stack*c, h, w) in [-1, 1] -> (n*stack, 3, h, w) in [0, 1]."""
    images = batch.reshape(-1, channels, *batch.shape[-2:])
    return ((images + 1) / 2).expand(-1, 3, -1, -1)
