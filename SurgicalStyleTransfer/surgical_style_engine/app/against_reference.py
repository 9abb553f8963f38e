"""Images of one case against its registered reference: delivered, of the network, and two floors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics.reference import mae, reference_metrics
from surgical_style_engine.models.card import Domain
from surgical_style_engine.volumes.histogram_matching import histogram_match
from surgical_style_engine.volumes.volume import Volume

FLOORS_NOTE = (
    "Floors: 'input' is the input itself, 'histogram_matched' the input with its histogram matched to the reference's "
    "inside the mask (it is told the answer's histogram, so it is a generous floor)."
)


class ReferenceComparison:
    """Compares normalised images of a case with its reference: MAE, PSNR, SSIM and MS-SSIM.

    CT is compared in HU, the reference clipped to the model's window. The units of MR are arbitrary and differ from
    scan to scan, so there the reference is normalised by landmarks of its own, exactly as the training does: nothing
    is fitted to the reference, errors of brightness and contrast count in full. The MAE is also given in the
    reference's own units, through the inverse of its normalisation.
    """

    def __init__(self, reference: Volume, domain: Domain, region: np.ndarray, slice_axis: int) -> None:
        """Prepare a comparison.

        Args:
            reference: the real image, on the input's grid.
            domain: the domain that the translation ends in.
            region: bool (z, y, x), where to compare; the reference has voxels all over it.
            slice_axis: 0, 1 or 2 for z, y, x: the axis across which metrics slice by slice are taken.
        """
        self._landmarks = domain.normalization.fit(reference.array)
        self._in_hu = self._landmarks.kind == "hu_window"
        self.normalized = self._landmarks.forward(reference.array)
        self._target = self._shown(self.normalized)
        self._region, self._axis = region, slice_axis

    @property
    def compared_in(self) -> str:
        """The units that metrics are taken in: "HU" or "normalised"."""
        return "HU" if self._in_hu else "normalised"

    def metrics(self, image: np.ndarray) -> dict[str, Any]:
        """Metrics of a normalised image (c, z, y, x).

        Returns:
            mae (reference's units), mae_normalised, psnr (dB), psnr_range [low, high] (0.5 and 99.5 percentile of the
            reference inside the region, in the units compared in), ssim, ms_ssim, and slices of them.

        Raises:
            InputError: for an image of another number of channels.
        """
        if image.shape != self.normalized.shape:
            raise InputError("The reference has other channels than the translation.")
        return self._metrics(self._shown(image))

    def with_floors(self, delivered: np.ndarray, source: np.ndarray) -> dict[str, Any]:
        """Metrics of the delivered image as a report holds them.

        Args:
            delivered: the image that is judged, normalised, (c, z, y, x).
            source: the input on the same scale, for the floors.

        Returns:
            compared_in, all of ``metrics``, floors {input, histogram_matched} without slices, floors_note.
        """
        entry = self.metrics(delivered)
        slices = entry.pop("slices")
        floors = {name: without_slices(self.metrics(image)) for name, image in self.floors(source).items()}
        return {
            "compared_in": self.compared_in,
            **entry,
            "floors": floors,
            "floors_note": FLOORS_NOTE,
            "slices": {key: rounded(values) for key, values in slices.items()},
        }

    def floors(self, source: np.ndarray) -> dict[str, np.ndarray]:
        """What a translation has to beat, by name, made of the input on its scale, (c, z, y, x)."""
        if source.shape != self.normalized.shape:
            raise InputError("The reference has other channels than the translation.")
        matched = histogram_match(source, self.normalized, self._region, self._region)
        return {"input": source, "histogram_matched": matched}

    def _shown(self, normalized: np.ndarray) -> np.ndarray:
        return self._landmarks.inverse(normalized) if self._in_hu else normalized

    def _metrics(self, image: np.ndarray) -> dict[str, Any]:
        metrics = reference_metrics(image, self._target, self._region, slice_axis=self._axis)
        if self._in_hu:
            forward = self._landmarks.forward
            metrics["mae_normalised"] = mae(forward(image), forward(self._target), self._region)
        else:
            metrics["mae_normalised"] = metrics["mae"]
            inverse = self._landmarks.inverse
            metrics["mae"] = mae(inverse(image), inverse(self._target), self._region)
        return metrics


def without_slices(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics without their values slice by slice."""
    return {key: value for key, value in metrics.items() if key != "slices"}


def rounded(values: Any) -> list[float | None]:
    """A list for JSON: numbers rounded to 6 digits, None where there is none."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in np.asarray(values, float)]
