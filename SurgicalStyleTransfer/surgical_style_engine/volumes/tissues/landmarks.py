"""What a scan's grey values are, told by its tissues: landmarks that scans of different origin can share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgical_style_engine.common.cancelling import check_cancelled
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.bias_field import flatten_bias
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.recognise.kinds import FLAIR, T1W, T1W_GD, T2W
from surgical_style_engine.volumes.volume import Volume

from .brain import find_brain
from .mixture import Expected, fit_expected, histogram_of

# Tissues from dark to bright.
ORDER = {
    T1W: ("CSF", "grey matter", "white matter"),
    T1W_GD: ("CSF", "grey matter", "white matter"),
    T2W: ("white matter", "grey matter", "CSF"),
    FLAIR: ("CSF", "white matter", "grey matter"),
}
# Rough values, of T1w from the training scans; a hundredth of the voxels is the weight that they have.
_T1W = Expected(2, (0.58, 0.86, 1.0), (0.15, 0.08, 0.05), (0.12, 0.08, 0.05), (0.12, 0.50, 0.38))
EXPECTED = {
    T1W: _T1W,
    T1W_GD: _T1W,
    T2W: Expected(0, (1.0, 1.25, 2.3), (0.1, 0.15, 0.6), (0.10, 0.15, 0.45), (0.40, 0.42, 0.18)),
    # Grey and white matter are one hill: without their shares one of them takes nearly all, or oedema.
    FLAIR: Expected(1, (0.45, 1.0, 1.14), (0.15, 0.06, 0.06), (0.15, 0.08, 0.08), (0.10, 0.42, 0.48), 1.0),
}
AIR_SHARE = 0.2  # of the voxels that are exactly 0: air that somebody set to it
LEAST_GAP = 0.02  # of the brightest class: classes that are nearer to each other are one tissue, split in two

LEAST_RANGE = 0.05  # of the brain's median: what varies less shows no tissues


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The tissues of one scan.

    Attributes:
        floor: intensity of what gives no signal, in the scan's units.
        levels: (3,) mean intensity of each class above the floor, from dark to bright.
        deviations: (3,) within each class.
        shares: (3,) of the brain.
    """

    floor: float
    levels: np.ndarray
    deviations: np.ndarray
    shares: np.ndarray


def measure(volume: Volume, kind: str, extracted: bool) -> tuple[Landmarks, Volume, np.ndarray]:
    """Find the tissues of an MR of the head.

    Args:
        volume: scalar MR of a head.
        kind: its contrast, one of ORDER.
        extracted: whether it shows the brain alone.

    Returns:
        The landmarks; the volume without its bias field, float32, on the same grid; bool (z, y, x) brain.

    Raises:
        InputError: where no brain, no bias field or no three tissues are found; for HU and colours.
        Cancelled: between the steps.
    """
    body = body_mask(volume)
    if not body.any():
        raise InputError(f"{volume.name or 'The volume'} shows no body.")
    check_cancelled()
    flat = flatten_bias(volume, body)
    check_cancelled()
    brain = find_brain(flat, body, extracted)
    check_cancelled()
    values = flat.array[0][brain].astype(np.float64)
    floor = _floor(volume.array[0])
    dark, middle, bright = np.percentile(volume.array[0][brain] - floor, (2, 50, 98))
    if not bright - dark > LEAST_RANGE * middle:
        raise InputError(f"{volume.name or 'The volume'}: its brain is of one grey value.")
    borders, weights = histogram_of(values - floor)
    mixture = fit_expected((borders[:-1] + borders[1:]) / 2, weights, EXPECTED[kind])
    if not mixture.means[0] > 0 or np.diff(mixture.means).min() < LEAST_GAP * mixture.means[-1]:
        raise InputError(f"{volume.name or 'The volume'}: its tissues cannot be told apart by their grey values.")
    return Landmarks(floor, mixture.means, mixture.deviations, mixture.shares), flat, brain


def _floor(array: np.ndarray) -> float:
    """The intensity without signal: 0 where air was set to it, whatever resampling left below; else the lowest."""
    lowest = min(0.0, float(array.min()))
    return 0.0 if lowest and np.count_nonzero(array == 0) > AIR_SHARE * array.size else lowest
