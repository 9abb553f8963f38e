"""A style picture where a generator's runner is expected: the volume pipeline and the preview run it alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from surgical_style_engine.backends.choices import check_choices
from surgical_style_engine.backends.devices import pick_device
from surgical_style_engine.backends.runner import SequenceRunner, Tick
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.picture_style import load_picture, settings_of
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.volumes.resampling import resize_in_plane

from .feature_network import FeatureNetwork
from .features import PRETRAINED, load_features, pick_features
from .random_features import RandomFeatures
from .sequence import Sequence, stylize_sequence

Finished = Callable[[int], None]
PREVIEW_STEPS = 40  # who scrolls does not wait for the last touch
RANDOM_WARNING = (
    "The style was described by random filters, since no pretrained features were used: colours and texture are "
    "transferred, larger motifs are not."
)


class StyleImageRunner(SequenceRunner):
    """Applies a style picture.

    Attributes:
        picture: (3, h, w) in [0, 1].
        settings: Of the optimisation.
        features: Name of the network that describes the style.
        sequences: What came of every plane of the last volume.
        seconds: That they took.
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
        """Make the network that describes the style.

        Args:
            picture: (3, h, w) in [0, 1].
            settings: Of the optimisation.
            device: As in ``RunOptions``.
            precision: "auto" or "fp32".
            backend: "auto" or "torch".
            features_file: A copy of the weights of a pretrained network.

        Raises:
            InputError: For what cannot be done, or not on this machine.
        """
        check_choices(precision, backend)
        if backend == "openvino":
            raise InputError("A style picture is applied by optimisation, which OpenVINO cannot do; use torch or auto.")
        if precision not in ("auto", "fp32"):
            raise InputError("A style picture is applied in fp32; use the precision auto or fp32.")
        self._device = pick_device(device)
        self.device = str(self._device)
        self.picture, self.settings = picture, settings
        self.features = pick_features(settings.features, features_file)
        self._pretrained: FeatureNetwork | None = None
        if self.features in PRETRAINED:
            self._pretrained = load_features(self.features, torch.zeros(1, 3, 32, 32), file=features_file)
        check_layers(settings, self._pretrained or RandomFeatures)
        self.sequences: list[Sequence] = []
        self.seconds = 0.0

    @classmethod
    def of_model(cls, model: StyleModel, device: str, precision: str, backend: str) -> StyleImageRunner:
        """For a model folder whose weights are a picture."""
        return cls(load_picture(model), settings_of(model.card), device, precision, backend)

    @property
    def warnings(self) -> list[str]:
        """That larger motifs are not transferred, where features were not pretrained."""
        return [] if self.features in PRETRAINED else [RANDOM_WARNING]

    def begin(self) -> None:
        """Forget what came of an earlier volume."""
        self.sequences, self.seconds = [], 0.0

    def stylize_slices(self, array: np.ndarray, channels: int, tick: Tick, finished: Finished) -> np.ndarray:
        """Stylise the slices of a plane, each from its neighbour's result; see ``SequenceRunner``."""
        begun = time.monotonic()
        sequence = self._sequence(array, self.settings, tick, finished)
        self.sequences.append(sequence)
        self.seconds += time.monotonic() - begun
        slices = sequence.slices * 2 - 1
        if slices.shape[0] != channels:
            raise InputError("The style picture's card states other channels than its colour setting gives.")
        return slices.astype(np.float32)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Stylise pictures by themselves, in few steps, as a preview shows them; see ``Runner``."""
        steps = min(self.settings.steps, PREVIEW_STEPS)
        single = self.settings.model_copy(update={"independent": True, "steps": steps})
        pictures = [self._sequence(image[:, None], single).slices[:, 0] * 2 - 1 for image in batch]
        return np.stack(pictures).astype(np.float32)

    def outcome(self) -> dict[str, Any]:
        """What the optimisation came to, as means over the planes where there were several."""
        sequences = self.sequences
        if not sequences:
            return {"features": self.features}
        names = sorted({name for sequence in sequences for name in sequence.terms})
        return {
            "features": self.features,
            "flicker": _mean(sequence.flicker for sequence in sequences),
            "flicker_content": _mean(sequence.flicker_content for sequence in sequences),
            "losses": {name: _mean(sequence.terms.get(name) for sequence in sequences) for name in names},
            "seconds_per_slice": self.seconds / max(1, sum(sequence.slices.shape[1] for sequence in sequences)),
            "loss_curve": [{"scale": scale, "total": total} for scale, total in sequences[0].curve],
        }

    def _sequence(
        self,
        array: np.ndarray,
        settings: StyleSettings,
        tick: Tick = lambda done, steps: None,
        finished: Finished = lambda count: None,
    ) -> Sequence:
        """Stylise slices (c, s, h, w) in [-1, 1], at a smaller size where the settings say so."""
        content = np.clip((np.asarray(array, np.float32) + 1) / 2, 0, 1)
        size = height, width = content.shape[-2:]
        small, longest = size, max(size)
        if settings.size is not None and longest > settings.size:
            part = settings.size
            small = (max(1, round(height * part / longest)), max(1, round(width * part / longest)))
        worked_on = resize_in_plane(content, small)
        sequence = stylize_sequence(
            worked_on, self.picture, self._network, settings, device=self._device, tick=tick, finished=finished
        )
        if small != size:
            # The content's own detail, which the smaller size could not hold, is put back.
            fine = (content - resize_in_plane(worked_on, size)).mean(axis=0, keepdims=True)
            sequence.slices = np.clip(resize_in_plane(sequence.slices, size) + fine, 0, 1)
        return sequence

    def _network(self, picture: torch.Tensor) -> FeatureNetwork:
        """Features for the prepared picture (1, 3, h, w)."""
        return self._pretrained or load_features(self.features, picture, seed=self.settings.seed)


def _mean(values: Iterable[float | None]) -> float | None:
    """Of those that there are; None where there are none."""
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else None


def check_layers(settings: StyleSettings, network: FeatureNetwork | type[FeatureNetwork]) -> None:
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
