"""The figures of one translated volume, put together for its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.geometry import coarsest_axis
from surgical_style_engine.volumes.histogram_matching import histogram_match
from surgical_style_engine.volumes.volume import Volume

from .averages import mean_metrics as mean_figures  # noqa: F401
from .cycle import CycleMetrics
from .reference import mae, masked_slice_means, reference_metrics
from .set_distance import slice_features
from .structure import semantic_consistency, structure_agreement
from .worst_slices import named_slices

if TYPE_CHECKING:
    from surgical_style_engine.inference.result import Translation
    from surgical_style_engine.models.folder import StyleModel

FLOORS_NOTE = (
    "Floors: 'input' is the input itself, 'histogram_matched' the input with its histogram matched to the reference's "
    "inside the mask (it is told the answer's histogram, so it is a generous floor)."
)
FEATURE_SPACING_MM = 1.0


def quality_of(
    volume: Volume,
    model: StyleModel,
    translation: Translation,
    reference: Volume | None = None,
    mask: np.ndarray | Volume | None = None,
    *,
    direction: str = "forward",
    valid: np.ndarray | None = None,
    body: np.ndarray | None = None,
    cycle: CycleMetrics | None = None,
    with_cycle: bool = True,
    jigsaw: bool = True,
    source_labels: np.ndarray | None = None,
    translated_labels: np.ndarray | None = None,
    **options: Any,
) -> dict:
    """All quality figures of `translation`, the translation of `volume` by `model`, as a JSON-ready dict.

    reference: registered volume of the target domain on the input's grid (never an unpaired one). mask: bool (z,y,x)
    or a labelmap on any grid; `body_mask` of the input if None. valid: bool (z,y,x), where the reference has voxels
    (its field of view). body: the input's `body_mask`, where it is known already.
    cycle: figures already computed by `cycle_of`; else computed unless with_cycle is False. Further options (device,
    precision, backend, planes, max_slices, cancelled...) go to `cycle_of`.

    Keys: look_ahead_score, look_ahead_score_raw, jigsaw_puzzle_error, jigsaw_puzzle_error_raw (normalised units, range
    [-1, 1]; None without a way back), cycle_slices (how many were judged), semantic_consistency [0, 1],
    semantic_consistency_method, mask, mask_fraction, reference (None or what `compare_with_reference` says), slices
    {axis, look_ahead, semantic_consistency} with one value a slice, None where the mask is empty; worst, see
    `named_slices`; disagreement (mean inside the mask, normalised units) where several planes or variants were run.
    The cycle judges the network; everything else its output with structure guard and matching, before strength and
    mask.
    """
    given = mask is not None
    region = _mask_3d(mask, volume) if given else body if body is not None else body_mask(volume)
    axis = coarsest_axis(volume)
    x, y = translation.normalized_input, translation.judged
    if cycle is None and with_cycle:
        from surgical_style_engine.inference.cycle import cycle_of

        cycle = cycle_of(volume, model, translation, direction=direction, mask=region, jigsaw=jigsaw, **options)
    labelled = source_labels is not None or translated_labels is not None
    agreement, agreement_slices = structure_agreement(x, y, region, slice_axis=axis)
    if labelled:
        agreement = semantic_consistency(
            x, y, region, source_labels=source_labels, translated_labels=translated_labels, slice_axis=axis
        )
    score, puzzle = (cycle.look_ahead, cycle.jigsaw) if cycle else (None, None)
    figures = {
        "look_ahead_score": score and score.value,
        "look_ahead_score_raw": score and score.raw,
        "jigsaw_puzzle_error": puzzle and puzzle.value,
        "jigsaw_puzzle_error_raw": puzzle and puzzle.raw,
        "cycle_slices": cycle and cycle.slices,
        "semantic_consistency": agreement,
        "semantic_consistency_method": "dice" if labelled else "self-similarity",
        "mask": "given" if given else "body",
        "mask_fraction": float(region.mean()),
        "reference": None
        if reference is None
        else compare_with_reference(volume, model, translation, reference, region, direction=direction, valid=valid),
        "slices": {
            "axis": "zyx"[axis],
            "look_ahead": _listed(masked_slice_means(cycle.error, region, axis)) if cycle else None,
            "semantic_consistency": _listed(agreement_slices),
        },
    }
    figures["worst"] = named_slices(volume, figures)
    if translation.disagreement is not None:
        figures["disagreement"] = float(translation.disagreement.array[0][region].mean(dtype=np.float64))
    return figures


def compare_with_reference(
    volume: Volume,
    model: StyleModel,
    translation: Translation,
    reference: Volume,
    mask: np.ndarray,
    *,
    direction: str = "forward",
    valid: np.ndarray | None = None,
) -> dict:
    """MAE, PSNR, SSIM and MS-SSIM of the translation and of two floors against a registered reference.

    CT is compared in HU, the reference clipped to the model's window. The units of MR are arbitrary and differ from
    scan to scan, so there the reference is normalised by landmarks of its own, exactly as the training does, and
    compared with the generator's normalised output: nothing is fitted to the reference, errors of brightness and
    contrast count in full. The MAE is also given in the reference's own units, through the inverse of its
    normalisation. The floors get the same treatment.

    Keys: compared_in ("HU" or "normalised"), mae (reference units), mae_normalised, psnr (dB), psnr_range [low, high]
    in the units compared in (0.5 and 99.5 percentile of the reference inside the mask), ssim, ms_ssim, slices,
    floors {input {...}, histogram_matched {...}}, floors_note.
    """
    if not reference.same_grid(volume):
        raise InputError("The reference is not on the input's grid: register it first (sst register).")
    axis = coarsest_axis(volume)
    region = _mask_3d(mask, volume) if valid is None else _mask_3d(mask, volume) & np.asarray(valid, bool)
    if not region.any():
        raise InputError("The reference does not cover the body mask.")
    landmarks = model.card.domain_to(direction).normalization.fit(reference.array)
    target = landmarks.forward(reference.array)
    output, floor = translation.judged, translation.normalized_input
    if floor.shape != target.shape or output.shape != target.shape:
        raise InputError("The reference has other channels than the translation.")
    matched = histogram_match(floor, target, region, region)
    in_units = landmarks.kind == "hu_window"
    if in_units:
        target, output, floor, matched = (landmarks.inverse(a) for a in (target, output, floor, matched))

    def figures(candidate: np.ndarray) -> dict:
        found = reference_metrics(candidate, target, region, slice_axis=axis)
        if not in_units:
            found["mae_normalised"] = found["mae"]
            found["mae"] = mae(landmarks.inverse(candidate), landmarks.inverse(target), region)
        else:
            found["mae_normalised"] = mae(landmarks.forward(candidate), landmarks.forward(target), region)
        return found

    result = figures(output)
    floors = {"input": figures(floor), "histogram_matched": figures(matched)}
    for entry in floors.values():
        entry.pop("slices")
    slices = {key: _listed(values) for key, values in result.pop("slices").items()}
    return {
        "compared_in": "HU" if in_units else "normalised",
        **result,
        "floors": floors,
        "floors_note": FLOORS_NOTE,
        "slices": slices,
    }


def set_features(volume: Volume, array: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Features (n, d) for `kernel_mmd` of a volume's axial slices at 1 mm; array: its normalised voxels (c,z,y,x)."""
    region = body_mask(volume) if mask is None else _mask_3d(mask, volume)
    both = np.stack([np.asarray(array, np.float32).mean(0), region.astype(np.float32)])
    if not volume.is_2d:
        canonical, _ = geometry.to_canonical(volume.with_array(both))
        both = canonical.array
        _, *pixel = geometry.plane_spacing(canonical.spacing, "axial")
        size = geometry.model_size(both.shape[-2:], tuple(pixel), FEATURE_SPACING_MM)
        if size != both.shape[-2:]:
            both = geometry.resize_in_plane(np.ascontiguousarray(both), size)
    return slice_features(both[0], both[1] > 0.5)


def _mask_3d(mask: np.ndarray | Volume, volume: Volume) -> np.ndarray:
    if isinstance(mask, Volume):
        mask = geometry.labels_like(mask, volume).array[0] != 0
    array = np.asarray(mask).astype(bool)
    array = array[0] if array.ndim == 4 else array
    if array.shape != volume.array.shape[1:]:
        raise InputError(f"The mask has shape {array.shape}, the volume {volume.array.shape[1:]}.")
    if not array.any():
        raise InputError("The mask is empty.")
    return array


def _listed(values: Any) -> list:
    """A list for JSON: numbers rounded to 6 digits, None where there is none."""
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in np.asarray(values, float)]
