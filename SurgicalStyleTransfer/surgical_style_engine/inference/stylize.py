"""A volume in the style of a picture, without training (Gatys, Ecker & Bethge, CVPR 2016)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import Unpack

from surgical_style_engine.common.run_options import RunOptions, RunSettings
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.picture_style import style_card
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.stylize.runner import StyleImageRunner
from surgical_style_engine.volumes.normalization import HUWindow
from surgical_style_engine.volumes.volume import Volume, check_volume

from .result import Translation
from .translate import translate_volume


@dataclass
class Stylization:
    """A finished run.

    Attributes:
        translation: As of any style.
        figures: See ``StyleImageRunner.outcome``, with ``flicker_independent`` where that was compared.
        model: The style as a model without a folder.
    """

    translation: Translation
    figures: dict[str, Any]
    model: StyleModel


def stylize_volume(  # noqa: PLR0913 - the style and what is done with the result, one keyword each
    volume: Volume,
    picture: np.ndarray,
    settings: StyleSettings | None = None,
    *,
    style_name: str = "style picture",
    window: tuple[float, float] | None = None,
    strength: float = 1.0,
    mask: Volume | None = None,
    features_file: Path | None = None,
    compare_independent: bool = False,
    options: RunOptions | None = None,
    **run: Unpack[RunSettings],
) -> Stylization:
    """Give a volume, or a plane picture, the style of a picture.

    Args:
        volume: (c, z, y, x) with one or three channels.
        picture: (3, h, w) in [0, 1]; see ``imageio.style_picture.read_picture``.
        settings: Of the optimisation; the usual ones if None. Colour "rgb" gives three channels of 0 to 255,
            "luminance" one in the input's units and range.
        style_name: What the style is called.
        window: Values of the input that become black and white, instead of a robust range.
        strength: 0 is the input, 1 the whole style.
        mask: Labelmap on any grid; outside of it the input stays.
        features_file: A copy of the weights of the features that the settings name.
        compare_independent: Whether every slice is also run by itself, to tell by how much the neighbours' results
            reduce flicker (takes several times as long).
        options: Device, precision, backend, planes, progress and cancelled; cancelling takes effect between two steps.
            The rest has no meaning here.
        **run: Fields of ``RunOptions``, laid over ``options``.

    Raises:
        InputError: As ``translate_volume`` does.
        Cancelled: When cancelled.
    """
    settings, options = settings or StyleSettings(), RunOptions.of(options, run)
    check_volume(volume)
    modality = volume.metadata.get("Modality", "")
    card = style_card(
        settings,
        style_name=style_name,
        source_name=modality or ("picture" if volume.is_2d else "volume"),
        channels=volume.channels,
        normalization=None if window is None else _window(*window),
    )
    model = StyleModel(card, Path())
    machine = (options.device, options.precision, options.backend)
    runner = StyleImageRunner(picture, settings, *machine, features_file=features_file)
    # The runner knows the machine; what else is about networks has no meaning for it.
    options = RunOptions(planes=options.planes, progress=options.progress, cancelled=options.cancelled)
    translation = translate_volume(volume, model, strength=strength, mask=mask, options=replace(options, runner=runner))
    figures = runner.outcome()
    if compare_independent and figures.get("flicker") is not None:
        single = settings.model_copy(update={"independent": True})
        other = StyleImageRunner(picture, single, *machine, features_file=features_file)
        translate_volume(volume, model, options=replace(options, runner=other))
        figures["flicker_independent"] = other.outcome()["flicker"]
    return Stylization(translation, figures, model)


def _window(lower: float, upper: float) -> HUWindow:
    if not (np.isfinite([lower, upper]).all() and upper > lower):
        raise InputError(f"The window must ascend, not go from {lower:g} to {upper:g}.")
    return HUWindow(lower=lower, upper=upper)
