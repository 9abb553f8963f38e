"""Patients whose errors follow a known law: normal, with a deviation that grows with the output's texture."""

from __future__ import annotations

import math

import numpy as np
from tiny_calibrations import constant_model

from surgical_style_engine.metrics.uncertainty.features import FULL_FEATURES, QUICK_FEATURES
from surgical_style_engine.models.calibration import Layer
from training_cli.calibration.samples import Patient, Scan, Voxels

TEXTURE = FULL_FEATURES.index("output_deviation")
MEAN, ASYMMETRY = FULL_FEATURES.index("output_mean"), FULL_FEATURES.index("output_region_asymmetry")


def errors_model():
    """Knows the law up to a factor: the bound is exp(texture)."""
    weights = [0.0] * len(QUICK_FEATURES)
    weights[TEXTURE] = 1.0
    return constant_model(layers=[Layer(weights=[weights], bias=[math.log(0.1)])], edges=(-0.3, 0.3), unlike=0.5)


def voxels_(rng, count, scale, abnormal):
    features = np.zeros((count, len(FULL_FEATURES)), np.float32)
    features[:, TEXTURE] = rng.uniform(0, 1.5, count)
    features[:, MEAN] = rng.uniform(-1, 1, count)
    features[:, ASYMMETRY] = rng.uniform(0.5, 1, count) if abnormal else rng.uniform(0, 0.6, count)
    errors = np.abs(rng.normal(0, 0.1 * scale * np.exp(features[:, TEXTURE]))).astype(np.float32)
    tissues = np.digitize(features[:, MEAN], (-0.3, 0.3)).astype(np.int8)
    return Voxels(features, errors, np.full(count, 1 / count, np.float32), tissues, np.full(count, abnormal))


def patient(name, seed, scale=1.0, voxels_of_tumour=1000, tumour_scale=1.0, fold="a", voxels=4000):
    rng = np.random.default_rng(seed)
    body = voxels_(rng, voxels, scale, False)
    tumour = voxels_(rng, voxels_of_tumour, scale * tumour_scale, True)
    psnr = float(10 * np.log10(4 / np.mean(body.errors**2)))
    made = Patient(name, fold, f"hospital {fold}")
    made.scans.append(Scan(body, tumour, psnr, np.abs(rng.normal(0, 0.5, 500)), 0.6))
    return made


def patients(count, seed, **more):
    """Patients in three folds; each has errors of another size, as hospitals do."""
    scales = np.random.default_rng(seed).lognormal(0, 0.1, count)
    return [
        patient(f"p{number}", seed + number, float(scale), fold="abc"[number % 3], **more)
        for number, scale in enumerate(scales)
    ]
