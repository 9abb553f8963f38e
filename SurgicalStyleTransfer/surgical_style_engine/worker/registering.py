"""The task ``register``: one volume laid over another, and its transform as the panel takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from surgical_style_engine.app.report import plain
from surgical_style_engine.app.through.register_case import RegisterCase, register_case
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.registration import NOTHING_COMMON
from surgical_style_engine.volumes.registration.displacement import displacement_along_axes
from surgical_style_engine.volumes.volume import check_volume

from . import schema
from .messages import write_array


def register(
    request: schema.Register,
    model: StyleModel | None,
    progress: Callable[[str, int, int], None],
    cancelled: Callable[[], bool],
) -> dict[str, Any]:
    """Register, and write the moved volume and, of a deformation, its displacement.

    Returns:
        ``matrix`` (4 x 4, points of the fixed volume to points of the moving one, mm LPS); ``displacement``, null or
        the ``spacing`` and ``origin`` (LPS, along the patient's axes) of u in x -> matrix (x + u(x)), whose array
        (z, y, x, 3) is in the file that was named; ``sentence``, ``warnings``, ``figures``, ``kind`` and ``by``.

    Raises:
        InputError: for what cannot be registered, and where nothing common was found.
        Cancelled: once ``cancelled`` says so.
    """
    fixed, moving = request.fixed.read(), request.moving.read()
    check_volume(fixed, request.fixed.title)
    check_volume(moving, request.moving.title)
    registered = register_case(
        RegisterCase(
            fixed,
            moving,
            model,
            request.kind,
            options=RunOptions(device=request.device, precision=request.precision, cancelled=cancelled),
            stage=lambda stage: progress(stage, 0, 1),
        )
    )
    result = registered.result
    if not result.found_common:
        raise InputError(f"{request.moving.title} cannot be laid over {request.fixed.title}: {NOTHING_COMMON}.")
    write_array(request.output, result.moved.array)
    grid = None
    if registered.displacement is not None:
        array, spacing, first = displacement_along_axes(registered.displacement, fixed)
        write_array(request.displacement, array)
        grid = {"spacing": list(spacing), "origin": list(first)}
    matrix = np.eye(4)
    start = np.array(registered.linear.TransformPoint((0.0, 0.0, 0.0)))
    for axis in range(3):
        unit = [float(k == axis) for k in range(3)]
        matrix[:3, axis] = np.array(registered.linear.TransformPoint(unit)) - start
    matrix[:3, 3] = start
    return {
        "matrix": matrix.tolist(),
        "displacement": grid,
        "sentence": registered.sentence,
        "warnings": registered.warnings,
        "figures": plain(registered.entry()),
        "kind": result.kind,
        "by": registered.by,
    }
