"""The image that is delivered, on the normalised scale that it is judged on: with strength, mask and adjustments."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.inference.translate import Translation
from surgical_style_engine.models.folder import Domain, StyleModel
from surgical_style_engine.models.importers.picture import output_domain
from surgical_style_engine.volumes.volume import Volume

from .inputs import labels_on_grid


class DeliveredScale:
    """The scale, [-1, 1], on which delivered images are compared with their input and with a reference.

    Where both domains have the same physical units, input and translation are blended in them: what is judged is that
    blend, normalised by the target's range. Everywhere else they are blended as normalised intensities: what is judged
    is that blend, whatever range it is shown in. The rule is the one of ``inference.translate``.
    """

    def __init__(self, volume: Volume, model: StyleModel, translation: Translation, direction: str) -> None:
        self._volume, self._translation = volume, translation
        source, target = model.card.domain_from(direction), model.card.domain_to(direction)
        flattened = translation.flattened
        self._landmarks = source.normalization.fit(volume.array if flattened is None else flattened)
        self._target: Domain = output_domain(model.card, direction, self._landmarks)
        self._in_units = bool(source.units) and source.units == target.units

    @property
    def input(self) -> np.ndarray:
        """The input, flattened if it was, as strength 0 delivers it: (c, z, y, x) in [-1, 1]."""
        if not self._in_units or self._landmarks == self._target.inverse:
            return self._translation.normalized_input
        return self._target.inverse.forward(self._base)

    @property
    def network(self) -> np.ndarray:
        """The network's own output, before structure guard, matching, strength and mask."""
        return self._translation.normalized_output

    def delivered(self, mask: np.ndarray | Volume | None = None) -> np.ndarray:
        """What is delivered: (c, z, y, x) in [-1, 1].

        Args:
            mask: the labelmap outside of which the input stayed, as the translation was made with; None for none.
        """
        translated, strength = self._translation.judged, self._translation.strength
        if strength < 1:
            translated = self._blended(translated, strength)
        if mask is None:
            return translated
        return np.where(labels_on_grid(mask, self._volume)[None], translated, self._untouched)

    def _blended(self, translated: np.ndarray, strength: float) -> np.ndarray:
        if strength == 0:
            return _with_channels(self.input, len(translated))
        weight = np.float32(strength)
        if self._in_units:
            in_units = self._base + weight * (self._target.inverse.inverse(translated) - self._base)
            return self._target.inverse.forward(in_units)
        source = self._translation.normalized_input
        return source + weight * (translated - source)

    @property
    def _base(self) -> np.ndarray:
        flattened = self._translation.flattened
        return self._volume.array.astype(np.float32) if flattened is None else flattened

    @property
    def _untouched(self) -> np.ndarray:
        """The input as it came, which is what stays outside of a mask."""
        if self._translation.flattened is None:
            return self.input
        return self._landmarks.forward(self._volume.array)


def for_viewers(volume: Volume) -> Volume:
    """Colours of 0 to 255 as bytes, as viewers know them; scalars stay as they are."""
    if volume.channels != 3:
        return volume
    return volume.with_array(np.clip(np.round(volume.array), 0, 255).astype(np.uint8))


def _with_channels(array: np.ndarray, channels: int) -> np.ndarray:
    return np.repeat(array, channels, axis=0) if len(array) < channels else array
