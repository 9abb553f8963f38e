"""The slices of a volume in the style of a picture: each from its neighbour, so that they do not flicker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional as F

from surgical_style_engine.common.thresholds import SMALLEST_STYLE_PICTURE
from surgical_style_engine.imageio.style_picture import luminance_like
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.volumes.body_mask import find_body

from .feature_network import FeatureNetwork
from .losses import StyleTarget
from .optimise import SCALES, Outcome, Task, optimise, resized

STROKES = 1.4  # the picture's shorter side, in longer sides of a slice, for a brush of 1
RIM = 4  # pixels inside the body's outline where the style is not measured: the filters see air from there
ALIKE = 0.1  # difference of neighbouring contents (of 1) from which on they are different tissue


@dataclass
class Sequence:
    """What came of the slices of a volume.

    Attributes:
        slices: (c, s, h, w) float32 in [0, 1].
        terms: Of the objective, means over the slices at full size.
        curve: (scale, total) of every step of the first slice.
        flicker: Mean |difference of neighbours| inside the body, of 1; None for a single slice.
        flicker_content: The same of the content.
        order: In which the slices were worked on.
    """

    slices: np.ndarray
    terms: dict[str, float]
    curve: list[tuple[int, float]]
    flicker: float | None
    flicker_content: float | None
    order: list[int] = field(default_factory=list)


def stylize_sequence(
    content: np.ndarray,
    picture: np.ndarray,
    network: Callable[[torch.Tensor], FeatureNetwork],
    settings: StyleSettings,
    *,
    device: torch.device | str = "cpu",
    body: np.ndarray | None = None,
    tick: Callable[[int, int], None] = lambda done, steps: None,
    finished: Callable[[int], None] = lambda count: None,
) -> Sequence:
    """Give slices the style of a picture.

    The slice with the most body comes first, then its neighbours outwards: each begins from the neighbour's result plus
    what differs in the content, and a term holds it there where the contents agree (Ruder et al., GCPR 2016).

    Args:
        content: (1 or 3, s, h, w) in [0, 1].
        picture: (3, h', w') in [0, 1].
        network: Makes the features for the prepared picture (1, 3, h'', w'').
        settings: Of the optimisation.
        device: Torch's.
        body: bool (s, h, w); found if None.
        tick: Called with (steps done, steps) of the current slice before every step; may raise.
        finished: Called with 1 after every slice.

    Returns:
        Slices of three channels, or of one with the colour "luminance".
    """
    body = find_body(content) if body is None else body
    if not body.any():
        body = np.ones_like(body)
    if settings.colour == "luminance":
        content, picture = _in_luminance(content, picture, body)
    work, order = _Slices(content, body, picture, network, settings, device), middle_first(body)
    results: dict[int, torch.Tensor] = {}
    outcomes: list[Outcome] = []
    stylized = np.empty((work.channels, *content.shape[1:]), np.float32)
    for place, (index, before) in enumerate(order):
        task = work.task(index, before, results)
        steps = settings.steps if task.start is None else settings.neighbour_steps
        chosen = settings if task.start is None else settings.model_copy(update={"schedule": "single"})
        outcome = optimise(task, chosen, steps, tick)
        image, change = task.content, task.change
        result = outcome.image if change is None else image + change * (outcome.image - image)
        results[index] = result
        used_up = _used_up(order, place)
        if used_up is not None:
            results.pop(used_up, None)
        outcomes.append(outcome)
        stylized[:, index] = result[0, :, : content.shape[-2], : content.shape[-1]].cpu().numpy()
        finished(1)
    return Sequence(
        slices=stylized,
        terms=_mean_terms(outcomes),
        curve=outcomes[0].curve,
        flicker=flicker(stylized, body),
        flicker_content=flicker(content, body),
        order=[index for index, _ in order],
    )


def _in_luminance(content: np.ndarray, picture: np.ndarray, body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Content (1, s, h, w), and the picture with the content's mean and deviation of luminance."""
    inside = content.mean(axis=0)[body]
    picture = luminance_like(picture, float(inside.mean()), float(inside.std()))
    return content.mean(axis=0, keepdims=True), picture


class _Slices:
    """The slices of a sequence as tasks of the optimisation, on the device."""

    def __init__(
        self,
        content: np.ndarray,
        body: np.ndarray,
        picture: np.ndarray,
        network: Callable[[torch.Tensor], FeatureNetwork],
        settings: StyleSettings,
        device: torch.device | str,
    ) -> None:
        self.channels = 1 if settings.colour == "luminance" else 3
        self._content, self._body, self._settings, self._device = _padded(content), body, settings, device
        self._styles = _targets(picture, network, settings, self._content.shape[-2:], device)

    def task(self, index: int, before: int | None, results: dict[int, torch.Tensor]) -> Task:
        """The task of a slice. before: its neighbour that is done already, whose result is among the results."""
        image = self._slice(index)
        image = image if image.shape[1] == self.channels else image.expand(-1, self.channels, -1, -1)
        change = guide = None
        if self._settings.background == "keep":
            area = _padded(self._body[None, index : index + 1].astype(np.float32))[:, 0]
            there = torch.from_numpy(area)[None].to(self._device)
            change, guide = _soft(there), _eroded(there)
            guide = guide if guide.sum() > 0 else None
        start = neighbour = None
        if before is not None and not self._settings.independent:
            other = self._slice(before)
            start = (image + results[before] - other).clamp(0, 1)
            alike = torch.exp(-((image - other).mean(dim=1, keepdim=True) / ALIKE).square())
            neighbour = results[before], alike if change is None else alike * change
        return Task(image, self._styles, change, guide, start, neighbour)

    def _slice(self, index: int) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(self._content[:, index]))[None].to(self._device)


def _mean_terms(outcomes: list[Outcome]) -> dict[str, float]:
    """Of every term, the mean over the slices that have it."""
    names = sorted({name for outcome in outcomes for name in outcome.terms})
    return {
        name: float(np.mean([outcome.terms[name] for outcome in outcomes if name in outcome.terms])) for name in names
    }


def flicker(slices: np.ndarray, body: np.ndarray) -> float | None:
    """Mean |difference of neighbouring slices| where both have body.

    Args:
        slices: (c, s, h, w).
        body: bool (s, h, w).

    Returns:
        In the slices' units; None where no two neighbours have body in one place.
    """
    both = body[1:] & body[:-1]
    if not both.any():
        return None
    return float(np.abs(np.diff(slices, axis=1)).mean(axis=0)[both].mean())


def middle_first(body: np.ndarray) -> list[tuple[int, int | None]]:
    """(slice, neighbour done before it or None): from the slice with the most body outwards, up and then down."""
    first = int(body.sum(axis=(1, 2)).argmax())
    upwards = [(index, index - 1) for index in range(first + 1, len(body))]
    return [(first, None), *upwards, *((index, index + 1) for index in range(first - 1, -1, -1))]


def _used_up(order: list[tuple[int, int | None]], place: int) -> int | None:
    """The slice that no later one begins from."""
    before = order[place][1]
    return None if any(other == before for _, other in order[place + 1 :]) else before


def _targets(
    picture: np.ndarray,
    network: Callable[[torch.Tensor], FeatureNetwork],
    settings: StyleSettings,
    size: tuple[int, ...],
    device: torch.device | str,
) -> Callable[[int], StyleTarget]:
    """The style's targets by scale for slices of a size (h, w), made when first asked for."""
    shorter_side = settings.brush * STROKES * max(size)
    factor = min(1.0, shorter_side / min(picture.shape[-2:]))
    shape = tuple(max(SMALLEST_STYLE_PICTURE, round(side * factor)) for side in picture.shape[-2:])
    full = resized(torch.from_numpy(np.ascontiguousarray(picture))[None].float(), shape)
    features = network(full).to(device)
    least = SMALLEST_STYLE_PICTURE // max(SCALES)
    targets: dict[int, StyleTarget] = {}

    def at(scale: int) -> StyleTarget:
        if scale not in targets:
            small = resized(full, tuple(max(least, side // scale) for side in shape))
            targets[scale] = StyleTarget(features, small.to(device), settings.layers)
        return targets[scale]

    return at


def _padded(array: np.ndarray) -> np.ndarray:
    """(..., h, w) with at least as many pixels a side as a style picture has, the far edges repeated."""
    extra = [max(0, SMALLEST_STYLE_PICTURE - side) for side in array.shape[-2:]]
    widths = [(0, 0)] * (array.ndim - 2) + [(0, count) for count in extra]
    return np.pad(array, widths, mode="edge") if any(extra) else array


def _eroded(area: torch.Tensor) -> torch.Tensor:
    return -F.max_pool2d(-area, 2 * RIM + 1, 1, RIM)


def _soft(area: torch.Tensor) -> torch.Tensor:
    """The body with a rim two pixels wide that fades inwards, so that no coloured edge stands against the air."""
    inner = -F.max_pool2d(-area, 3, 1, 1)
    return F.avg_pool2d(F.pad(inner, (1, 1, 1, 1), mode="replicate"), 3, 1) * area
