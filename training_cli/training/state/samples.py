"""Sample grids: what the averaged generators make of a few fixed slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.models.card import Direction


@torch.no_grad()
def save_samples(
    path: Path,
    generators: Mapping[Direction, torch.nn.Module],
    batches: Sequence[Mapping[str, torch.Tensor]],
    stack: int,
) -> None:
    """Write a PNG with a row a slice: A, G(A), F(G(A)), B, F(B), G(F(B)); A, G(A), B where there is no way back.

    Args:
        path: of the picture.
        generators: by direction.
        batches: "a" and "b" (n, stack*c, h, w) in [-1, 1]; of each the first image's middle slice is shown.
        stack: slices given to the networks at a time.

    Raises:
        OSError: where it cannot be written, after which no new file is left.
    """
    forward, backward = generators["forward"], generators.get("backward")
    rows = []
    for batch in batches:
        a, b = batch["a"], batch["b"]
        fake_b = forward(a)
        columns = [a, fake_b, b]
        if backward is not None:
            fake_a = backward(b)
            columns = [a, fake_b, backward(fake_b), b, fake_a, forward(fake_a)]
        rows.append(np.concatenate([to_rgb(image[0], stack) for image in columns], axis=1))
    with replacing(path) as temporary:
        Image.fromarray(np.concatenate(rows, axis=0)).save(temporary)


@torch.no_grad()
def save_many_samples(
    path: Path,
    generators: Mapping[Direction, torch.nn.Module],
    batches: Sequence[Mapping[str, torch.Tensor]],
    stack: int,
) -> None:
    """Write a PNG for many domains: a row of what a patient has, under it each domain made of the first one it has.

    Args:
        path: of the picture.
        generators: "forward" is the one for all routes, see ``networks.domain_grid``.
        batches: "clean" (1, domains, stack, h, w) in [-1, 1], "known" (1, domains) which the patient has.
        stack: slices of a domain.

    Raises:
        OSError: where it cannot be written, after which no new file is left.
    """
    network: Any = generators["forward"]
    rows = []
    for batch in batches:
        clean, known = batch["clean"], batch["known"][0]
        first = int(torch.nonzero(known)[0])
        given = torch.tensor([[first]], device=clean.device)
        targets = torch.arange(len(known), device=clean.device)[None]
        result = network.translated(clean[:, first : first + 1], given, targets)[0]
        rows.append(np.concatenate([to_rgb(image, stack) for image in clean[0]], axis=1))
        rows.append(np.concatenate([to_rgb(image.clamp(-1, 1), 1) for image in result], axis=1))
    with replacing(path) as temporary:
        Image.fromarray(np.concatenate(rows, axis=0)).save(temporary)


def to_rgb(image: torch.Tensor, stack: int) -> np.ndarray:
    """(stack*c, h, w) in [-1, 1] -> (h, w, 3) uint8 of the middle slice; of several modalities, the first."""
    channels = image.shape[0] // stack
    middle = image[(stack // 2) * channels : (stack // 2 + 1) * channels].float().cpu().numpy()
    if channels not in (1, 3):
        middle, channels = middle[:1], 1
    picture = np.clip((middle + 1) * 127.5, 0, 255).round().astype(np.uint8)
    return np.repeat(picture, 3, axis=0).transpose(1, 2, 0) if channels == 1 else picture.transpose(1, 2, 0)
