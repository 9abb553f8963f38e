"""Trainings to compare, by name."""

from __future__ import annotations

from dataclasses import replace

from .train import Recipe

BASE = Recipe()  # the grid, L1, random gamma
STRONG = {"gamma": 0.35, "window": 0.25, "curve": 0.6, "bias": 0.3, "noise": 0.03, "blur": 0.8}
R = replace(BASE, randomise=STRONG)
SHIP = replace(
    R,
    network={"features": 24, "bins": 12, "detail": 16},
    sampler={"images": 2, "heads": 0.4, "tumour": 2.0, "transplant": 0.4},
    ssim=0.3,
    sharpness=0.5,
    weight_decay=0.01,
    ema=0.999,
    schedule="late",
)
# What the shipped models are trained with, changed one thing at a time.
RECIPES = {
    "ship-mix": replace(SHIP, sampler={**SHIP.sampler, "mix": 0.25}),
    "ship-plain": replace(SHIP, randomise={}),
    "ship-no-dark": replace(SHIP, randomise=STRONG),
    "ship-no-residual": replace(SHIP, network={**SHIP.network, "detail": 0}),
    "ship-no-terms": replace(SHIP, ssim=0.0, sharpness=0.0),
    "ship-no-transplant": replace(SHIP, sampler={**SHIP.sampler, "tumour": 1.0, "transplant": 0.0}),
    "ship": SHIP,
    "base": BASE,
    "random": R,
    "ssim": replace(R, ssim=0.3),
    "mix": replace(R, sampler={"mix": 0.25}),
    "gradient": replace(R, gradient=0.5),
    "sharp": replace(R, ssim=0.3, sharpness=1.0),
    "l2": replace(R, l2=1.0),
    "bins16": replace(R, network={"bins": 16}),
    "small": replace(R, network={"features": 16}),
    "wide": replace(R, network={"features": 48}),
    "deep": replace(R, network={"levels": 3}),
    "heads": replace(R, sampler={"heads": 0.6}),
}
