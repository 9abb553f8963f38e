"""Intensities by which air, body and units are told apart.

Normalised intensities are in [-1, 1], where the air of a volume is -1 or, with noise, a little more.
"""

from __future__ import annotations

HU_BELOW = -500.0  # HU; a volume without a modality that goes below is taken for CT in HU
FLAT = -0.999  # up to it, a background without noise, such as brain extraction leaves
BACKGROUND = -0.98  # up to it, a pixel counts as background where the air is -1
NOISIEST_AIR = -0.95  # mean up to which the darkest part of a volume counts as air
BODY = -0.9  # above it, a voxel counts as body, whatever the noise of the air
