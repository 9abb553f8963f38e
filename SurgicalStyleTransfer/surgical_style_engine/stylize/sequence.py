"""The slices of a volume in the style of a picture: each from its neighbour, so that they do not flicker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional as F

from surgical_style_engine.imageio.style_picture import luminance_like
from surgical_style_engine.models.style_settings import TINIEST, StyleSettings
from surgical_style_engine.volumes.body_or_all import find_body

from .features import FeatureNetwork
from .losses import StyleTarget
from .optimise import SCALES, Outcome, Task, optimise, resized

STROKES = 1.4  # the picture's shorter side, in longer sides of a slice, for a brush of 1
RIM = 4  # pixels inside the body's outline where the style is not measured: the filters see air from there
ALIKE = 0.1  # difference of neighbouring contents (of 1) from which on they are different tissue


@dataclass
class Sequence:
    """slices: (c, s, h, w) float32 in [0, 1]. terms: mean over the slices, at full size. curve: of the first slice.
    flicker, flicker_content: mean |difference of neighbours| inside the body, of 1; None for a single slice."""

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
    """content: (1 or 3, s, h, w) in [0, 1]; picture: (3, h', w') in [0, 1]. 3 channels come out, or 1 with the colour
    "luminance".

    network: makes the features for the prepared picture (1, 3, h'', w''). body: bool (s, h, w); found if None. The
    slice with the most body comes first, then its neighbours outwards: each begins from the neighbour's result plus
    what differs in the content, and a term holds it there where the contents agree (Ruder et al., GCPR 2016).
    tick: called with (steps done, steps) of the current slice before every step. finished: after a slice.
    """
    depth, (height, width) = content.shape[1], content.shape[-2:]
    body = find_body(content) if body is None else body
    if not body.any():
        body = np.ones_like(body)
    keep = settings.background == "keep"
    grey = settings.colour == "luminance"
    if grey:
        inside = content.mean(axis=0)[body]
        picture = luminance_like(picture, float(inside.mean()), float(inside.std()))
        content = content.mean(axis=0, keepdims=True)
    padded = _padded(content)
    styles = _targets(picture, network, settings, padded.shape[-2:], device)
    channels = 1 if grey else 3
    made = np.empty((channels, depth, height, width), np.float32)
    order = middle_first(body)
    results: dict[int, torch.Tensor] = {}
    outcomes: list[Outcome] = []
    for place, (index, before) in enumerate(order):
        image = torch.from_numpy(np.ascontiguousarray(padded[:, index]))[None].to(device)
        image = image if image.shape[1] == channels else image.expand(-1, channels, -1, -1)
        change = guide = None
        if keep:
            area = torch.from_numpy(_padded(body[None, index : index + 1].astype(np.float32))[:, 0])[None].to(device)
            change, guide = _soft(area), _eroded(area)
            guide = guide if guide.sum() > 0 else None
        start = neighbour = None
        if before is not None and not settings.independent:
            other = torch.from_numpy(np.ascontiguousarray(padded[:, before]))[None].to(device)
            start = (image + results[before] - other).clamp(0, 1)
            alike = torch.exp(-((image - other).mean(dim=1, keepdim=True) / ALIKE).square())
            neighbour = results[before], alike if change is None else alike * change
        steps = settings.steps if start is None else settings.neighbour_steps
        chosen = settings if start is None else settings.model_copy(update={"schedule": "single"})
        outcome = optimise(Task(image, styles, change, guide, start, neighbour), chosen, steps, tick)
        result = outcome.image if change is None else image + change * (outcome.image - image)
        results[index] = result
        if before is not None:
            results.pop(_used_up(order, place), None)
        outcomes.append(outcome)
        made[:, index] = result[0, :, :height, :width].cpu().numpy()
        finished(1)
    names = sorted({name for outcome in outcomes for name in outcome.terms})
    terms = {
        name: float(np.mean([outcome.terms[name] for outcome in outcomes if name in outcome.terms])) for name in names
    }
    return Sequence(
        made, terms, outcomes[0].curve, flicker(made, body), flicker(content, body), [index for index, _ in order]
    )


def flicker(slices: np.ndarray, body: np.ndarray) -> float | None:
    """Mean |difference of neighbouring slices| of (c, s, h, w) where both have body (s, h, w); None if that is
    nowhere."""
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


def _targets(picture, network, settings, size, device) -> Callable[[int], StyleTarget]:
    """The style's targets by scale, made when first asked for."""
    wanted = settings.brush * STROKES * max(size)
    factor = min(1.0, wanted / min(picture.shape[-2:]))
    shape = tuple(max(TINIEST, round(side * factor)) for side in picture.shape[-2:])
    full = resized(torch.from_numpy(np.ascontiguousarray(picture))[None].float(), shape)
    features = network(full).to(device)
    targets: dict[int, StyleTarget] = {}

    def at(scale: int) -> StyleTarget:
        if scale not in targets:
            small = resized(full, tuple(max(TINIEST // max(SCALES), side // scale) for side in shape))
            targets[scale] = StyleTarget(features, small.to(device), settings.layers)
        return targets[scale]

    return at


def _padded(array: np.ndarray) -> np.ndarray:
    """(..., h, w) with at least TINIEST pixels a side, the far edges repeated."""
    extra = [max(0, TINIEST - side) for side in array.shape[-2:]]
    widths = [(0, 0)] * (array.ndim - 2) + [(0, count) for count in extra]
    return np.pad(array, widths, mode="edge") if any(extra) else array


def _eroded(area: torch.Tensor) -> torch.Tensor:
    return -F.max_pool2d(-area, 2 * RIM + 1, 1, RIM)


def _soft(area: torch.Tensor) -> torch.Tensor:
    """The body with a rim two pixels wide that fades inwards, so that no coloured edge stands against the air."""
    inner = -F.max_pool2d(-area, 3, 1, 1)
    return F.avg_pool2d(F.pad(inner, (1, 1, 1, 1), mode="replicate"), 3, 1) * area
