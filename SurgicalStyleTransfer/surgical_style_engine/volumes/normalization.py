"""Invertible intensity normalisation between a domain's units and the networks' [-1, 1].

A *specification* (``HUWindow``, ``RobustPercentile``, ``ZScore``, ``RGB``) says how; ``fit`` looks at a volume and
gives *landmarks*: the plain numbers that map it forward and back. Both are stored in model folders as JSON.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from surgical_style_engine.common.plain_reasons import first_fault, shown
from surgical_style_engine.errors import InputError

KNEE = 0.9  # normalised value of the robust maximum; the tail of brighter voxels goes from there to 1
_TABLE = 1 << 16  # values of a table; as many as 16 bits hold
_MOST_VOXELS = 2_000_000  # percentiles of more voxels cost time and change nothing


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LinearLandmarks(_Model):
    """[low, high] <-> [-1, 1]; values outside are clipped (a fixed HU window, 8-bit colour, a clipped z-score)."""

    kind: Literal["hu_window", "rgb", "zscore"]
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> LinearLandmarks:
        if not self.high > self.low:
            raise ValueError("high must be above low")
        return self

    def forward(self, array: np.ndarray) -> np.ndarray:
        """Normalise values in units to float32 in [-1, 1]; same shape."""
        return _by_parts(np.asarray(array), self._forward)

    def _forward(self, array: np.ndarray) -> np.ndarray:
        scaled = (np.asarray(array, np.float32) - np.float32(self.low)) * np.float32(2 / (self.high - self.low)) - 1
        return np.clip(scaled, -1, 1)

    def inverse(self, array: np.ndarray) -> np.ndarray:
        """Bring normalised values back to units; float32, same shape."""
        return _by_parts(np.asarray(array), self._inverse)

    def _inverse(self, array: np.ndarray) -> np.ndarray:
        bounded = np.clip(np.asarray(array, np.float32), -1, 1)
        return (bounded + 1) * np.float32((self.high - self.low) / 2) + np.float32(self.low)


class PercentileLandmarks(_Model):
    """Piecewise linear: [low, high] <-> [-1, KNEE], (high, maximum] <-> (KNEE, 1].

    Invertible from low to maximum, in single precision; values below low or above maximum are clipped.
    """

    kind: Literal["robust_percentile"] = "robust_percentile"
    low: float
    high: float
    maximum: float

    @model_validator(mode="after")
    def _ordered(self) -> PercentileLandmarks:
        if not self.low < self.high < self.maximum:
            raise ValueError("low, high and maximum must ascend")
        return self

    def forward(self, array: np.ndarray) -> np.ndarray:
        """Normalise values in units to float32 in [-1, 1]; same shape."""
        return _interpolate(np.asarray(array), [self.low, self.high, self.maximum], [-1, KNEE, 1])

    def inverse(self, array: np.ndarray) -> np.ndarray:
        """Bring normalised values back to units; float32, same shape."""
        return _interpolate(np.asarray(array), [-1, KNEE, 1], [self.low, self.high, self.maximum])


class HUWindow(_Model):
    """A fixed window of Hounsfield units, the same for every volume; HU stays comparable.

    Example:
        >>> landmarks = HUWindow(lower=-1000, upper=1000).fit(np.zeros(1))
        >>> landmarks.forward(np.array([-2000, 0, 500])).round(3).tolist()
        [-1.0, 0.0, 0.5]
        >>> landmarks.inverse(np.array([0.5])).tolist()
        [500.0]
    """

    kind: Literal["hu_window"] = "hu_window"
    lower: float = -1000.0
    upper: float = 2000.0

    @model_validator(mode="after")
    def _ordered(self) -> HUWindow:
        if not self.upper > self.lower:
            raise ValueError("upper must be above lower")
        return self

    def fit(self, array: np.ndarray) -> LinearLandmarks:
        """Return the landmarks, the same for every array."""
        return LinearLandmarks(kind=self.kind, low=self.lower, high=self.upper)


class RGB(_Model):
    """8-bit colour (or 16-bit, by its type) to [-1, 1]."""

    kind: Literal["rgb"] = "rgb"

    def fit(self, array: np.ndarray) -> LinearLandmarks:
        """Return the landmarks of the array's type; floating point values up to 1 are taken for [0, 1]."""
        high = 65535.0 if array.dtype == np.uint16 else 255.0
        if np.issubdtype(array.dtype, np.floating) and array.size and float(array.max()) <= 1.0:
            high = 1.0
        return LinearLandmarks(kind=self.kind, low=0.0, high=high)


class ZScore(_Model):
    """Mean and standard deviation of the foreground; ``clip`` standard deviations reach -1 and 1."""

    kind: Literal["zscore"] = "zscore"
    clip: float = Field(5.0, ge=0.01, le=1000)

    def fit(self, array: np.ndarray) -> LinearLandmarks:
        """Return the landmarks of an array of any shape."""
        inside = foreground(array)
        mean = float(inside.mean())
        # A constant volume has no deviation; the floor keeps the landmarks apart in single precision too.
        deviation = max(float(inside.std()), 1e-6, abs(mean) * 1e-6)
        return LinearLandmarks(kind=self.kind, low=mean - self.clip * deviation, high=mean + self.clip * deviation)


class RobustPercentile(_Model):
    """For MR, whose units are arbitrary: from the ``lower`` percentile of all to the ``upper`` one of the foreground.

    The few brighter voxels (vessels, fat, spikes) share the top of the range and are not lost.

    Example:
        >>> array = np.concatenate([np.zeros(500), np.linspace(100, 900, 500)]).astype(np.float32)
        >>> landmarks = RobustPercentile().fit(array)
        >>> normalized = landmarks.forward(array)
        >>> float(normalized.min()), float(normalized.max())
        (-1.0, 1.0)
        >>> bool(np.allclose(landmarks.inverse(normalized), array, atol=1e-2))
        True
    """

    kind: Literal["robust_percentile"] = "robust_percentile"
    lower: float = Field(0.1, ge=0, lt=50)
    upper: float = Field(99.5, gt=50, le=100)

    def fit(self, array: np.ndarray) -> PercentileLandmarks:
        """Return the landmarks of an array of any shape."""
        values = _sorted_subsample(array)
        low = _percentile(values, self.lower)
        high = _percentile(_foreground(values), self.upper)
        largest = float(np.max(array))
        # A volume of two values, or one without a tail, still needs ascending landmarks.
        if high <= low:
            high = largest if largest > low else low + max(1.0, abs(low) * 1e-6)
        step = max((high - low) * 1e-3, abs(high) * 1e-6)
        return PercentileLandmarks(low=low, high=high, maximum=max(largest, high + step))


def foreground(array: np.ndarray) -> np.ndarray:
    """Return the values (1-D, ascending, float) above a threshold between background and body, by Otsu's method (1979).

    The background of head scans is most of the volume; percentiles of everything would depend on its size.
    """
    return _foreground(_sorted_subsample(array)).astype(np.float64)


def _foreground(values: np.ndarray) -> np.ndarray:
    """The same of ascending values, as their upper part."""
    low, high = _percentile(values, 0.1), _percentile(values, 99.5)
    if not high > low:
        return values
    edges = np.linspace(low, high, 257)
    # What np.histogram counts, which need not look at every value where they ascend.
    # np.searchsorted would first copy them all in double precision, in which both are compared here, too.
    until = [bisect_left(values, edge, key=float) for edge in edges.tolist()]
    until[-1] = bisect_right(values, float(edges[-1]), key=float)
    counts = np.diff(until)
    centres = (edges[:-1] + edges[1:]) / 2
    weight = np.cumsum(counts)
    total = weight[-1]
    mass = np.cumsum(counts * centres)
    valid = (weight > 0) & (weight < total)
    between = np.zeros(len(counts))
    between[valid] = (mass[-1] * weight[valid] / total - mass[valid]) ** 2 / (weight[valid] * (total - weight[valid]))
    # Otsu parts air from bright tissue; a third of the way there also keeps the dark tissues.
    # In a gap of the histogram every threshold is as good; its middle, since its edge would touch the noise of air.
    best = float(centres[between >= between.max() * (1 - 1e-9)].mean())
    threshold = low + (best - low) / 3
    inside = values[bisect_right(values, threshold, key=float) :]
    return inside if inside.size else values


def _interpolate(array: np.ndarray, x: list[float], y: list[float]) -> np.ndarray:
    """Piecewise linear, any shape -> float32; np.interp works in double precision."""
    if array.dtype.kind in "iu" and array.itemsize < 8 and array.size > _TABLE:
        low, high = int(array.min()), int(array.max())
        if high - low < _TABLE:
            # Every value there can be, once: scanners store whole numbers.
            table = np.interp(np.arange(low, high + 1), x, y).astype(np.float32)
            return _by_parts(array, lambda part: np.take(table, np.subtract(part, low, dtype=np.int64)))
    return _by_parts(array, lambda part: np.interp(part.reshape(-1), x, y).reshape(part.shape))


def _by_parts(array: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What a function of single values gives, as float32; large arrays in parts, so that only the result takes room."""
    if array.ndim < 2 or array.size <= _MOST_VOXELS:
        return np.asarray(function(array), np.float32)
    result = np.empty(array.shape, np.float32)
    for index in range(array.shape[0]):
        result[index] = _by_parts(array[index], function)
    return result


def _sorted_subsample(array: np.ndarray) -> np.ndarray:
    """Return ascending values, 1-D, of the array's own type; every so many of a large one.

    Sorting once is faster than one percentile of unsorted values.
    """
    flat = np.asarray(array).reshape(-1)
    values = flat[:: max(1, flat.size // _MOST_VOXELS)]
    kinds = {"bool": np.uint8, "float16": np.float32}
    return np.sort(values.astype(kinds.get(values.dtype.name, values.dtype.newbyteorder("=")), copy=False))


def _percentile(values: np.ndarray, percent: float) -> float:
    """``np.percentile`` (linear) of ascending values."""
    place = (len(values) - 1) * percent / 100
    index = int(place)
    first, second = float(values[index]), float(values[min(index + 1, len(values) - 1)])
    return first + (second - first) * (place - index)


Normalization = Annotated[HUWindow | RobustPercentile | ZScore | RGB, Field(discriminator="kind")]
Landmarks = Annotated[LinearLandmarks | PercentileLandmarks, Field(discriminator="kind")]
_NORMALIZATION: TypeAdapter[Any] = TypeAdapter(Normalization)
_LANDMARKS: TypeAdapter[Any] = TypeAdapter(Landmarks)


def parse_normalization(values: dict[str, Any]) -> Any:
    """Read a specification (``Normalization``) from JSON values. Raises InputError."""
    return _parse(_NORMALIZATION, values, "normalisation")


def parse_landmarks(values: dict[str, Any]) -> Any:
    """Read landmarks (``Landmarks``) from JSON values. Raises InputError."""
    return _parse(_LANDMARKS, values, "landmarks")


def _parse(adapter: TypeAdapter[Any], values: dict[str, Any], what: str) -> Any:
    try:
        return adapter.validate_python(values)
    except ValidationError as error:
        place, reason = first_fault(error)
        where = f" ({place})" if place else ""
        raise InputError(f"The {what} {shown(values)} cannot be used{where}: {reason}.") from None
