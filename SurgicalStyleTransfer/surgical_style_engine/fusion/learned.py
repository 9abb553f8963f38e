"""Learned fusion: a model that was trained on several registered modalities makes the target of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from typing_extensions import Unpack

from surgical_style_engine.common.run_options import RunOptions, RunSettings
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.air import flat_background
from surgical_style_engine.inference.translate import translate_normalized
from surgical_style_engine.models.card import Domain, ModelCard
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.volume import Volume

from .align import Aligned
from .options import UNITS, FusionOptions
from .prepare import METHOD_STEPS, Steps, align_all, body_of, first_warnings
from .result import Fusion


def fuse_learned(
    volumes: Sequence[Volume],
    model: StyleModel,
    *,
    register: str = "auto",
    mask: np.ndarray | Volume | None = None,
    units: str = "reference",
    options: RunOptions | None = None,
    **run: Unpack[RunSettings],
) -> Fusion:
    """The model's target made of scalar volumes of one patient, on the grid of the first.

    Args:
        volumes: (1, z, y, x) each, in the order of the card's ``domains.source.inputs``. Each is normalised by itself,
            as in training, and what lies outside its field of view counts as background.
        model: One that takes several modalities.
        register: See ``align``.
        mask: As in ``FusionOptions``.
        units: "reference" gives the target's units (the range in the middle of the training volumes where they are
            arbitrary), "none" 0 to 1.
        options: How the network is run.
        **run: Fields of ``RunOptions``, laid over ``options``.

    Raises:
        InputError: For volumes that the model does not take, and for a model of colour images.
        OutOfMemoryError: If not even a single slice fits.
        Cancelled: Between two steps.
    """
    started = time.monotonic()
    options = RunOptions.of(options, run)
    check_inputs(model.card, len(volumes))
    names = FusionOptions(units=units).check(volumes)
    _check_grey(model.card)
    target = model.card.domains.target
    reference = volumes[0]
    steps = Steps(len(volumes), options.progress, options.cancelled)
    body = body_of(mask, reference)
    aligned = align_all(volumes, names, body, register, steps)
    warnings = first_warnings(volumes, mask, aligned)
    arrays, covered = _normalized(volumes, aligned, model.card.domains.source)
    translation = _translated(reference.with_array(np.stack(arrays).astype(np.float32)), model, options, steps)
    fused = np.clip((translation + 1) / 2, 0, 1)
    array, sentence = fused, "no units, 0 to 1"
    if units == UNITS[0]:
        array = target.inverse.inverse(translation)
        sentence = f"{target.units or 'the usual range'} of {target.name}, made by a network, not measured"
    return Fusion(
        volume=reference.with_array(array[None].astype(np.float32)),
        fused=fused.astype(np.float32),
        inputs=[(entry + 1) / 2 for entry in arrays],
        aligned=aligned,
        body=body,
        covered=covered,
        names=names,
        method="learned",
        weights=[],
        units=sentence,
        seconds=time.monotonic() - started,
        warnings=warnings + _warnings(model.card, sentence, float(covered[body].mean())),
    )


def _check_grey(card: ModelCard) -> None:
    if card.domains.target.channels != 1:
        raise InputError(f"The model {card.name} makes colour images, which are no fusion.")


def _normalized(
    volumes: Sequence[Volume], aligned: Sequence[Aligned], source: Domain
) -> tuple[list[np.ndarray], np.ndarray]:
    """The inputs (z, y, x) in [-1, 1] on the reference's grid, and where all of them are (bool)."""
    reference = volumes[0]
    arrays = [source.inputs[0].normalization.fit(reference.array).forward(reference.array[0])]
    covered = np.ones(reference.array.shape[1:], bool)
    for part, entry, volume in zip(source.inputs[1:], aligned, volumes[1:], strict=True):
        array = part.normalization.fit(volume.array).forward(entry.volume.array[0])
        arrays.append(np.where(entry.coverage, array, np.float32(-1)))
        covered &= entry.coverage
    return arrays, covered


def _translated(stacked: Volume, model: StyleModel, options: RunOptions, steps: Steps) -> np.ndarray:
    """What the network makes of the inputs (c, z, y, x) in [-1, 1]: (z, y, x) in [-1, 1]."""
    before = steps.done
    options = replace(options, progress=lambda done, total: steps.go(before + METHOD_STEPS * done // total))
    translation = translate_normalized(stacked, model, options=options)[0]
    # Outside brain-extracted images there is nothing to make anything of.
    air = flat_background(stacked.array.max(axis=0, keepdims=True))
    if air is not None:
        translation[air[0]] = -1
    return translation


def _warnings(card: ModelCard, units: str, covered: float) -> list[str]:
    """Sentences on what the model cannot know. covered: part of the body where all inputs are."""
    expected = ", ".join(part.name for part in card.domains.source.inputs)
    warnings = [
        f"The model takes {expected} in this order; it cannot tell whether the inputs are these.",
        f"The fused values have {units}: look at them, measure nothing in them.",
    ]
    if covered < 1:
        share = 100 * (1 - covered)
        warnings.append(f"In {share:.0f} % of the body an input is missing; what is shown there is unreliable.")
    return warnings


def check_inputs(card: ModelCard, count: int) -> None:
    """Raise InputError unless the model takes so many volumes."""
    inputs = card.domains.source.inputs
    if not inputs:
        raise InputError(f"The model {card.name} takes one volume, not several; use it with sst translate.")
    if len(inputs) != count:
        listed = ", ".join(part.name for part in inputs)
        raise InputError(f"The model {card.name} takes {len(inputs)} volumes ({listed}), not {count}.")
