"""How input and translation are blended, by strength and mask, and in which units.

A translation is in the target domain's units: HU for CT; where units are arbitrary, as in MR, the range in the middle
of the training volumes, so that a cohort comes out alike. Where strength or mask let the input through, it depends on
both domains how the two meet:

- the same physical units (HU and HU): they are blended in them; strength 0 and voxels outside the mask are the input
  exactly.
- arbitrary units on both sides (MR and MR): blended as normalised intensities, on a scale that goes from the input's
  own range at strength 0 to the target's at 1; with a mask, on the input's range throughout, so that both sides of its
  border compare. Strength 0 and voxels outside the mask are the input exactly.
- otherwise (MR and CT): the input is shown in the target's units, its normalised intensities mapped to the target's
  range. Such voxels hold the input's contrast, not measurements; a warning says so.

With a reference to match, the range of the reference takes the place of the target's. With a flattened bias, what is
blended in is the flattened input, at strength 0 too; voxels outside the mask are still the input exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import Domain, ModelCard
from surgical_style_engine.models.picture_style import from_picture
from surgical_style_engine.volumes.resampling import labels_like
from surgical_style_engine.volumes.volume import Volume


@dataclass(frozen=True, eq=False)
class Blend:
    """Input and translation, and how they meet.

    Attributes:
        volume: the input, in its own units.
        source: the domain of the input.
        target: the domain of the translation.
        landmarks: of the input's normalisation.
        strength: blend of input (0) and translation (1).
        inside: (1, z, y, x) bool, outside of which the input stays; everywhere if None.
        flattened: the input (c, z, y, x) without its bias field, where that is asked for.
    """

    volume: Volume
    source: Domain
    target: Domain
    landmarks: Any
    strength: float = 1.0
    inside: np.ndarray | None = None
    flattened: np.ndarray | None = None

    @property
    def input(self) -> Volume:
        """What goes into the network: the volume, without its bias field where that is asked for."""
        return self.volume if self.flattened is None else self.volume.with_array(self.flattened)

    @property
    def shows_input(self) -> bool:
        """Whether the input shows through anywhere."""
        return self.strength < 1 or self.inside is not None

    @property
    def has_same_units(self) -> bool:
        """Whether input and translation are measured alike, so that voxels may keep their values."""
        source, target = self.source, self.target
        return source.units == target.units and (bool(source.units) or self.landmarks.kind == target.inverse.kind)

    @property
    def is_mixed(self) -> bool:
        """Whether voxels that are not fully translated hold no measured values."""
        return self.shows_input and not self.has_same_units

    @property
    def mixture_warning(self) -> str:
        """What a person is told of a mixture."""
        return (
            f"Input ({_units(self.source)}) and translation ({_units(self.target)}) are mixed: voxels that are not "
            "fully translated show the input's contrast, not measured values."
        )

    def in_units(self, normalized_input: np.ndarray, normalized_output: np.ndarray) -> np.ndarray:
        """Blend and go to units, by the module's rule.

        Args:
            normalized_input: (c, z, y, x) in [-1, 1], of the flattened input if it was; unused, and possibly empty,
                where the input does not show through.
            normalized_output: (channels, z, y, x) in [-1, 1].

        Returns:
            (channels, z, y, x) float32.
        """
        target, strength = self.target, self.strength
        if not self.shows_input:
            return target.inverse.inverse(normalized_output)
        if normalized_input.shape[0] < target.channels:
            normalized_input = np.repeat(normalized_input, target.channels, axis=0)
        if not self.has_same_units:
            array = target.inverse.inverse(mixture(normalized_input, normalized_output, strength))
            own = normalized_input if self.flattened is None else self.landmarks.forward(self.volume.array)
            base, untouched = target.inverse.inverse(normalized_input), target.inverse.inverse(own)
        else:
            untouched = self.volume.array.astype(np.float32)
            base = untouched if self.flattened is None else self.flattened
            if self.source.units:
                array = mixture(base, target.inverse.inverse(normalized_output), strength)
            else:
                masked = self.inside is not None
                scale = self.landmarks if masked else _between(self.landmarks, target.inverse, strength)
                array = scale.inverse(mixture(normalized_input, normalized_output, strength))
        if strength == 0:
            array = base
        return array if self.inside is None else np.where(self.inside, array, untouched)

    def judged_input(self, normalized_input: np.ndarray) -> np.ndarray:
        """The input on the scale that images are judged on.

        Args:
            normalized_input: (c, z, y, x) in [-1, 1], of the flattened input if it was.

        Returns:
            The same, but in the target's range where both sides have the same physical units and other ranges.
        """
        if not self._meets_in_units or self.landmarks == self.target.inverse:
            return normalized_input
        return self.target.inverse.forward(self._base)

    def judged(self, normalized_input: np.ndarray, normalized_output: np.ndarray) -> np.ndarray:
        """The image that is delivered, on the scale that images are judged on.

        Where both sides have the same physical units they are blended in these, and what is judged is that blend in
        the target's range. Everywhere else they are blended as normalised intensities, and what is judged is that
        blend, whatever range ``in_units`` shows it in.

        Args:
            normalized_input: (c, z, y, x) in [-1, 1], of the flattened input if it was.
            normalized_output: (channels, z, y, x) in [-1, 1].

        Returns:
            (channels, z, y, x) float32 in [-1, 1]; ``normalized_output`` itself where the input does not show through.
        """
        if not self.shows_input:
            return normalized_output
        source = self.judged_input(normalized_input)
        if source.shape[0] < self.target.channels:
            source = np.repeat(source, self.target.channels, axis=0)
        array = source if self.strength == 0 else normalized_output
        if 0 < self.strength < 1 and self._meets_in_units:
            inverse = self.target.inverse
            array = inverse.forward(mixture(self._base, inverse.inverse(normalized_output), self.strength))
        elif 0 < self.strength < 1:
            array = mixture(source, normalized_output, self.strength)
        if self.inside is None:
            return array
        untouched = source if self.flattened is None else self.landmarks.forward(self.volume.array)
        return np.where(self.inside, array, untouched)

    @property
    def _meets_in_units(self) -> bool:
        """Whether input and translation are blended in physical units."""
        return bool(self.source.units) and self.source.units == self.target.units

    @property
    def _base(self) -> np.ndarray:
        """What is blended in, in the input's units."""
        return self.volume.array.astype(np.float32) if self.flattened is None else self.flattened


def check_blend(source: Domain, target: Domain, card: ModelCard, strength: float, masked: bool) -> None:
    """Refuse what cannot be blended.

    Args:
        source: the domain of the input.
        target: the domain of the translation.
        card: of the model.
        strength: blend of input and translation.
        masked: whether there is a mask.

    Raises:
        InputError: for a strength outside of 0 to 1, or input and output with different numbers of channels.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"The strength is between 0 and 1, not {strength:g}.")
    # Grey beside a style picture's colours is grey; elsewhere there is no telling what it would mean.
    is_told = source.channels == target.channels or (from_picture(card) and source.channels == 1)
    if (strength < 1 or masked) and not is_told:
        raise InputError("Strength and mask need an input and an output with equal numbers of channels.")


def mask_on_grid(mask: Volume, volume: Volume) -> np.ndarray:
    """Where a labelmap is not zero.

    Args:
        mask: on any grid.
        volume: whose grid is meant.

    Returns:
        (1, z, y, x) bool.

    Raises:
        InputError: if that is nowhere, or the mask has several channels.
    """
    if mask.channels != 1:
        raise InputError("The mask has several channels; give a labelmap.")
    on_grid = labels_like(mask, volume)
    inside = np.nan_to_num(on_grid.array[:1]) != 0  # some programs write NaN outside of masks
    if not inside.any():
        raise InputError("The mask is empty or does not overlap the volume.")
    return inside


def mixture(first: np.ndarray, second: np.ndarray, weight: float) -> np.ndarray:
    """The first at weight 0, the second at weight 1, linear between."""
    return second if weight == 1 else first + np.float32(weight) * (second - first)


def _between(first: Any, second: Any, weight: float) -> Any:
    """Landmarks of one kind, each number interpolated."""
    a, b = first.model_dump(), second.model_dump()
    numbers = {name: (1 - weight) * a[name] + weight * b[name] for name in a if name != "kind"}
    return type(first)(kind=a["kind"], **numbers)


def _units(domain: Domain) -> str:
    return domain.units or "arbitrary units"
