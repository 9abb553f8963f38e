"""The methods that are compared: each gives a transform from points of the fixed volume to points of the moving one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.app.through.register_case import RegisterCase, register_case
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.models.folder import StyleModel, load_model
from surgical_style_engine.volumes.registration import register, search
from surgical_style_engine.volumes.registration.alike.images import shrunk
from surgical_style_engine.volumes.registration.similarity import mutual_information
from surgical_style_engine.volumes.registration.transforms import LinearTransform

from .bspline import refine_bspline
from .tries import Made, Points, Try

MODELS = {"T2w": "brain-mr-t1w-t2w", "FLAIR": "brain-mr-t1w-flair"}  # by what is not T1w
TURNED_DEG = 22.0  # of further starts about each axis, as ``same_contrast.starts`` has them
Outcome = tuple[Points, dict]


def by_mutual_information(one: Try, made: Made, models: Path) -> Outcome:
    """``sst register``; for deformations with B-splines on top, which it does not have."""
    if one.kind == "rigid":
        return _outcome(RegisterCase(made.fixed, made.moving))
    rigid = register.register_rigid(made.fixed, made.moving)
    levels = [search.pyramid(register.float_image(each, "")) for each in (made.fixed, made.moving)]
    transform, _ = refine_bspline(*levels, rigid.transform, None)
    return points_under(transform), {"start": rigid.initializer}


def by_more_starts(one: Try, made: Made, models: Path) -> Outcome:
    """The same from as many starts as the registration through a translation has, and with a pyramid in its place."""
    with _as_many_starts():
        return _outcome(RegisterCase(made.fixed, made.moving))


def through_translation(one: Try, made: Made, models: Path) -> Outcome:
    """``sst register --through``."""
    name = MODELS[one.fixed if one.moving == "T1w" else one.moving]
    options = RunOptions(device="cpu", backend="torch", precision="fp32")
    model = _model(models / one.fold / name if one.fold else Path(name))
    return _outcome(RegisterCase(made.fixed, made.moving, model, one.kind, options=options))


METHODS = {
    "mutual information": by_mutual_information,
    "through translation": through_translation,
    "mutual information, more starts": by_more_starts,
}


@cache
def _model(folder: Path) -> StyleModel:
    return load_model(str(folder))


def _outcome(case: RegisterCase) -> Outcome:
    registered = register_case(case)
    notes = {
        "by": registered.by,
        "translated": registered.way and registered.way.translated,
        "verdict": registered.verdict and registered.verdict["level"],
        "start": registered.result.initializer,
        "found_common": registered.result.found_common,
        "transform": registered.result.kind,
    }
    return points_under(registered.result.transform), notes


def points_under(transform: sitk.Transform) -> Points:
    """Where a transform takes points (n, 3)."""
    return lambda points: np.array([transform.TransformPoint(point.tolist()) for point in points])


@contextlib.contextmanager
def _as_many_starts() -> Iterator[None]:
    """The search by mutual information, from turned starts too, on levels that lie exactly where they say."""
    once, levels = register.best_start, register.pyramid

    def pyramid(image: sitk.Image, grids_mm: tuple[float, ...] = search.LEVELS_MM) -> list[sitk.Image]:
        return [shrunk(image, grid_mm) for grid_mm in grids_mm]

    register.best_start, register.pyramid = _best_of_turned, pyramid
    try:
        yield
    finally:
        register.best_start, register.pyramid = once, levels


def _best_of_turned(fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image | None) -> tuple[LinearTransform, str]:
    """The start that mutual information leads furthest from, on the coarsest level."""
    begun, name = search.best_start(fixed, moving, mask)
    tried = []
    for axis in (None, 0, 1, 2):
        for sign in (-1, 1) if axis is not None else (1,):
            start = sitk.VersorRigid3DTransform(begun)
            if axis is not None:
                turn = sitk.VersorRigid3DTransform()
                turn.SetRotation([float(k == axis) for k in range(3)], sign * float(np.radians(TURNED_DEG)))
                start.SetMatrix(turn.GetMatrix())
            # The first level of ``refine_rigid`` alone.
            found, _ = search.refine_rigid([fixed], [moving], start, mask, None)
            tried.append((mutual_information(fixed, moving, found, mask), found))
    return max(tried, key=lambda entry: entry[0])[1], f"{name}, turned"
