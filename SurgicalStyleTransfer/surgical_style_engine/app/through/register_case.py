"""Lay one volume over another: by mutual information, or through a translation where that is trusted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.registration import RegistrationResult, register_affine, register_rigid
from surgical_style_engine.volumes.registration.alike import KINDS
from surgical_style_engine.volumes.registration.alike.register import Weighed, register_same_contrast
from surgical_style_engine.volumes.registration.delivered import delivered
from surgical_style_engine.volumes.registration.last_step import with_last_step
from surgical_style_engine.volumes.volume import Volume

from .translated import Translated, as_it_is, translated_for
from .ways import Way, ways_of

if TYPE_CHECKING:
    import SimpleITK as sitk

MUTUAL_INFORMATION, THROUGH = "mutual information", "translation"
NEEDS_MODEL = "A deformable registration goes through a translation: name a model for it."
NEGLIGIBLE = 1e-3  # times the weight of what lies outside of a region


@dataclass(frozen=True, eq=False)
class RegisterCase:
    """What is asked for.

    Attributes:
        fixed: Scalar 3-D, whose grid the result gets.
        moving: Scalar 3-D of the same patient.
        model: Through whose translation; None for mutual information alone.
        kind: "rigid", "affine" or "deformable".
        region: Bool (z, y, x) on the fixed grid, what counts; everywhere if None.
        options: How the network is run; its progress is not told of.
        stage: Told what is done next, in a word: "translate", "register".
    """

    fixed: Volume
    moving: Volume
    model: StyleModel | None = None
    kind: str = "rigid"
    region: np.ndarray | None = None
    options: RunOptions = field(default_factory=RunOptions)
    stage: Callable[[str], None] = lambda text: None


@dataclass(frozen=True, eq=False)
class RegisteredCase:
    """What came of it.

    Attributes:
        result: The transform, and the moving volume on the fixed grid.
        by: MUTUAL_INFORMATION or THROUGH.
        way: The translation that it went through; None without.
        displacement: u of a deformation x -> linear(x + u(x)), a vector image in mm LPS; else None.
        linear: The rigid or affine part of the transform.
        sentence: How it was registered, and where a translation was not trusted, why.
        warnings: Sentences.
        verdict: Level and sentence on the translation; None where none was made.
        seconds: For all of it.
    """

    result: RegistrationResult
    by: str
    way: Way | None
    displacement: sitk.Image | None
    linear: sitk.Transform
    sentence: str
    warnings: list[str]
    verdict: dict[str, str] | None
    seconds: float

    def entry(self) -> dict[str, Any]:
        """For a report."""
        way = None if self.way is None else vars(self.way)
        return {**self.result.figures(), "by": self.by, "through": way, "verdict": self.verdict, "how": self.sentence}


@dataclass(frozen=True, eq=False)
class _Through:
    """A registration through a translation, or why there is none."""

    registered: RegistrationResult | None
    way: Way | None
    displacement: sitk.Image | None
    linear: sitk.Transform | None
    sentence: str
    verdict: dict[str, str] | None


def register_case(case: RegisterCase) -> RegisteredCase:
    """Register two volumes.

    Args:
        case: What is asked for.

    Raises:
        InputError: For what cannot be registered, and another kind.
        OutOfMemoryError, Cancelled: As ``translate_volume`` does.
    """
    begun = time.perf_counter()
    if case.kind not in KINDS:
        raise InputError(f"There is no registration '{case.kind}'; use {', '.join(KINDS)}.")
    if case.kind == "deformable" and case.model is None:
        raise InputError(NEEDS_MODEL)
    through = None if case.model is None else _through(case, case.model)
    if through is not None and through.registered is not None and through.linear is not None:
        return RegisteredCase(
            through.registered,
            THROUGH,
            through.way,
            through.displacement,
            through.linear,
            through.sentence,
            [],
            through.verdict,
            time.perf_counter() - begun,
        )
    case.stage("register")
    result = _by_mutual_information(case)
    sentence, warnings = "Registered by mutual information.", []
    if through is not None:
        stiff = ", rigidly" if case.kind == "deformable" else ""
        sentence = f"Registered by mutual information{stiff}, not through a translation. {through.sentence}"
        warnings = [sentence]
    verdict = None if through is None else through.verdict
    seconds = time.perf_counter() - begun
    return RegisteredCase(
        result, MUTUAL_INFORMATION, None, None, result.transform, sentence, warnings, verdict, seconds
    )


def _by_mutual_information(case: RegisterCase) -> RegistrationResult:
    find = register_affine if case.kind == "affine" else register_rigid
    return find(case.fixed, case.moving, case.region, cancelled=case.options.cancelled)


def _through(case: RegisterCase, model: StyleModel) -> _Through:
    ways, what = ways_of(model, case.fixed, case.moving)
    if not ways:
        return _Through(None, None, None, None, f"{what}.", None)
    first, reasons = None, []
    for way in ways:
        case.stage("translate")
        volume = case.moving if way.translated == "moving" else case.fixed
        translated = translated_for(volume, model, way, case.options)
        verdict = {"level": translated.level, "sentence": translated.sentence}
        first = first or verdict
        if translated.weighed is None:
            reasons.append(f"{way.source} to {way.target}: {translated.sentence}")
            continue
        case.stage("register")
        registered = _register(case, way, translated)
        if registered is not None:
            result, displacement, linear = registered
            how = f"Registered through the translation of the {way.translated} volume ({way.source} to {way.target})"
            return _Through(result, way, displacement, linear, f"{how}; {what}.", verdict)
        reasons.append("Where that leads, the volumes have less in common than as the scanner placed them.")
    return _Through(None, None, None, None, " ".join(reasons), first)


def _register(
    case: RegisterCase, way: Way, translated: Translated
) -> tuple[RegistrationResult, sitk.Image | None, sitk.Transform] | None:
    """(result, displacement, linear part); None where it fits no better than chance or the scanner's coordinates."""
    assert translated.weighed is not None
    if way.translated == "moving":
        fixed, moving = as_it_is(case.fixed), translated.weighed
    else:
        fixed, moving = translated.weighed, as_it_is(case.moving)
    if case.region is not None:
        fixed = _within(fixed, case)
    try:
        fit = register_same_contrast(fixed, moving, case.kind, case.options.cancelled)
        if fit.displacement is None:
            fit = with_last_step(case.fixed, case.moving, fit, case.region, case.options.cancelled)
        result = delivered(case.fixed, case.moving, fit, case.region)
    except InputError:
        return None
    worse = np.isfinite(result.metric_before) and result.metric < result.metric_before
    return None if worse or not result.found_common else (result, fit.displacement, fit.linear)


def _within(fixed: Weighed, case: RegisterCase) -> Weighed:
    """What lies in the region that counts; the rest is only surroundings. Raises InputError where nothing does."""
    from surgical_style_engine.volumes.resampling import resample_like  # noqa: PLC0415 - rarely needed

    assert case.region is not None
    region = case.region[None] if case.region.ndim == 3 else case.region
    labels = case.fixed.with_array(region.astype(np.uint8))
    inside = resample_like(labels, fixed.volume, "nearest", default=0).array[0] > 0
    if not inside.any():
        raise InputError("The registration mask is empty.")
    return replace(fixed, weight=fixed.weight * np.where(inside, 1, np.float32(NEGLIGIBLE)))
