"""The methods that are compared: each gives a transform from points of the fixed volume to points of the moving one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.app.through import register_case as case_by_case
from surgical_style_engine.app.through.register_case import RegisterCase, register_case
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.models.folder import StyleModel, load_model
from surgical_style_engine.volumes.registration import register, search
from surgical_style_engine.volumes.registration.similarity import mutual_information
from surgical_style_engine.volumes.registration.transforms import LinearTransform

from .bspline import refine_bspline
from .tries import Made, Points, Try

MODELS = {"T2w": "brain-mr-t1w-t2w", "FLAIR": "brain-mr-t1w-flair"}  # by what is not T1w
TURNED_DEG = 22.0  # of further starts about each axis, as ``same_contrast.starts`` has them
Outcome = tuple[Points, dict]


def by_mutual_information(one: Try, made: Made, models: Path) -> Outcome:
    """``sst register``; for deformations with B-splines on top, which it does not have."""
    if one.sought == "rigid":
        return _outcome(RegisterCase(made.fixed, made.moving))
    rigid = register.register_rigid(made.fixed, made.moving)
    levels = [search.pyramid(register.float_image(each, "")) for each in (made.fixed, made.moving)]
    transform, _ = refine_bspline(*levels, rigid.transform, None)
    return points_under(transform), {"start": rigid.initializer}


def by_more_starts(one: Try, made: Made, models: Path) -> Outcome:
    """The same from as many starts as the registration through a translation has."""
    with _as_many_starts():
        return _outcome(RegisterCase(made.fixed, made.moving))


def through_translation(one: Try, made: Made, models: Path) -> Outcome:
    """``sst register --through``."""
    name = MODELS[one.fixed if one.moving == "T1w" else one.moving]
    options = RunOptions(device="cpu", backend="torch", precision="fp32")
    model = _model(models / one.fold / name if one.fold else Path(name))
    return _outcome(RegisterCase(made.fixed, made.moving, model, one.sought, options=options))


def without_last_step(one: Try, made: Made, models: Path) -> Outcome:
    """The same without the step by mutual information at its end."""
    once = case_by_case.with_last_step
    case_by_case.with_last_step = lambda fixed, moving, by, *_: by
    try:
        return through_translation(one, made, models)
    finally:
        case_by_case.with_last_step = once


METHODS = {
    "mutual information": by_mutual_information,
    "through translation": through_translation,
    "mutual information, more starts": by_more_starts,
    "through translation, without the last step": without_last_step,
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
    """The search by mutual information, from turned starts too."""
    once = register.best_start
    register.best_start = _best_of_turned
    try:
        yield
    finally:
        register.best_start = once


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
