"""Learned fusion: a model that was trained on several registered modalities makes the target of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.air import flat_background
from surgical_style_engine.inference.translate import translate_normalized
from surgical_style_engine.models.folder import ModelCard, StyleModel
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.file_warnings import file_warnings
from surgical_style_engine.volumes.volume import Volume

from .align import align
from .fuse import REGISTRATION_STEPS, UNITS, Fusion, _check, _mask, _Steps

NETWORK_STEPS = 10


def fuse_learned(
    volumes: Sequence[Volume],
    model: StyleModel,
    *,
    register: str = "auto",
    mask: np.ndarray | Volume | None = None,
    units: str = "reference",
    device: str = "auto",
    precision: str = "auto",
    backend: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Fusion:
    """The model's target made of scalar volumes of one patient, on the grid of the first.

    volumes: in the order of the card's ``domains.source.inputs``; each is normalised by itself, as in training, and
    what lies outside its field of view counts as background. units: "reference" gives the target's units (the range in
    the middle of the training volumes where they are arbitrary), "none" 0 to 1. The rest is as in ``fuse_volumes``.

    Raises InputError for volumes that the model does not take, OutOfMemoryError and Cancelled.
    """
    started = time.monotonic()
    check_inputs(model.card, len(volumes))
    names = _check(volumes, "pyramid", None, None, units)
    origin, goal = model.card.domains.source, model.card.domains.target
    if goal.channels != 1:
        raise InputError(f"The model {model.card.name} makes colour images, which are no fusion.")
    reference = volumes[0]
    steps = _Steps(progress, cancelled, REGISTRATION_STEPS * (len(volumes) - 1) + NETWORK_STEPS)
    steps.go(0)
    body = body_mask(reference) if mask is None else _mask(mask, reference)
    aligned = []
    for volume, name in zip(volumes[1:], names[1:], strict=True):
        aligned.append(align(volume, reference, body, register, name=name, cancelled=cancelled))
        steps.go(REGISTRATION_STEPS * len(aligned))

    arrays = [origin.inputs[0].normalization.fit(reference.array).forward(reference.array[0])]
    covered = np.ones(body.shape, bool)
    warnings = file_warnings(*volumes, mask if isinstance(mask, Volume) else None)
    warnings += [sentence for entry in aligned for sentence in entry.warnings]
    for part, entry, volume in zip(origin.inputs[1:], aligned, volumes[1:], strict=True):
        array = part.normalization.fit(volume.array).forward(entry.volume.array[0])
        arrays.append(np.where(entry.coverage, array, np.float32(-1)))
        covered &= entry.coverage
    stacked = reference.with_array(np.stack(arrays).astype(np.float32))
    before = steps.done
    made = translate_normalized(
        stacked,
        model,
        device=device,
        precision=precision,
        backend=backend,
        cancelled=cancelled,
        progress=lambda done, total: steps.go(before + NETWORK_STEPS * done // total),
    )[0]
    # Outside brain-extracted images there is nothing to make anything of.
    air = flat_background(stacked.array.max(axis=0, keepdims=True))
    if air is not None:
        made[air[0]] = -1
    fused = np.clip((made + 1) / 2, 0, 1)
    array, sentence = fused, "no units, 0 to 1"
    if units == UNITS[0]:
        array = goal.inverse.inverse(made)
        sentence = f"{goal.units or 'the usual range'} of {goal.name}, made by a network, not measured"
    expected = ", ".join(part.name for part in origin.inputs)
    warnings.append(f"The model takes {expected} in this order; it cannot tell whether the inputs are these.")
    warnings.append(f"The fused values have {sentence}: look at them, measure nothing in them.")
    if not covered[body].all():
        share = 100 * float(1 - covered[body].mean())
        warnings.append(f"In {share:.0f} % of the body an input is missing; what is shown there is unreliable.")
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
        warnings=warnings,
    )


def check_inputs(card: ModelCard, count: int) -> None:
    """Raise InputError unless the model takes so many volumes."""
    inputs = card.domains.source.inputs
    if not inputs:
        raise InputError(f"The model {card.name} takes one volume, not several; use it with sst translate.")
    if len(inputs) != count:
        listed = ", ".join(part.name for part in inputs)
        raise InputError(f"The model {card.name} takes {len(inputs)} volumes ({listed}), not {count}.")
