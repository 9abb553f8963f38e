"""The worker's task "fuse": several modalities of one patient in one volume. It needs no network and no torch, unless
the method is a trained one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def fuse(
    volumes: list[dict],
    output: str,
    progress: Callable[[str, int, int], None],
    cancelled: Callable[[], bool],
    method: str = "pyramid",
    weights: list[float] | None = None,
    register: str = "auto",
    quality: bool = True,
    model: str = "",
) -> dict[str, Any]:
    """Fuse volumes, the reference first, into the file ``output``, on the reference's grid.

    method, weights, register: as in ``fuse_volumes``; or "learned" with ``model``, the folder of a model that takes
    these volumes in their order. quality: judge the result too, with ``fusion_quality``.
    Says ``weights`` (sum to 1), ``figures`` ({} where nothing is covered by all), ``moved`` (mm and degrees by which
    each of the others was registered, null where the scanner's coordinates were taken), ``warnings``, ``range``,
    ``seconds`` and ``notes``. Raises InputError and Cancelled; the file is written last.
    """
    from surgical_style_engine.app.report import plain
    from surgical_style_engine.fusion import fuse_learned, fuse_volumes, fusion_quality
    from surgical_style_engine.fusion.notes import fusion_notes, learned_notes

    from .messages import write_array
    from .tasks import _range, _volume

    progress("fuse", 0, 1)
    images = [_volume(message) for message in volumes]
    options: dict[str, Any] = {
        "register": register,
        "cancelled": cancelled,
        "progress": lambda done, total: progress("fuse", done, total),
    }
    if method == "learned":
        from surgical_style_engine.models.folder import load_model

        style = load_model(model)
        fusion, notes = fuse_learned(images, style, **options), learned_notes(style.card)
    else:
        fusion = fuse_volumes(images, method=method, weights=weights, **options)
        notes = fusion_notes(fusion)
    figures: dict[str, Any] = {}
    if quality:
        progress("figures", 0, 1)
        figures = fusion_quality(fusion, cancelled=cancelled)
    moved = [
        entry.registration and [entry.registration.translation_mm, entry.registration.rotation_deg]
        for entry in fusion.aligned
    ]
    write_array(Path(output), fusion.volume.array)
    return {
        "weights": fusion.weights,
        "figures": plain(figures),
        "moved": plain(moved),
        "warnings": fusion.warnings,
        "range": _range(fusion.volume.array),
        "seconds": fusion.seconds,
        "notes": notes,
    }
