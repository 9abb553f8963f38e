"""The volume pipeline: a volume in, its translation on exactly the same grid out."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from typing_extensions import Unpack

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.common.progress import Counter
from surgical_style_engine.common.run_options import RunOptions, RunSettings
from surgical_style_engine.models.adapted import adapted_sentences
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.picture_style import paints_air
from surgical_style_engine.volumes.volume import Volume, check_volume

from .blend import Blend
from .planes import VolumeRun, planes_for
from .readjust import adjusted
from .request import Request, check_request
from .result import NOTHING, Translation
from .runners import runner_for
from .several.stacked import Beside, stacked, without_common_air
from .suitability import check_suitable, suitability_warnings

LEAST_USEFUL = 0.05  # automatic strength below which a warning says that little was translated


def translate_volume(
    volume: Volume,
    model: StyleModel,
    *,
    direction: str = "forward",
    strength: float = 1.0,
    mask: Volume | None = None,
    adjustments: Adjustments | None = None,
    beside: Sequence[Beside] = (),
    options: RunOptions | None = None,
    **run: Unpack[RunSettings],
) -> Translation:
    """Translate a volume with a model.

    Args:
        volume: (c, z, y, x), any orientation and spacing.
        model: that translates it.
        direction: forward or backward.
        strength: blend of input (0) and translation (1); see ``blend`` for the units.
        mask: labelmap on any grid; outside it the input stays.
        adjustments: what else to do, in the order: flatten the bias (input) -> network (ensemble) -> structure guard
            -> matching -> strength and mask -> output.
        beside: the other inputs of a route of several; what else is asked for is of the first, which is ``volume``.
        options: how to run the network.
        **run: fields of ``RunOptions``, laid over the options.

    Returns:
        The translation, float32 on exactly the input's grid.

    Raises:
        InputError: for unusable volumes and settings.
        OutOfMemoryError: if not even a single slice fits.
        Cancelled: between two batches.
    """
    started = time.monotonic()
    options = RunOptions.of(options, run)
    check_volume(volume)
    model.check_direction(direction)
    misfit = check_suitable(volume, model, direction, options.force, options.strict)
    request = check_request(volume, model, direction, strength, mask, adjustments)
    blend = request.blend(request.flattened())
    planes = planes_for(blend.input, options.planes, model.card)
    runner = _begun_runner(model, direction, options)
    inputs = stacked(blend, beside, model.card, direction) if beside else None
    normalise = blend.landmarks.forward if inputs is None else None
    network = VolumeRun(inputs or blend.input, model.card, blend.target.channels, runner, options, normalise)
    doubts = suitability_warnings(volume, model, direction, blend.landmarks)
    translation = _begun(volume, runner, doubts, blend.flattened)
    translation.warnings += adapted_sentences(model.card)
    translation.misfit = misfit
    if inputs is None and _is_written_directly(request, planes, options):
        translation.volume = volume.with_array(network.written(planes[0], blend.target.inverse.inverse))
    else:
        translation = _averaged(translation, network, planes, request, blend, inputs, options)
    translation.slices = network.counter.total
    translation.warnings += _run_warnings(translation, network.counter, blend, request.adjustments)
    if not options.keep_normalized:
        translation.normalized_input = translation.normalized_output = NOTHING
    translation.seconds = time.monotonic() - started
    return translation


def _averaged(
    translation: Translation,
    network: VolumeRun,
    planes: list[str],
    request: Request,
    blend: Blend,
    inputs: Volume | None,
    options: RunOptions,
) -> Translation:
    """The translation with its normalised arrays, and everything that is done after the network."""
    with_input = inputs is None and (options.keep_normalized or not request.is_plain)
    first, output, spread = network.averaged(planes, request.adjustments.ensemble, with_input)
    if inputs is not None:
        first = blend.landmarks.forward(blend.input.array)
        output = without_common_air(inputs.array, first, output)
    translation.normalized_input, translation.normalized_output = first, output
    translation.disagreement = None if spread is None else blend.volume.with_array(spread)
    return adjusted(translation, blend, request.adjustments)


def translate_normalized(
    normalized: Volume,
    model: StyleModel,
    direction: str = "forward",
    *,
    options: RunOptions | None = None,
    **run: Unpack[RunSettings],
) -> np.ndarray:
    """One pass over a volume whose voxels are normalised already.

    For cycles, where what comes out of one generator goes into the other without a detour through units.

    Args:
        normalized: (c, z, y, x) in [-1, 1].
        model: that translates it.
        direction: forward or backward.
        options: how to run the network.
        **run: fields of ``RunOptions``, laid over the options.

    Returns:
        (channels, z, y, x) float32 in [-1, 1].

    Raises:
        InputError, OutOfMemoryError, Cancelled: as ``translate_volume`` does.
    """
    options = RunOptions.of(options, run)
    planes = planes_for(normalized, options.planes, model.card)
    network = VolumeRun(
        normalized.with_array(normalized.array.astype(np.float32, copy=False)),
        model.card,
        model.card.domain_to(direction).channels,
        runner_for(model, direction, options),
        options,
    )
    return network.averaged(planes, with_input=False)[1]


def _begun_runner(model: StyleModel, direction: str, options: RunOptions) -> Runner:
    """What runs the network, with a run begun."""
    runner = runner_for(model, direction, options)
    runner.begin()
    return runner


def _begun(volume: Volume, runner: Runner, doubts: list[str], flattened: np.ndarray | None) -> Translation:
    """A translation of which nothing is known but what it runs on."""
    return Translation(
        volume=volume,
        normalized_input=NOTHING,
        normalized_output=NOTHING,
        slices=0,
        seconds=0.0,
        device=runner.device,
        precision=runner.precision,
        backend=runner.backend,
        warnings=doubts + runner.warnings,
        flattened=flattened,
        doubts=doubts,
    )


def _is_written_directly(request: Request, planes: list[str], options: RunOptions) -> bool:
    """Whether slices can be written as they come: nothing is averaged, blended, adjusted or kept."""
    one_pass = len(planes) == 1 and not request.adjustments.ensemble
    # What is painted like a picture leaves the air to be found in the whole volume.
    return request.is_plain and one_pass and not options.keep_normalized and not paints_air(request.model.card)


def _run_warnings(translation: Translation, counter: Counter, blend: Blend, adjustments: Adjustments) -> list[str]:
    """What only the run itself has shown."""
    sentences = []
    if translation.misfit is not None and translation.misfit.refusal:
        sentences.append(f"Translated nevertheless, as was asked for: {translation.misfit.refusal}")
    if counter.total == 0:
        sentences.append("No slice holds anything to translate; the output is the input in the target's units.")
    if counter.smallest_batch:
        sentences.append(f"Memory was short; the batch was reduced to {counter.smallest_batch} slices.")
    if translation.mixed:
        sentences.append(blend.mixture_warning)
    least = adjustments.least_consistency
    if least is not None and translation.strength < LEAST_USEFUL:
        sentences.append(
            f"Only a strength of {translation.strength:.2f} keeps a consistency of {least:g}; "
            "the output is all but the input."
        )
    return sentences
