"""Settings by hardware: which network, patches and batches a device can train within a budget. Imports no torch.

A preset is a ladder of settings, the best first: the first that sees enough images within the budget is taken. What was
given is never changed, and where a part of a group was given (``NETWORK``, ``PATCHES``) the whole group stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, Literal, get_args

Kind = Literal["auto", "cpu", "gpu", "article", "none"]
KINDS: tuple[str, ...] = get_args(Kind)
Settings = dict[str, Any]

NETWORK = ("generator", "generator_settings", "ngf", "n_blocks")
PATCHES = ("patch_size", "batch_size")
SMALL_PATCH = 128  # pixels; a smaller one sees too little of a head at 1 mm

_BILATERAL: dict[str, list[Settings]] = {
    "cpu": [
        {"generator_settings": {"features": 24, "bins": 12, "detail": 16}, "patch_size": 192, "batch_size": 2},
        {"generator_settings": {"features": 16, "bins": 12, "detail": 8}, "patch_size": 160, "batch_size": 2},
        {"generator_settings": {"features": 16, "bins": 12, "detail": 0}, "patch_size": 128, "batch_size": 2},
    ],
    "gpu": [
        {"generator_settings": {"features": 32, "bins": 16, "detail": 32}, "patch_size": 256, "batch_size": 8},
        {"generator_settings": {"features": 24, "bins": 12, "detail": 16}, "patch_size": 192, "batch_size": 4},
    ],
}
_RESNET: dict[str, list[Settings]] = {
    "cpu": [
        {"ngf": 32, "n_blocks": 6, "patch_size": 192, "batch_size": 1},
        {"ngf": 32, "n_blocks": 4, "patch_size": 128, "batch_size": 1},
        {"ngf": 16, "n_blocks": 4, "patch_size": 128, "batch_size": 1},
    ],
    "gpu": [
        {"ngf": 64, "n_blocks": 9, "patch_size": 256, "batch_size": 2},
        {"ngf": 32, "n_blocks": 6, "patch_size": 256, "batch_size": 2},
        {"ngf": 32, "n_blocks": 6, "patch_size": 192, "batch_size": 2},
    ],
}
STACK = {"stack": 3}
# How the figures of docs/training.md on pairs were reached (Testing/benchmarks/quality); with the bilateral generator.
PAIRED_RECIPE: Settings = {
    "learning_rate": 1e-3,
    "beta1": 0.9,
    "beta2": 0.99,
    "weight_decay": 0.01,
    "constant_fraction": 0.7,
    "lambda_adversarial": 0.0,
    "lambda_ssim": 0.3,
    "lambda_sharpness": 0.5,
}
MR_RECIPE: Settings = {"randomise": "strong"}
# All that a preset may set, which a resumed run takes from its beginning.
CHOSEN = (*NETWORK, *PATCHES, *STACK, *PAIRED_RECIPE, *MR_RECIPE, "workers")


def ladder(kind: str, given: Collection[str], bilateral: bool, recipe: Settings, processors: int) -> list[Settings]:
    """The settings to choose from, the best first.

    Args:
        kind: cpu, gpu or article.
        given: names of settings that are not to be changed.
        bilateral: whether the bilateral generator fits method and images.
        recipe: further settings that go with that generator.
        processors: that the machine has.

    Returns:
        At least one table of settings without any of ``given``; the last needs least time an image.

    >>> ladder("cpu", ["ngf"], True, {}, 2)
    [{'patch_size': 192, 'batch_size': 1}, {'patch_size': 128, 'batch_size': 1}]
    """
    if kind == "article":
        return [{}]
    steps: list[Settings]
    free_network = not set(NETWORK) & set(given)
    if not free_network:
        steps = [{"patch_size": size, "batch_size": 1} for size in (192, SMALL_PATCH)]
        steps = steps if kind == "cpu" else [{"patch_size": 256, "batch_size": 2}, *steps]
    elif bilateral:
        steps = [{"generator": "bilateral", **STACK, **recipe, **settings} for settings in _BILATERAL[kind]]
    else:
        steps = [{"generator": "resnet", **settings} for settings in _RESNET[kind]]
    if kind == "gpu":
        # One process that prepares images cannot keep up with a GPU.
        steps = [{**settings, "workers": min(8, max(0, processors - 1))} for settings in steps]
    fixed = set(given) | (set(PATCHES) if set(PATCHES) & set(given) else set())
    steps = [{name: value for name, value in settings.items() if name not in fixed} for settings in steps]
    return [settings for number, settings in enumerate(steps) if settings not in steps[:number]]


def images_within(
    minutes: float | None, steps: int | None, images_a_step: int, seconds_an_image: float | None
) -> float | None:
    """Images that a training sees within its budget, None where its speed is not known and minutes limit it.

    Args:
        minutes: of the budget, or None.
        steps: of the budget, or None.
        images_a_step: of all processes.
        seconds_an_image: of training, or None.

    >>> images_within(10, None, 2, 0.5)
    1200.0
    """
    counts = []
    if steps is not None:
        counts.append(float(steps * images_a_step))
    if minutes is not None and seconds_an_image is not None:
        counts.append(60 * minutes / seconds_an_image)
    return min(counts) if counts else None


def rounded(count: float) -> str:
    """A number of images as one says it: two digits, with commas.

    >>> rounded(31234), rounded(3)
    ('31,000', '3')
    """
    digits = 10 ** max(0, math.floor(math.log10(max(count, 1))) - 1)
    return f"{round(count / digits) * digits:,}"


def too_few_sentence(images: float, useful: int, budget: str, lighter: list[str]) -> str:
    """What is said before a run that cannot become useful.

    Args:
        images: that it sees.
        useful: how many it should see.
        budget: that would do, such as "--max-minutes 60".
        lighter: options that need less time an image.
    """
    ways = " or ".join([f"give {budget}", *lighter])
    few, enough = rounded(images), f"{useful:,}"
    return f"Warning: about {few} images are too few for a useful model, which takes {enough} or more; {ways}."


def too_few_limit(images: int, useful: int) -> str:
    """The same in the card of a model that was trained all the same; empty where it has seen enough.

    >>> too_few_limit(20_000, 20_000)
    ''
    """
    if images >= useful:
        return ""
    return (
        f"Trained on {images:,} image{'s' * (images != 1)}, where a useful model takes {useful:,} or more: "
        "good for trying out, not for use."
    )
