"""Optimisation-based style transfer of a volume (Gatys, Ecker & Bethge, CVPR 2016), through the volume pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.inference.result import Translation
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.importers.picture import style_card
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.volumes.normalization import HUWindow
from surgical_style_engine.volumes.volume import Volume, check_volume

from .runner import StyleImageRunner


@dataclass
class Stylization:
    """A finished run. translation: as of any style. figures: see ``StyleImageRunner.outcome``, with
    ``flicker_independent`` where that was compared. model: the style as a model without a folder."""

    translation: Translation
    figures: dict[str, Any]
    model: StyleModel


def stylize_volume(
    volume: Volume,
    picture: np.ndarray,
    settings: StyleSettings | None = None,
    *,
    style_name: str = "style picture",
    planes: Sequence[str] | None = None,
    window: tuple[float, float] | None = None,
    strength: float = 1.0,
    mask: Volume | None = None,
    device: str = "auto",
    features_file: Path | None = None,
    compare_independent: bool = False,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Stylization:
    """Give a volume, or a plane picture, the style of a picture (3, h, w) in [0, 1]; see ``picture.read_picture``.

    Colour "rgb" gives three channels of 0 to 255, "luminance" one in the input's units and range. window: values of the
    input that become black and white, instead of a robust range. strength, mask, progress, cancelled: as in
    ``translate_volume``; cancelling takes effect between two steps. compare_independent: also run every slice by
    itself, to tell by how much the neighbours' results reduce flicker (takes several times as long).
    Raises InputError and Cancelled as ``translate_volume`` does.
    """
    settings = settings or StyleSettings()
    check_volume(volume)
    modality = volume.metadata.get("Modality", "")
    normalization = None if window is None else _window(*window)
    card = style_card(
        settings,
        style_name=style_name,
        source_name=modality or ("picture" if volume.is_2d else "volume"),
        channels=volume.channels,
        normalization=normalization,
        title=f"In the style of {style_name}",
    )
    model = StyleModel(card, Path())
    options = {"planes": planes, "cancelled": cancelled}
    runner = StyleImageRunner(picture, settings, device, features_file=features_file)
    translation = translate_volume(
        volume, model, strength=strength, mask=mask, progress=progress, runner=runner, **options
    )
    figures = runner.outcome()
    if compare_independent and figures.get("flicker") is not None:
        single = settings.model_copy(update={"independent": True})
        other = StyleImageRunner(picture, single, device, features_file=features_file)
        translate_volume(volume, model, progress=progress, runner=other, **options)
        figures["flicker_independent"] = other.outcome()["flicker"]
    return Stylization(translation, figures, model)


def _window(lower: float, upper: float) -> HUWindow:
    from surgical_style_engine.errors import InputError

    if not (np.isfinite([lower, upper]).all() and upper > lower):
        raise InputError(f"The window must ascend, not go from {lower:g} to {upper:g}.")
    return HUWindow(lower=lower, upper=upper)
