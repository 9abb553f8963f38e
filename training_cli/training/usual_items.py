"""What a model's card keeps of its training volumes' looks, so that an unusual input is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.inference.fit.usual import usual_statistics
from surgical_style_engine.volumes.recognise.network import shipped
from surgical_style_engine.volumes.recognise.voxels import look_at
from surgical_style_engine.volumes.volume import Volume

from .data.items import CachedItem

MOST_ITEMS = 120  # of a domain, evenly spread: a look at one takes a third of a second


def usual_of_items(items: Sequence[CachedItem], pixel_mm: float | None) -> dict[str, Any] | None:
    """Describe a domain's preprocessed volumes by the recogniser's features.

    Args:
        items: of the domain; masked ones count with their whole ones.
        pixel_mm: spacing in plane that they were brought to; 1 if None.

    Returns:
        The entry "usual" of a domain's statistics; None for pictures, and where too few volumes can be looked at.
    """
    step = max(1, -(-len(items) // MOST_ITEMS))
    embeddings, names = [], []
    try:
        digest = shipped().digest
        for item in items[::step]:
            array = item.load()
            if array.shape[0] != 1:
                return None
            pixel = pixel_mm or 1.0
            embedding = look_at(Volume(np.asarray(array, np.float32), (pixel, pixel, item.slice_mm))).embedding
            if embedding is not None:
                embeddings.append(embedding)
                names.append(item.name.removesuffix(" (masked)"))
    except StyleTransferError:
        return None  # without the recogniser's weights a model is none the worse
    return usual_statistics(embeddings, names, digest) if embeddings else None
