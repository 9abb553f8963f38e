"""Metrics against a registered reference: MAE, PSNR, SSIM and MS-SSIM inside a body mask.

Only for a reference of the same patient that was registered to the translation's grid: against an unpaired image
these numbers mean nothing (use `kernel_mmd`). SSIM and MS-SSIM are as MONAI's (the tests compare them), but with a
mask, a value for the border and a separable window: slice by slice in plain numpy, about ten times faster on a CPU.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from surgical_style_engine.errors import InputError

RANGE_PERCENTILES = (0.5, 99.5)
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003
WINDOW, SIGMA = 11, 1.5  # Wang et al. 2004
K1, K2 = 0.01, 0.03


def data_range(reference: np.ndarray, mask: np.ndarray | None = None) -> tuple[float, float]:
    """The range that PSNR and SSIM are stated for: 0.5 and 99.5 percentile of the reference inside the mask.

    Returns:
        (low, high).

    Raises:
        InputError: The reference is constant inside the mask.
    """
    reference = np.asarray(reference)
    values = reference[_region(mask, reference.shape)]
    low, high = (float(v) for v in np.percentile(values, RANGE_PERCENTILES))
    if not high > low:
        raise InputError("The reference is constant inside the mask: nothing can be compared with it.")
    return low, high


def mae(output: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean absolute error inside the mask, in the units of the arrays.

    Args:
        output: What is judged, (c, z, y, x).
        reference: On its grid, in its units.
        mask: Bool (z, y, x) or (c, z, y, x); None for everywhere.

    >>> mae(np.zeros((1, 1, 2, 2)), np.full((1, 1, 2, 2), 3.0))
    3.0
    """
    output, reference = _pair(output, reference)
    region = _region(mask, reference.shape)
    return float(np.abs(output[region] - reference[region]).mean(dtype=np.float64))


def psnr(
    output: np.ndarray,
    reference: np.ndarray,
    mask: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
) -> float:
    """Peak signal-to-noise ratio in dB inside the mask: 20 log10(range / rmse); infinite for equal arrays.

    Args:
        output: What is judged, (c, z, y, x).
        reference: On its grid, in its units.
        mask: Bool (z, y, x) or (c, z, y, x); None for everywhere.
        limits: (low, high) whose difference is the range; `data_range` of the reference if None. A robust range is
            narrower than the full one, so values are lower than those of papers that take the maximum, or 2 for
            [-1, 1].
    """
    output, reference = _pair(output, reference)
    region = _region(mask, reference.shape)
    low, high = data_range(reference, mask) if limits is None else limits
    squared = float(np.mean((output[region] - reference[region]) ** 2, dtype=np.float64))
    return float("inf") if squared == 0 else float(20 * np.log10(high - low) - 10 * np.log10(squared))


def ssim(
    output: np.ndarray,
    reference: np.ndarray,
    mask: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
    *,
    slice_axis: int = 0,
) -> float:
    """Structural similarity (Wang et al. 2004; 2-D, 11 x 11 Gaussian window): mean of its map inside the mask."""
    return ssim_metrics(output, reference, mask, limits, slice_axis=slice_axis, scales=1)[0]


def ms_ssim(
    output: np.ndarray,
    reference: np.ndarray,
    mask: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
    *,
    slice_axis: int = 0,
) -> float:
    """Multi-scale SSIM (Wang et al. 2003) inside the mask. Images too small for five scales use fewer."""
    return ssim_metrics(output, reference, mask, limits, slice_axis=slice_axis)[1]


def ssim_metrics(
    output: np.ndarray,
    reference: np.ndarray,
    mask: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
    *,
    slice_axis: int = 0,
    scales: int = len(MS_SSIM_WEIGHTS),
) -> tuple[float, float, np.ndarray]:
    """SSIM and MS-SSIM from one pass over the slices.

    Intensities are shifted and scaled so that `limits` become 0..1 (SSIM's luminance term assumes values from 0 on).
    MS-SSIM takes the masked mean of each scale's map over the whole volume, then their weighted product; a pixel of a
    coarser scale counts by the part of it inside the mask. Negative contrast terms count as 0, as in MONAI.

    Args:
        output: What is judged, (c, z, y, x).
        reference: On its grid, in its units.
        mask: Bool (z, y, x) or (c, z, y, x); None for everywhere.
        limits: (low, high), `data_range` of the reference if None.
        slice_axis: 0, 1 or 2 for z, y, x: slices lie across it.
        scales: At most so many; fewer where slices are small.

    Returns:
        (SSIM, MS-SSIM, SSIM per slice (s,) with NaN where the mask is empty).

    Raises:
        InputError: Slices of fewer than 6 pixels a side, or a reference that is constant inside the mask.
    """
    output, reference = _pair(output, reference)
    region = _region(mask, reference.shape)
    low, high = data_range(reference, mask) if limits is None else limits
    smallest = min(np.delete(np.array(reference.shape[1:]), slice_axis))
    if smallest < WINDOW // 2 + 1:
        raise InputError(f"SSIM needs slices of at least {WINDOW // 2 + 1} pixels a side, not {smallest}.")
    while scales > 1 and smallest < WINDOW * 2 ** (scales - 1):
        scales -= 1
    weights = np.array(MS_SSIM_WEIGHTS[:scales]) / sum(MS_SSIM_WEIGHTS[:scales])

    depth = reference.shape[1 + slice_axis]
    sums, counts = np.zeros(scales), np.zeros(scales)
    slice_sums, slice_counts = np.zeros(depth), np.zeros(depth)
    for index in np.flatnonzero(region.any(tuple(a for a in range(4) if a != 1 + slice_axis))):
        x, y, w = (np.take(a, index, axis=1 + slice_axis).astype(np.float32) for a in (output, reference, region))
        x, y = ((a - np.float32(low)) / np.float32(high - low) for a in (x, y))
        for scale in range(scales):
            if scale:
                x, y, w = (_halved(a) for a in (x, y, w))
            full, contrast = _ssim_maps(x, y)
            inside = float(w.sum(dtype=np.float64))
            if scale == 0:
                slice_sums[index], slice_counts[index] = float((full * w).sum(dtype=np.float64)), inside
            term = full if scale == scales - 1 else contrast
            sums[scale] += float((term * w).sum(dtype=np.float64))
            counts[scale] += inside
    single = float(slice_sums.sum() / slice_counts.sum())
    multiple = float(np.prod(np.clip(sums / counts, 0, None) ** weights))
    per_slice = np.divide(slice_sums, slice_counts, out=np.full(depth, np.nan), where=slice_counts > 0)
    return single, multiple, per_slice


def reference_metrics(
    output: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None, *, slice_axis: int = 0
) -> dict:
    """All metrics of one volume against its registered reference, both (c, z, y, x) in the same units.

    Returns:
        Keys mae, psnr (dB), psnr_range [low, high], ssim, ms_ssim, and slices {mae, psnr, ssim}: lists along
        ``slice_axis``.
    """
    output, reference = _pair(output, reference)
    limits = data_range(reference, mask)
    single, multiple, ssim_slices = ssim_metrics(output, reference, mask, limits, slice_axis=slice_axis)
    absolute, squared = _slice_errors(output, reference, _region(mask, reference.shape), slice_axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        psnr_slices = 20 * np.log10(limits[1] - limits[0]) - 10 * np.log10(squared)
    return {
        "mae": mae(output, reference, mask),
        "psnr": psnr(output, reference, mask, limits),
        "psnr_range": list(limits),
        "ssim": single,
        "ms_ssim": multiple,
        "slices": {"mae": absolute.tolist(), "psnr": psnr_slices.tolist(), "ssim": ssim_slices.tolist()},
    }


def masked_slice_means(values: np.ndarray, mask: np.ndarray | None, slice_axis: int = 0) -> np.ndarray:
    """Mean of the finite (c,z,y,x) `values` inside the mask for every slice: (s,), NaN where there are none."""
    region = _region(mask, values.shape) & np.isfinite(values)
    axes = tuple(a for a in range(4) if a != 1 + slice_axis)
    counts = region.sum(axes)
    sums = np.where(region, values, 0).sum(axes, dtype=np.float64)
    return np.divide(sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def _slice_errors(
    output: np.ndarray, reference: np.ndarray, region: np.ndarray, slice_axis: int
) -> tuple[np.ndarray, np.ndarray]:
    difference = output - reference
    return (
        masked_slice_means(np.abs(difference), region, slice_axis),
        masked_slice_means(difference**2, region, slice_axis),
    )


def _pair(output: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    output, reference = np.asarray(output, np.float32), np.asarray(reference, np.float32)
    if output.shape != reference.shape or output.ndim != 4:
        raise InputError(
            f"Output {output.shape} and reference {reference.shape} need one shape (c,z,y,x): register them first."
        )
    return output, reference


def _region(mask: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    if mask is None:
        return np.ones(shape, bool)
    try:
        region = np.broadcast_to(np.asarray(mask, bool), shape)
    except ValueError as error:
        raise InputError(f"The mask has shape {np.shape(mask)}, the volume {shape}.") from error
    if not region.any():
        raise InputError("The body mask is empty.")
    return region


def _ssim_maps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SSIM and its contrast-structure part for (c,h,w) images of range 0..1, each (c,h,w); borders are mirrored."""
    half = WINDOW // 2
    mode: Literal["reflect", "edge"] = "reflect" if min(x.shape[-2:]) > half else "edge"
    x, y = (np.pad(a, ((0, 0), (half, half), (half, half)), mode=mode) for a in (x, y))
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance = _windowed(x * x + y * y) - mean_x * mean_x - mean_y * mean_y
    covariance = _windowed(x * y) - mean_x * mean_y
    contrast = (2 * covariance + K2**2) / (variance + K2**2)
    luminance = (2 * mean_x * mean_y + K1**2) / (mean_x * mean_x + mean_y * mean_y + K1**2)
    return luminance * contrast, contrast


def _windowed(array: np.ndarray) -> np.ndarray:
    """Gaussian-weighted mean over WINDOW x WINDOW pixels of (c,h,w), valid part only."""
    half = WINDOW // 2
    weights = np.exp(-((np.arange(half + 1) - half) ** 2) / (2 * SIGMA**2))
    weights = (weights / (2 * weights[:-1].sum() + weights[-1])).astype(np.float32)
    for axis in (1, 2):
        moved = np.moveaxis(array, axis, 0)
        length = moved.shape[0] - 2 * half
        total = moved[half : half + length] * weights[half]
        for k in range(half):
            total += weights[k] * (moved[k : k + length] + moved[2 * half - k : 2 * half - k + length])
        array = np.moveaxis(total, 0, axis)
    return array


def _halved(array: np.ndarray) -> np.ndarray:
    """Mean of 2 x 2 pixels: (c,h,w) -> (c,h//2,w//2)."""
    h, w = (size // 2 * 2 for size in array.shape[-2:])
    array = array[:, :h, :w]
    return (array[:, ::2, ::2] + array[:, 1::2, ::2] + array[:, ::2, 1::2] + array[:, 1::2, 1::2]) / np.float32(4)
