"""What a translation is asked for, checked before a network runs in vain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgical_style_engine.adjust.matching import check_units
from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import Domain, ModelCard
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.picture_style import is_style_image, output_domain
from surgical_style_engine.volumes.bias_field import flatten_bias
from surgical_style_engine.volumes.volume import Volume

from .blend import Blend, check_blend, mask_on_grid


@dataclass(frozen=True, eq=False)
class Request:
    """A checked request.

    Attributes:
        volume: the input.
        model: that translates it.
        direction: forward or backward.
        strength: blend of input (0) and translation (1).
        inside: (1, z, y, x) bool, the mask on the input's grid; None without one.
        adjustments: what else is to be done.
    """

    volume: Volume
    model: StyleModel
    direction: str
    strength: float
    inside: np.ndarray | None
    adjustments: Adjustments

    @property
    def source(self) -> Domain:
        """The domain the translation starts in; of several inputs that of the first."""
        return self.model.card.first_domain(self.direction)

    @property
    def is_plain(self) -> bool:
        """Whether the network's output is the result."""
        return self.strength == 1 and self.inside is None and self.adjustments.is_none_after_network

    def flattened(self) -> np.ndarray | None:
        """The input (c, z, y, x) without its bias field; None where that was not asked for. Raises InputError."""
        if not self.adjustments.flatten_bias:
            return None
        units = self.source.units
        if units:
            raise InputError(f"The model takes {units}, which have no bias field; leave the flattening out.")
        return flatten_bias(self.volume).array

    def blend(self, flattened: np.ndarray | None) -> Blend:
        """How input and translation meet.

        Args:
            flattened: the input (c, z, y, x) without its bias field, where there is one.
        """
        landmarks = self.source.normalization.fit(self.volume.array if flattened is None else flattened)
        target = output_domain(self.model.card, self.direction, landmarks)
        return Blend(self.volume, self.source, target, landmarks, self.strength, self.inside, flattened)


def check_request(
    volume: Volume,
    model: StyleModel,
    direction: str,
    strength: float,
    mask: Volume | None,
    adjustments: Adjustments | None,
) -> Request:
    """Check what is asked for, but for whether the volume suits the model.

    Args:
        volume: the input.
        model: that has this direction.
        direction: forward or backward.
        strength: blend of input (0) and translation (1).
        mask: labelmap on any grid; outside it the input stays.
        adjustments: none if None.

    Raises:
        InputError: for what cannot be.
    """
    source, target = model.card.first_domain(direction), model.card.domain_to(direction)
    check_blend(source, target, model.card, strength, mask is not None)
    inside = None if mask is None else mask_on_grid(mask, volume)
    adjustments = adjustments or Adjustments()
    _check_adjustments(adjustments, model.card, target)
    return Request(volume, model, direction, strength, inside, adjustments)


def _check_adjustments(adjustments: Adjustments, card: ModelCard, target: Domain) -> None:
    if adjustments.match is not None:
        check_units(adjustments.match, target.units)
        if adjustments.match.channels != target.channels:
            raise InputError("The reference to match has other channels than the translation.")
    if adjustments.ensemble and is_style_image(card):
        raise InputError(f"The style {card.name} is an optimisation, of which no ensemble is made.")
