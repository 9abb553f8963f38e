"""Trainings to compare, by name."""

from __future__ import annotations

from dataclasses import replace

from .train import Recipe

BASE = Recipe()  # the grid, L1, random gamma
STRONG = {"gamma": 0.35, "window": 0.25, "curve": 0.6, "bias": 0.3, "noise": 0.03, "blur": 0.8}
R = replace(BASE, randomise=STRONG)
SHIP = replace(
    R, network={"features": 24, "bins": 12, "detail": 16}, sampler={"images": 2, "heads": 0.4}, ssim=0.3, sharpness=0.5,
    weight_decay=0.01, ema=0.999, schedule="late",
)  # fmt: skip
RECIPES = {
    "ship": SHIP,
    "base": BASE,
    "random": R,
    "g3p3": replace(R, network={"gains": 3, "pixel": 3}),
    "g1p3": replace(R, network={"gains": 1, "pixel": 3}),
    "ssim": replace(R, ssim=0.3),
    "mix": replace(R, sampler={"mix": 0.25}),
    "gradient": replace(R, gradient=0.5),
    "sharp": replace(R, ssim=0.3, sharpness=1.0),
    "l2": replace(R, l2=1.0),
    "half": replace(R, network={"guide_features": 16}),
    "half2": replace(R, network={"guide_features": 16, "guides": 2}),
    "bins16": replace(R, network={"bins": 16}),
    "small": replace(R, network={"features": 16}),
    "wide": replace(R, network={"features": 48}),
    "deep": replace(R, network={"levels": 3}),
    "residual": replace(R, network={"guide_features": 16, "residual": 1, "shift": 0.0, "bound": 0.3}),
    "halfres": replace(R, network={"guide_features": 16, "residual": 1}),
    "decay": replace(R, weight_decay=0.05, network={"dropout": 0.1}),
    "heads": replace(R, sampler={"heads": 0.6}),
}
