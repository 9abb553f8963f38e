"""Figures of a generator on scenes: errors, structure, sharpness and tumours in the body mask."""

from __future__ import annotations

import numpy as np
import torch

from .data import Scene
from .sampling import STACK_MM

MOST_SLICES = 24


def translate(network: torch.nn.Module, scene: Scene, source: str, chosen: np.ndarray, stack: int = 3) -> np.ndarray:
    """(n, h, w) float32: the chosen slices through the network."""
    from surgical_style_engine.inference.plane_job import MULTIPLE
    from surgical_style_engine.volumes.slices import pad_to_multiple

    step = max(1, round(STACK_MM / scene.slice_mm))
    made = []
    with torch.inference_mode():
        for z in chosen:
            places = np.clip(z + (np.arange(stack) - stack // 2) * step, 0, len(scene.body) - 1)
            image = scene.images[source][places].astype(np.float32)[None]
            padded, crop = pad_to_multiple(image, MULTIPLE)
            out = network(torch.from_numpy(padded))
            made.append(out[0, out.shape[1] // 2].numpy()[crop])
    return np.clip(np.stack(made), -1, 1)


def chosen_slices(scene: Scene, most: int = MOST_SLICES) -> np.ndarray:
    usable = np.flatnonzero(scene.body.mean(axis=(1, 2)) > 0.03)
    return usable[np.linspace(0, len(usable) - 1, min(most, len(usable))).astype(int)]


def judge(made: np.ndarray, scene: Scene, target: str, chosen: np.ndarray) -> dict[str, float]:
    """Figures of translated slices (n, h, w) against the scene's own.

    mae, psnr, ssim, ms_ssim: as ``sst evaluate``. psnr_toned: after the best gain and offset for the volume, that is
    without the error of tone. psnr_even: after the best smooth gain (``even``). sharpness: gradient magnitude over the
    real image's. edges: correlation of gradient magnitudes. tumour: contrast of the tumour to the other tissue over
    the real image's.
    """
    from surgical_style_engine.metrics.reference import mae, psnr, ssim_metrics

    real = scene.images[target][chosen].astype(np.float32)
    body = scene.body[chosen]
    ssim, ms_ssim, _ = ssim_metrics(made[None], real[None], body)
    gain, offset = np.polyfit(made[body], real[body], 1)
    inner = body & np.roll(body, 2, 1) & np.roll(body, -2, 1) & np.roll(body, 2, 2) & np.roll(body, -2, 2)
    edges = [np.hypot(*np.gradient(image, axis=(1, 2)))[inner] for image in (made, real)]
    figures = {
        "mae": mae(made[None], real[None], body),
        "psnr": psnr(made[None], real[None], body),
        "psnr_toned": psnr((gain * made + offset)[None], real[None], body),
        "psnr_even": psnr(even(made, real, body)[None], real[None], body),
        "ssim": ssim,
        "ms_ssim": ms_ssim,
        "sharpness": float(edges[0].mean() / edges[1].mean()),
        "edges": float(np.corrcoef(*edges)[0, 1]),
    }
    if scene.labels is not None and scene.site != "Ljubljana":
        tumour = scene.labels[chosen] > 0
        if tumour.any():
            contrast = [image[tumour].mean() - image[body & ~tumour].mean() for image in (made, real)]
            figures["tumour"] = float(contrast[0] / contrast[1])
    return {key: round(float(value), 4) for key, value in figures.items()}


def even(made: np.ndarray, real: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Translated slices times the gain of second order in place that fits the real ones best: without coils' fields.

    Args:
        made: (n, h, w) in [-1, 1].
        real: as made.
        body: (n, h, w), bool; where the gain is fitted.
    """
    places = [(place - place.mean()) / (place.std() + 1e-6) for place in np.nonzero(body)]
    powers = [(i, j, k) for i in range(3) for j in range(3) for k in range(3) if i + j + k <= 2]
    terms = np.stack([places[0] ** i * places[1] ** j * places[2] ** k for i, j, k in powers], 1).astype(np.float32)
    above_air = (made[body] + 1) / 2
    gains, *_ = np.linalg.lstsq(terms * above_air[:, None], (real[body] + 1) / 2, rcond=None)
    result = made.copy()
    result[body] = above_air * (terms @ gains) * 2 - 1
    return result


def judge_all(
    network: torch.nn.Module, scenes: list[Scene], source: str, target: str, most: int = MOST_SLICES
) -> dict[str, dict]:
    """Figures by scene; raw scenes on the source's own grid only, as a user has them."""
    found = {}
    for scene in scenes:
        if source in scene.own and target in scene.images:
            chosen = chosen_slices(scene, most)
            made = translate(network, scene, source, chosen, getattr(network, "in_channels", 3))
            found[scene.name] = judge(made, scene, target, chosen)
    return found


def mean_of(figures: dict[str, dict]) -> dict[str, float]:
    keys = dict.fromkeys(key for entry in figures.values() for key in entry)
    return {key: round(float(np.mean([e[key] for e in figures.values() if key in e])), 4) for key in keys}
