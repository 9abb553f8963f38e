"""A style picture where a generator's runner is expected: the volume pipeline and the preview run it alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from surgical_style_engine.backends.choices import check_choices
from surgical_style_engine.backends.devices import pick_device
from surgical_style_engine.backends.runner import SequenceRunner
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.importers.picture import load_picture, settings_of
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.volumes.geometry import resize_in_plane

from .features import FeatureNetwork, RandomFeatures, load_features, pick_features
from .sequence import Sequence, stylize_sequence

if TYPE_CHECKING:
    from surgical_style_engine.models.folder import StyleModel

PREVIEW_STEPS = 40  # who scrolls does not wait for the last touch
RANDOM_WARNING = (
    "The style was described by random filters, since no pretrained features were used: colours and texture are "
    "transferred, larger motifs are not."
)


class StyleImageRunner(SequenceRunner):
    """Applies a style picture. ``sequences``: what came of every plane of the last volume; ``seconds`` they took.

    picture: (3, h, w) in [0, 1]. features_file: a copy of VGG-19's weights. Raises InputError for what this machine
    cannot do.
    """

    backend = "torch"

    def __init__(
        self,
        picture: np.ndarray,
        settings: StyleSettings,
        device: str = "auto",
        precision: str = "auto",
        backend: str = "auto",
        features_file: Path | None = None,
    ) -> None:
        check_choices(precision, backend)
        if backend == "openvino":
            raise InputError("A style picture is applied by optimisation, which OpenVINO cannot do; use torch or auto.")
        if precision not in ("auto", "fp32"):
            raise InputError("A style picture is applied in fp32; use the precision auto or fp32.")
        self._device = pick_device(device)
        self.device = str(self._device)
        self.picture, self.settings = picture, settings
        self.features = pick_features(settings.features, features_file)
        self._file, self._vgg = features_file, None
        if self.features == "vgg19":
            self._vgg = load_features("vgg19", torch.zeros(1, 3, 32, 32), file=features_file)
            check_layers(settings, self._vgg)
        else:
            check_layers(settings, RandomFeatures)
        self.sequences: list[Sequence] = []
        self.seconds = 0.0

    @classmethod
    def of_model(cls, model: StyleModel, device: str, precision: str, backend: str) -> StyleImageRunner:
        """For a model folder whose weights are a picture."""
        return cls(load_picture(model), settings_of(model.card), device, precision, backend)

    @property
    def warnings(self) -> list[str]:
        return [RANDOM_WARNING] if self.features == "random" else []

    def begin(self) -> None:
        """Forget what came of an earlier volume."""
        self.sequences, self.seconds = [], 0.0

    def stylize_slices(
        self, array: np.ndarray, channels: int, tick: Callable[[int, int], None], finished: Callable[[int], None]
    ) -> np.ndarray:
        """(c, s, h, w) in [-1, 1], slices in their order -> (channels, s, h, w) in [-1, 1]."""
        begun = time.monotonic()
        made = self._sequence(array, self.settings, tick, finished)
        self.sequences.append(made)
        self.seconds += time.monotonic() - begun
        return _fit(made.slices * 2 - 1, channels)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """(n, c, h, w) in [-1, 1] -> (n, channels, h, w): pictures by themselves, as a preview shows them."""
        steps = min(self.settings.steps, PREVIEW_STEPS)
        single = self.settings.model_copy(update={"independent": True, "steps": steps})
        made = [self._sequence(image[:, None], single).slices[:, 0] * 2 - 1 for image in batch]
        return np.stack(made).astype(np.float32)

    def outcome(self) -> dict[str, Any]:
        """For a report: what the optimisation came to, as means over the planes where there were several."""
        found = self.sequences
        if not found:
            return {"features": self.features}

        def mean(values: list) -> float | None:
            numbers = [value for value in values if value is not None]
            return float(np.mean(numbers)) if numbers else None

        names = sorted({name for entry in found for name in entry.terms})
        return {
            "features": self.features,
            "flicker": mean([entry.flicker for entry in found]),
            "flicker_content": mean([entry.flicker_content for entry in found]),
            "losses": {name: mean([entry.terms.get(name) for entry in found]) for name in names},
            "seconds_per_slice": self.seconds / max(1, sum(entry.slices.shape[1] for entry in found)),
            "loss_curve": [{"scale": scale, "total": total} for scale, total in found[0].curve],
        }

    def _sequence(self, array, settings, tick=lambda done, steps: None, finished=lambda count: None) -> Sequence:
        content = np.clip((np.asarray(array, np.float32) + 1) / 2, 0, 1)
        size = tuple(content.shape[-2:])
        if settings.size is not None and max(size) > settings.size:
            small = tuple(max(1, round(side * settings.size / max(size))) for side in size)
        else:
            small = size
        worked_on = resize_in_plane(content, small)
        made = stylize_sequence(
            worked_on, self.picture, self._network, settings, device=self._device, tick=tick, finished=finished
        )
        if small != size:
            # The content's own detail, which the smaller size could not hold, is put back.
            fine = (content - resize_in_plane(worked_on, size)).mean(axis=0, keepdims=True)
            made.slices = np.clip(resize_in_plane(made.slices, size) + fine, 0, 1)
        return made

    def _network(self, picture: torch.Tensor) -> FeatureNetwork:
        return self._vgg if self._vgg is not None else load_features("random", picture, seed=self.settings.seed)


def check_layers(settings: StyleSettings, network: Any) -> None:
    """Raise InputError for weights of layers that the features do not have."""
    layers = settings.layers
    if layers is None:
        return
    for name, weight in layers.items():
        if name not in network.layers:
            known = ", ".join(network.layers)
            raise InputError(f"The features {network.name} have no layer '{name}'; they have {known}.")
        if weight < 0:
            raise InputError(f"The weight of the layer {name} cannot be below zero.")
    if not sum(layers.values()) > 0:
        raise InputError("At least one layer of the style needs a weight above zero.")


def _fit(array: np.ndarray, channels: int) -> np.ndarray:
    if array.shape[0] != channels:
        raise InputError("The style picture's card states other channels than its colour setting gives.")
    return array.astype(np.float32)
