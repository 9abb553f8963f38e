"""Matching a translation to a reference volume: by its histogram, or by mean and standard deviation."""

from __future__ import annotations

from typing import Any

import numpy as np

from surgical_style_engine.common.thresholds import HU_BELOW
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.histogram_matching import histogram_match
from surgical_style_engine.volumes.volume import Volume

CT, UNKNOWN = "CT", ""


def match_to_reference(
    array: np.ndarray,
    region: np.ndarray,
    reference: Volume,
    by: str = "histogram",
    reference_region: np.ndarray | None = None,
) -> np.ndarray:
    """Give an image the distribution of a reference's intensities. The two need neither one grid nor one patient.

    The map holds for every voxel; outside the region, what is as dark as the darkest stays at the reference's darkest.

    Args:
        array: (c, z, y, x); each channel by itself.
        region: bool (z, y, x), inside of which the distribution becomes the reference's.
        reference: with as many channels.
        by: "histogram" takes each quantile to the reference's (SimpleITK's HistogramMatching does the same with few
            levels), "moments" shifts and scales to its mean and standard deviation.
        reference_region: bool (z, y, x) of the reference; its body mask by default.

    Returns:
        (c, z, y, x) float32 in the reference's units.

    Raises:
        InputError: for another number of channels.
    """
    if array.shape[0] != reference.channels:
        raise InputError(f"The reference to match has {reference.channels} channels, the translation {array.shape[0]}.")
    inside = body_mask(reference) if reference_region is None else np.asarray(reference_region, bool)
    result = np.empty(array.shape, np.float32)
    for channel in range(array.shape[0]):
        values, model = array[channel], np.asarray(reference.array[channel], np.float32)
        if by == "moments":
            result[channel] = _moments(values, model, region, inside)
        else:
            result[channel] = histogram_match(values, model, region, inside)
        background = ~region & (values <= values.min() + 1e-3 * np.ptp(values))
        result[channel][background] = model.min()
    return result


def check_units(reference: Volume, units: str) -> None:
    """Refuse to match HU to arbitrary units or the other way round.

    A reference without a modality in its header is taken for HU if it goes below HU_BELOW.

    Args:
        reference: to match.
        units: of the translation; "" are arbitrary ones.

    Raises:
        InputError: where the two differ.
    """
    modality = reference.metadata.get("Modality", UNKNOWN).strip().upper()
    in_hu = modality == CT if modality else float(reference.array.min()) < HU_BELOW
    name = reference.name or "The reference to match"
    if units == "HU" and not in_hu:
        raise InputError(f"{name} is not in HU, but the translation is; HU cannot be matched to arbitrary units.")
    if units != "HU" and in_hu:
        raise InputError(f"{name} is in HU, but the translation is not; arbitrary units cannot be matched to HU.")


def reference_landmarks(reference: Volume, normalization: Any) -> Any:
    """The landmarks that carry normalised intensities into the reference's units."""
    return normalization.fit(reference.array)


def _moments(values: np.ndarray, model: np.ndarray, region: np.ndarray, inside: np.ndarray) -> np.ndarray:
    mine, other = values[region].astype(np.float64), model[inside].astype(np.float64)
    spread = float(mine.std())
    slope = float(other.std()) / spread if spread > 1e-9 else 1.0
    return ((values - mine.mean()) * slope + other.mean()).astype(np.float32)
