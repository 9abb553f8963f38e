"""Bring one scan into the look of others, without training: bias field removed, tissues moved to the look's levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgical_style_engine.common.thresholds import HU_BELOW
from surgical_style_engine.errors import MisfitError
from surgical_style_engine.volumes.recognise.kinds import CONTRASTS, same_family
from surgical_style_engine.volumes.recognise.verdict import Verdict, recognise
from surgical_style_engine.volumes.tissues.landmarks import EXPECTED, Landmarks, measure
from surgical_style_engine.volumes.volume import Volume

from .curve import ToneCurve, curve_between
from .look import Look

UNUSUAL_SHARE = 0.03  # of the brain: a class that is smaller is vessels or fat rather than a tissue


@dataclass(frozen=True, eq=False)
class Harmonised:
    """A scan in another look.

    Attributes:
        volume: on the scan's grid, float32, in the look's units.
        before: the tissues of the scan as it came.
        curve: what was done to its grey values.
        warnings: sentences on what may be wrong.
    """

    volume: Volume
    before: Landmarks
    curve: ToneCurve
    warnings: list[str]


def kind_to_harmonise(volume: Volume) -> tuple[str, bool]:
    """What contrast of the head a volume is, and whether it shows the brain alone.

    Raises:
        MisfitError: for anything but T1w, T2w and FLAIR of the head, with what it is taken for.
    """
    verdict = recognise(volume)
    name = volume.name or "The volume"
    if volume.channels != 1 or volume.is_2d:
        raise MisfitError(f"{name}: a scalar MR volume is harmonised, not a picture.")
    if verdict.modality == "CT" or float(volume.array.min()) < HU_BELOW:
        raise MisfitError(f"{name} is CT: Hounsfield units mean the same on every scanner; nothing is to be done.")
    kind = verdict.kind if verdict.kind in CONTRASTS else verdict.look.kind
    if kind not in CONTRASTS:
        raise MisfitError(f"{name} is not known to be T1w, T2w or FLAIR of a head ({verdict.sentence().rstrip('.')}).")
    return kind, bool(brain_alone(verdict, volume))


def brain_alone(verdict: Verdict, volume: Volume) -> bool:
    """Whether there is a brain alone; where voxels do not tell, whether a third of them is exactly of one value."""
    if verdict.extracted is not None:
        return verdict.extracted
    array = volume.array[0]
    return bool(np.count_nonzero(array == array.min()) > 0.3 * array.size)


def harmonise_volume(volume: Volume, look: Look, kind: str = "", extracted: bool | None = None) -> Harmonised:
    """Bring a scan into a look.

    Geometry is untouched; every grey value becomes another by one increasing curve, once the bias field is divided out.
    So nothing can appear or vanish, and which of two voxels is brighter changes with the bias field only.

    Args:
        volume: scalar MR of a head.
        look: of the same contrast.
        kind: its contrast; recognised if "".
        extracted: whether it shows the brain alone; recognised if None.

    Returns:
        The scan in the look.

    Raises:
        MisfitError: for another contrast than the look's.
        InputError: where the tissues are not found.
    """
    if not kind or extracted is None:
        recognised, alone = kind_to_harmonise(volume)
        kind, extracted = kind or recognised, alone if extracted is None else extracted
    name = volume.name or "The volume"
    if not same_family(kind, look.kind):
        raise MisfitError(f"{name} is {kind}, the look '{look.name}' is of {look.kind} scans; use sst translate first.")
    before, flat, _ = measure(volume, kind, extracted)
    curve, bounded = curve_between(before.levels, look.levels, EXPECTED[look.kind].anchor, before.floor)
    warnings = []
    if bounded:
        warnings.append(
            "Its contrast between tissues differs more than fourfold from the look's: not all of them reach it."
        )
    if before.shares.min() < UNUSUAL_SHARE:
        warnings.append("One of its tissues is hardly there: its grey values may be matched to the wrong one.")
    return Harmonised(flat.with_array(curve(flat.array)), before, curve, warnings)
