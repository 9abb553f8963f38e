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
    randomise={**STRONG, "dark": 1.5},
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
    "ship-tone": replace(SHIP, tone=1.0),
    "ship-l2": replace(SHIP, l1=0.3, l2=2.0),
    "ship-l2-tone": replace(SHIP, l1=0.3, l2=2.0, tone=1.0),
    "ship-gd": replace(SHIP, sampler={**SHIP.sampler, "also": ("T1w-Gd",)}),
    "ship-elastic": replace(SHIP, sampler={**SHIP.sampler, "elastic": 5.0, "degrees": 15.0, "zoom": 0.2}),
    "ship-dropout": replace(SHIP, network={**SHIP.network, "dropout_percent": 15}),
    "ship-floor": replace(SHIP, randomise={**SHIP.randomise, "floor": 0.35}),
    "ship-strong": replace(SHIP, randomise={**SHIP.randomise, "floor": 0.35, "curve": 0.9, "gamma": 0.5}),
    "ship": SHIP,
    "final": replace(
        SHIP, randomise={**SHIP.randomise, "floor": 0.35}, sampler={**SHIP.sampler, "elastic": 4.0, "zoom": 0.2}
    ),
    "final-gd": replace(
        SHIP,
        randomise={**SHIP.randomise, "floor": 0.35},
        sampler={**SHIP.sampler, "elastic": 4.0, "zoom": 0.2, "heads": 0.25, "also": ("T1w",)},
    ),
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
FINAL = RECIPES["final"]
RECIPES |= {
    "finish": replace(FINAL, sharpness=1.2, learning_rate=3e-4, schedule="linear", ema=0.998),
    # From T2w to T1w: with strong bias fields whole regions of a template came out darker.
    "finish-even": replace(
        FINAL,
        randomise={**FINAL.randomise, "bias": 0.1, "curve": 0.4},
        learning_rate=5e-4,
        schedule="linear",
        ema=0.998,
    ),
    "final-canvas": replace(FINAL, sampler={**FINAL.sampler, "canvas": 0.4}),
    "final-gd-canvas": replace(RECIPES["final-gd"], sampler={**RECIPES["final-gd"].sampler, "canvas": 0.4}),
    # From the weights of "final": canvases of all sizes, and the way back from translations.
    "cycle": replace(
        FINAL,
        sampler={**FINAL.sampler, "canvas": 0.4},
        cycle=0.25,
        sharpness=1.0,
        learning_rate=5e-4,
        schedule="linear",
    ),
    "cycle-gd": replace(
        RECIPES["final-gd"],
        sampler={**RECIPES["final-gd"].sampler, "canvas": 0.4},
        sharpness=1.0,
        learning_rate=5e-4,
        schedule="linear",
    ),
    # From the weights of "final" or "finish": lesions of random form beside the transplanted tumours.
    "lesions": replace(
        FINAL,
        sampler={**FINAL.sampler, "tumour": 3.0, "lesions": 0.5},
        sharpness=1.0,
        learning_rate=5e-4,
        schedule="linear",
        ema=0.998,
    ),
    # The same time without them, to tell what they bring.
    "no-lesions": replace(FINAL, sharpness=1.0, learning_rate=5e-4, schedule="linear", ema=0.998),
    "flat": replace(FINAL, flat=True, sharpness=1.0, learning_rate=5e-4, schedule="linear", ema=0.998),
    "final-off-by-2": replace(FINAL, misaligned=2),
    "final-off-by-2-tolerant": replace(FINAL, misaligned=2, tolerance=3),
    "final-tolerant": replace(FINAL, tolerance=3),
    "final-five-slices": replace(
        FINAL, network={**FINAL.network, "in_channels": 5}, sampler={**FINAL.sampler, "stack": 5}
    ),
    "final-structure": replace(FINAL, correlation=0.3),
    "final-half-first": replace(FINAL, half=0.4),
    "final-both-ways": replace(FINAL, backward=0.5),
    "final-mind": replace(FINAL, mind=0.5),
    "final-mr-features": replace(FINAL, mr_features=0.15),
    "final-tone": replace(FINAL, tone=1.0),
    "final-heavy": replace(FINAL, sampler={**FINAL.sampler, "tumour": 5.0, "transplant": 0.6}),
    "final-lesions": replace(FINAL, sampler={**FINAL.sampler, "tumour": 3.0, "lesions": 0.5}),
    "final-dropout": replace(FINAL, network={**FINAL.network, "dropout_percent": 15}),
}
# From the same: targets without their bias field, and of one tone.
RECIPES["flat-lesions"] = replace(RECIPES["lesions"], flat=True)
RECIPES["flat-tone"] = replace(RECIPES["flat"], tone=1.0)
RECIPES["flat-tone-lesions"] = replace(RECIPES["lesions"], flat=True, tone=1.0)
# Of enhanced T1w: its own mixture of inputs, with the same lesions.
RECIPES["lesions-gd"] = replace(
    RECIPES["lesions"], sampler={**RECIPES["final-gd"].sampler, "tumour": 3.0, "lesions": 0.5}
)
