"""Calibrations of small models for tests of what is made of them."""

from __future__ import annotations

import math
from pathlib import Path

from surgical_style_engine.metrics.uncertainty.features import FULL_FEATURES, QUICK_FEATURES
from surgical_style_engine.models.calibration import (
    Calibration,
    DirectionCalibration,
    ErrorModel,
    ExpectedPsnr,
    Layer,
    Range,
    write_calibration,
)
from surgical_style_engine.models.card import read_card


def constant_model(bound: float = 0.1, full: bool = False, **fields: object) -> ErrorModel:
    """The same bound for every voxel."""
    names = FULL_FEATURES if full else QUICK_FEATURES
    layer = Layer(weights=[[0.0] * len(names)], bias=[math.log(bound)])
    values = {
        "features": list(names),
        "centre": [0.0] * len(names),
        "scale": [1.0] * len(names),
        "layers": [layer],
        "edges": (-0.5, 0.5),
        "unlike": 10.0,
        "factors": [1.0] * 6,
    }
    return ErrorModel(**{**values, **fields})


def direction_calibration(bound: float = 0.1, full: float | None = None, **fields: object) -> DirectionCalibration:
    """Of a direction whose every bound is the same, normalised units; all ranges wide."""
    values = {
        "quick": constant_model(bound),
        "full": None if full is None else constant_model(full, full=True),
        "level": 0.9,
        "psnr": ExpectedPsnr(intercept=0.0, slope=1.0, below=2.0, above=2.0, spearman=0.5),
        "uninformed": 0.5,
        "ranges": {
            "psnr": Range(low=0, high=60),
            "mean_bound": Range(low=0, high=1),
            "untrusted_share": Range(low=0, high=1),
            "semantic_consistency": Range(low=0, high=1),
        },
        "patients": 12,
        "hospitals": 6,
    }
    return DirectionCalibration(**{**values, **fields})


def calibrate(folder: Path, directions: tuple[str, ...] = ("forward",), **fields: object) -> Path:
    """Write such a calibration into a model folder; returns the folder."""
    known = {name: direction_calibration(**fields) for name in directions}
    sha256 = read_card(folder).stored.sha256
    write_calibration(folder, Calibration(weights_sha256=sha256, directions=known, data="made up for a test"))
    return folder
