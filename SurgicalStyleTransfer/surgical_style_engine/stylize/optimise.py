"""Changing one picture until content and style fit: L-BFGS or Adam on its pixels, from coarse to fine."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch.nn import functional as F

from surgical_style_engine.common.thresholds import SMALLEST_STYLE_PICTURE
from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.models.style_settings import StyleSettings

from .losses import Objective, StyleTarget

SCALES = (4, 2, 1)  # by how much smaller the picture is, in the order of work
SHARES = {4: 0.34, 2: 0.23, 1: 0.43}  # of the steps; a step at a fourth of the size costs a sixteenth
SEED = 0.7  # of the picture's own strokes, laid over what a scale begins from
HISTORY = 20
FIRST_MOVE = 0.02  # mean change of a pixel that the first step of L-BFGS tries
ADAM_RATE = 0.03


@dataclass
class Outcome:
    """What came of an optimisation.

    Attributes:
        image: (1, 1 or 3, h, w) in [0, 1].
        terms: The objective's, at full size.
        curve: (scale, total) of every step.
    """

    image: torch.Tensor
    terms: dict[str, float]
    curve: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class Task:
    """One picture to be made.

    Attributes:
        content: (1, 1 or 3, h, w) in [0, 1]; as many channels come out.
        styles: Gives the style's target by scale (of ``SCALES``).
        change: (1, 1, h, w) in [0, 1], where pixels may change; everywhere if None.
        guide: (1, 1, h, w) in [0, 1], where the style is measured; everywhere if None.
        start: What to begin from; the content if None.
        neighbour: See ``Objective``.
    """

    content: torch.Tensor
    styles: Callable[[int], StyleTarget]
    change: torch.Tensor | None = None
    guide: torch.Tensor | None = None
    start: torch.Tensor | None = None
    neighbour: tuple[torch.Tensor, torch.Tensor] | None = None


def optimise(task: Task, settings: StyleSettings, steps: int, tick: Callable[[int, int], None]) -> Outcome:
    """Change a picture until content and style fit, from coarse to fine.

    Args:
        task: What is to be made.
        settings: Weights, schedule and optimiser.
        steps: Evaluations of the objective in all.
        tick: Called with (steps done, steps) before each; may raise.

    Raises:
        StyleTransferError: If the optimisation diverges.
    """
    plan = scales_and_steps(task.content.shape[-2:], settings.schedule, steps)
    image, before = task.start, None
    curve: list[tuple[int, float]] = []
    terms: dict[str, float] = {}
    for scale, count in plan:
        small = _scaled(task, scale)
        if image is None:
            image = small.content
        elif image.shape[-2:] != small.content.shape[-2:]:
            # What the coarser picture changed is laid over the finer content, so that its detail is not lost.
            changed = image - (before if before is not None else resized(task.content, image.shape[-2:]))
            image = (small.content + resized(changed, small.content.shape[-2:])).clamp(0, 1)
        style = task.styles(scale)
        if settings.schedule == "multiscale":
            # No coarser scale can have made the finest strokes, and they take long to grow from nothing.
            strokes = SEED * style.detail(image.shape[-2:])[:, : image.shape[1]]
            image = (image + (strokes if small.change is None else strokes * small.change)).clamp(0, 1)
        objective = Objective(style, _rgb(small.content), settings, small.guide, small.neighbour)
        tick_here = functools.partial(_tick_after, tick, len(curve), steps)
        image, terms, totals = _descend(objective, image, small.change, settings.optimizer, count, tick_here)
        curve += [(scale, total) for total in totals]
        before = small.content
    assert image is not None, "there is one scale at least"
    return Outcome(image, terms, curve)


def _tick_after(tick: Callable[[int, int], None], before: int, steps: int, count: int) -> None:
    tick(before + count, steps)


def scales_and_steps(size: Sequence[int], schedule: str, steps: int) -> list[tuple[int, int]]:
    """(scale, steps) from coarse to fine; scales at which too little of the picture is left are not used."""
    scales = (
        [scale for scale in SCALES if min(size) // scale >= SMALLEST_STYLE_PICTURE] if schedule == "multiscale" else []
    )
    scales = scales or [1]
    total = sum(SHARES[scale] for scale in scales)
    counts = [max(1, round(steps * SHARES[scale] / total)) for scale in scales]
    counts[-1] = max(1, steps - sum(counts[:-1]))
    return list(zip(scales, counts, strict=True))


def _scaled(task: Task, scale: int) -> Task:
    """The task at a size that is smaller by so much, without a start."""
    size = [side if scale == 1 else max(1, side // scale) for side in task.content.shape[-2:]]

    def fit(image: torch.Tensor | None) -> torch.Tensor | None:
        return None if image is None else resized(image, size)

    neighbour = None
    if task.neighbour is not None:
        neighbour = resized(task.neighbour[0], size), resized(task.neighbour[1], size)
    return Task(resized(task.content, size), task.styles, fit(task.change), fit(task.guide), None, neighbour)


def _descend(
    objective: Objective,
    start: torch.Tensor,
    change: torch.Tensor | None,
    optimizer: str,
    steps: int,
    tick: Callable[[int], None],
) -> tuple[torch.Tensor, dict[str, float], list[float]]:
    """The best image met, its terms, and the total of every step."""
    # torch's L-BFGS begins with a step of |x|_1 = 1, over all pixels together; measured in this unit that is a sensible
    # one, which its line search would else spend several evaluations on finding.
    unit = FIRST_MOVE * start.numel() if optimizer == "lbfgs" else 1.0
    variable = (start.detach() / unit).requires_grad_(True)
    totals: list[float] = []
    best: tuple[torch.Tensor, dict[str, float]] | None = None

    def evaluate() -> torch.Tensor:
        nonlocal best
        tick(len(totals))
        image = variable * unit
        terms = objective(_rgb(image))
        (gradient,) = torch.autograd.grad(terms["total"], variable)
        variable.grad = gradient if change is None else gradient * change
        total = float(terms["total"].detach())
        if total == total and (best is None or total < best[1]["total"]):
            best = image.detach().clone(), {name: float(value.detach()) for name, value in terms.items()}
        totals.append(total)
        return terms["total"].detach()

    if optimizer == "lbfgs":
        # One step is one evaluation, so that a step of either optimiser costs the same.
        torch.optim.LBFGS(
            [variable],
            max_iter=steps,
            max_eval=steps,
            history_size=HISTORY,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        ).step(evaluate)
    else:
        adam = torch.optim.Adam([variable], lr=ADAM_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, max(1, steps), eta_min=ADAM_RATE / 10)
        for _ in range(steps):
            evaluate()
            adam.step()
            schedule.step()
    if best is None:
        raise StyleTransferError("The optimisation diverged from the first step on; lower the weights.")
    return best[0].clamp(0, 1), best[1], totals


def resized(image: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """(n, c, h, w) at another size (h, w), without aliasing; the image itself where it has that size."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    return F.interpolate(image, size=tuple(size), mode="bilinear", antialias=True)


def _rgb(image: torch.Tensor) -> torch.Tensor:
    return image if image.shape[1] == 3 else image.expand(-1, 3, -1, -1)
