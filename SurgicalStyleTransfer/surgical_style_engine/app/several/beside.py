"""The inputs beside the first one: read, checked, and brought onto its grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from surgical_style_engine.app.inputs import VolumeOrPath, read
from surgical_style_engine.errors import InputError, MisfitError
from surgical_style_engine.fusion.align import Aligned, align
from surgical_style_engine.inference.fit.misfit import misfit
from surgical_style_engine.inference.several.stacked import Beside
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.file_warnings import file_warnings
from surgical_style_engine.volumes.recognise.verdict import recognise
from surgical_style_engine.volumes.volume import Volume, check_volume


def beside_first(
    first: Volume,
    others: Sequence[VolumeOrPath],
    model: StyleModel,
    direction: str,
    force: bool = False,
    strict: bool = False,
) -> tuple[tuple[Beside, ...], list[str]]:
    """Bring the other inputs of a route onto the first one's grid, where the scanner's coordinates say.

    Args:
        first: whose grid it is.
        others: volumes, or their files, in the order of the route.
        model: for many domains, if there are others.
        direction: the route.
        force: whether another modality is taken nevertheless.
        strict: whether another contrast is refused too, as in a folder of which only some volumes fit.

    Returns:
        The others, and sentences on what is odd about them, such as that one is of another contrast.

    Raises:
        InputError: for unusable volumes, for others than the route names, and for what does not lie over the first.
        MisfitError: for another modality, as of the first input.
    """
    card = model.card
    check_count(card, direction, 1 + len(others))
    if not others:
        return (), []
    region, result, warnings = body_mask(first), [], []
    for name, other in zip(card.route(direction).given[1:], others, strict=True):
        volume = read(other)
        title = volume.name or f"The {name}"
        check_volume(volume, title)
        if volume.channels != 1 or first.channels != 1:
            raise InputError(f"{title} cannot be an input beside others: colour volumes are not taken together.")
        unfit = misfit(recognise(volume), card, card.domain(name), title)
        if unfit.refusal and not force:
            raise MisfitError(unfit.refusal)
        if strict and unfit.contrast and not unfit.by_name and not force:
            raise MisfitError(f"{title}: {unfit.contrast}")
        aligned = _aligned(first, volume, region, title)
        odd = [f"{title}: {sentence}" for sentence in unfit.warnings]
        warnings += [*file_warnings(volume), *odd, *aligned.warnings]
        result.append(_normalized(card, name, volume, aligned))
    return tuple(result), warnings


def check_count(card: ModelCard, direction: str, count: int) -> None:
    """Raise InputError unless a direction takes so many volumes."""
    names = card.route(direction).given if card.is_many else (card.domain_from(direction).name,)
    if len(names) != count and (card.is_many or count > 1):
        raise InputError(f"The model {card.name} takes {' and '.join(names)} for this, not {count} volumes.")


def _aligned(first: Volume, volume: Volume, region: np.ndarray, title: str) -> Aligned:
    """On the first one's grid. Raises InputError where the two do not lie over each other."""
    if first.is_2d != volume.is_2d or (first.is_2d and not first.same_grid(volume)):
        raise InputError(f"{title} is not on the picture's grid; pictures are not resampled.")
    aligned = align(volume, first, region, "none", name=title)
    if first.is_2d:
        return aligned
    from surgical_style_engine.volumes.registration import fits_better_than_displaced  # noqa: PLC0415 - loads SimpleITK

    if fits_better_than_displaced(first, aligned.volume, region):
        return aligned
    if first.same_grid(volume):
        doubt = f"{title} is on the first input's grid but has little in common with it: look whether they fit."
        return replace(aligned, warnings=[*aligned.warnings, doubt])
    raise InputError(f"{title} is on another grid and does not lie over the first input; register it: sst register.")


def _normalized(card: ModelCard, name: str, volume: Volume, aligned: Aligned) -> Beside:
    landmarks = card.domain(name).normalization.fit(volume.array)
    array = np.where(aligned.coverage, landmarks.forward(aligned.volume.array), np.float32(-1))
    return Beside(name, volume, array.astype(np.float32, copy=False))
