"""The image that is delivered, on the scale that it is judged on: with strength, mask and adjustments."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.inference.request import check_request
from surgical_style_engine.inference.result import Translation
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.volume import Volume


class Delivered:
    """Input, network's output and delivered image of a translation, (c, z, y, x) in [-1, 1]; see ``Blend.judged``.

    Attributes:
        input: as strength 0 delivers it; flattened if it was.
        network: the network's own output, before structure guard, matching, strength and mask.
        image: what is delivered; ``network`` itself where that is delivered as it is.
    """

    def __init__(
        self, volume: Volume, model: StyleModel, translation: Translation, direction: str, mask: Volume | None = None
    ) -> None:
        """Find them.

        Args:
            volume: what was translated.
            model: what translated it.
            translation: with its normalised arrays.
            direction: "forward" or "backward".
            mask: the labelmap outside of which the input stayed, on any grid.

        Raises:
            InputError: for an empty mask.
        """
        request = check_request(volume, model, direction, translation.strength, mask, None)
        blend = request.blend(translation.flattened)
        self.input: np.ndarray = blend.judged_input(translation.normalized_input)
        self.network: np.ndarray = translation.normalized_output
        self.image: np.ndarray = blend.judged(translation.normalized_input, translation.judged)


def for_viewers(volume: Volume) -> Volume:
    """Colours of 0 to 255 as bytes, as viewers know them; scalars stay as they are."""
    if volume.channels != 3:
        return volume
    return volume.with_array(np.clip(np.round(volume.array), 0, 255).astype(np.uint8))
