"""The bench: one patient's images, normalised alike, and every figure of a candidate's image of this patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from surgical_style_engine.app.against_reference import ReferenceComparison, without_slices
from surgical_style_engine.common.thresholds import HU_BELOW
from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics.court import edge_offset, judged_values
from surgical_style_engine.metrics.lesions import LedgerCase, lesion_ledger
from surgical_style_engine.metrics.metric import JudgedCase
from surgical_style_engine.models.card import Domain
from surgical_style_engine.volumes.geometry import coarsest_axis
from surgical_style_engine.volumes.normalization import (
    HUWindow,
    LinearLandmarks,
    PercentileLandmarks,
    RobustPercentile,
)
from surgical_style_engine.volumes.volume import Volume

COMPARED = ("psnr", "ssim", "ms_ssim", "mae_normalised")


@dataclass(frozen=True, eq=False)
class Sides:
    """How volumes of both contrasts are normalised: as this project's model says, or by what they show."""

    source: Domain
    target: Domain


def domain_of(volume: Volume, name: str) -> Domain:
    """A domain for a volume that no model's card describes: HU where it goes below -500, else arbitrary units."""
    if float(volume.array.min()) < HU_BELOW:
        window = HUWindow()
        inverse = LinearLandmarks(kind="hu_window", low=window.lower, high=window.upper)
        return Domain(name=name, modality="CT", units="HU", normalization=window, inverse=inverse)
    landmarks = PercentileLandmarks(low=0, high=950, maximum=1000)
    return Domain(name=name, normalization=RobustPercentile(), inverse=landmarks)


class Bench:
    """One patient. Every image of the target contrast is normalised by landmarks of its own, as the real one is.

    Units of MR are arbitrary, so that no candidate may gain by knowing a scale; HU are compared as they are.
    """

    def __init__(
        self, source: Volume, reference: Volume, sides: Sides, region: np.ndarray, lesions: np.ndarray | None = None
    ) -> None:
        """Prepare it.

        Args:
            source: The input.
            reference: The real image, on its grid.
            sides: How both are normalised.
            region: Bool (z, y, x), where everything is judged.
            lesions: Bool (z, y, x), or None.

        Raises:
            InputError: For volumes in colour, and a region that is empty.
        """
        if source.channels != 1 or reference.channels != 1:
            raise InputError(
                f"{source.name or 'A source'} or its reference is in colour; the court judges scalar images."
            )
        if not region.any():
            raise InputError(f"The reference of {source.name or 'a source'} covers nothing of its body.")
        self._target, self._lesions, self.region = sides.target, lesions, region
        self._axis = coarsest_axis(source)
        x, y, z = source.spacing
        self._spacing = (z, y, x)
        self.input = sides.source.normalization.fit(source.array).forward(source.array)
        self._comparison = ReferenceComparison(reference, sides.target, region, self._axis)
        self.real = self._comparison.normalized

    @property
    def compared_in(self) -> str:
        """The units of the comparison: "HU" or "normalised"."""
        return self._comparison.compared_in

    def normalised(self, array: np.ndarray) -> np.ndarray:
        """An image of the target contrast in units, (1, z, y, x), in [-1, 1]."""
        return self._target.normalization.fit(array).forward(array)

    def floors(self) -> dict[str, np.ndarray]:
        """What all have to beat, each (1, z, y, x): the input, its histogram matched, the body in one grey."""
        grey = np.where(self.region, np.median(self.real[0][self.region]), -1)[None].astype(np.float32)
        return {**self._comparison.floors(self.input), "one_grey": grey}

    def real_offset(self) -> float | None:
        """How far the real image's edges lie from the input's, in mm: registration, and what differs by contrast."""
        return edge_offset(self.input[0], self.real[0], self.region, self._spacing).median_mm

    def values(self, image: np.ndarray) -> dict[str, Any]:
        """Every figure of a normalised image (1, z, y, x), None without a value; ``ledger`` where lesions are known."""
        judged = JudgedCase(self.input, image, self.region, self.real, slice_axis=self._axis, spacing=self._spacing)
        compared = without_slices(self._comparison.metrics(image))
        values: dict[str, Any] = {key: _finite(compared[key]) for key in COMPARED}
        values |= {key: _finite(value) for key, value in judged_values(judged).items()}
        if self._lesions is not None:
            values |= self._of_lesions(image)
        return values

    def covered(self, image: np.ndarray, array: np.ndarray, bound: np.ndarray) -> dict[str, float]:
        """How an error map holds: the part of the voxels whose error is within it, and its mean.

        Args:
            image: The candidate's, normalised (1, z, y, x).
            array: The same in its units.
            bound: The largest error to be expected, in the same units; below 0 where there is none.

        Raises:
            InputError: For a map without a bound anywhere in the region.
        """
        landmarks = self._target.normalization.fit(array)
        width = np.maximum(landmarks.forward(array + bound) - image, image - landmarks.forward(array - bound))[0]
        error = np.abs(image - self.real)[0]
        inside = self.region & (bound[0] >= 0)
        if not inside.any():
            raise InputError("An error map has no bound within the region that is judged.")
        return {
            "coverage": float((error[inside] <= width[inside] + 1e-6).mean()),
            "bound": float(width[inside].mean(dtype=np.float64)),
        }

    def _of_lesions(self, image: np.ndarray) -> dict[str, Any]:
        labels = np.asarray(self._lesions)
        case = LedgerCase(image[0], self.real[0], labels, self.region, self._spacing, self._target.name)
        ledger = lesion_ledger(case)
        seen = ledger["found"] + ledger["weakened"]
        visible = seen + ledger["lost"]
        return {
            "lesions_seen": seen / visible if visible else None,
            "lesion_contrast": ledger["contrast_kept"],
            "invented_per_100_ml": ledger["invented_per_100_ml"],
            "ledger": ledger,
        }


def _finite(value: Any) -> float | None:
    """A number for JSON; the PSNR of an identical image, which has none, is 100 dB."""
    if value is None or np.isnan(value):
        return None
    return 100.0 if np.isinf(value) else float(value)
