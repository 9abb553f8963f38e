"""Everything after the network: structure guard, matching, strength, mask and units; again without running it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surgical_style_engine.adjust.apply import adjust_output
from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.volume import Volume

from .blend import Blend
from .request import check_request
from .result import Translation


def adjusted(translation: Translation, blend: Blend, adjustments: Adjustments) -> Translation:
    """A translation from what the network gave.

    Args:
        translation: with its normalised arrays.
        blend: how input and translation meet.
        adjustments: what else is to be done.

    Returns:
        A new one, with volume, strength, consistency, adjusted and mixed.

    Raises:
        InputError: for adjustments that cannot be.
    """
    source, output = translation.normalized_input, translation.normalized_output
    normalized, target, consistency = output, blend.target, None
    if not adjustments.is_none_after_network:
        change = adjust_output(blend.volume, source, output, target, adjustments, blend.strength, blend.inside)
        normalized, target, consistency = change.normalized, change.target, change.consistency
        blend = replace(blend, strength=change.strength)
    array = replace(blend, target=target).in_units(source, normalized)
    return replace(
        translation,
        volume=blend.volume.with_array(array),
        strength=blend.strength,
        consistency=consistency,
        adjusted=None if normalized is output else normalized,
        mixed=blend.is_mixed,
    )


def readjust(
    volume: Volume,
    model: StyleModel,
    translation: Translation,
    *,
    direction: str = "forward",
    strength: float = 1.0,
    mask: Volume | None = None,
    adjustments: Adjustments | None = None,
) -> Translation:
    """The translation with another strength, mask, structure guard or reference, without running the network again.

    Args:
        volume: that was translated.
        model: that translated it.
        translation: with its normalised arrays.
        direction: that of the translation.
        strength: blend of input (0) and translation (1).
        mask: labelmap on any grid; outside it the input stays.
        adjustments: of which flatten_bias and ensemble act before the network: they stay as the translation has them.

    Raises:
        InputError: for what cannot be.
    """
    request = check_request(volume, model, direction, strength, mask, adjustments)
    return adjusted(translation, request.blend(translation.flattened), request.adjustments)


def adjust_translation(
    volume: Volume,
    model: StyleModel,
    translation: Translation,
    *,
    direction: str = "forward",
    strength: float = 1.0,
    mask: Volume | None = None,
) -> np.ndarray:
    """What ``translate_volume`` would have given with another strength or mask: (c, z, y, x) float32 in its units.

    Arguments and errors as of ``readjust``.
    """
    return readjust(volume, model, translation, direction=direction, strength=strength, mask=mask).volume.array
