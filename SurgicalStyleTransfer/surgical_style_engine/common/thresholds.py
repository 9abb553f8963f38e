"""The levels that tell air from body and HU from arbitrary units, and the largest sizes; each once, with its reason.

Normalised intensities run from -1 to 1, and air is -1 but for noise. The levels for air differ in what they have to
stand: a single pixel, a mean over many, or what is left of a scanner's noise.
"""

from __future__ import annotations

# In the units of a volume.
HU_BELOW = -500.0  # HU; air is -1000 HU, and no other modality goes as low: a volume that does is taken for CT

# Of normalised intensities, from the lowest.
NOISELESS_AIR_TOP = -0.999  # background without noise, as brain extraction leaves it; only rounding lies above -1
AIR_TOP = -0.98  # a block of pixels is air up to here on average: one hundredth of the range above it
NOISIEST_AIR = -0.95  # the mean of the noisiest air of real scans; what is darker on average is never tissue
BODY_FROM = -0.9  # a single voxel above it is body: a twentieth of the range, which a scanner's noise does not reach

# Of sizes.
LARGEST_WHOLE = 1 << 26  # voxels; larger volumes go slice by slice, so that one float32 copy (256 MB) is never two
LARGEST_SLICE = 1 << 30  # pixels; a resampled slice that is larger comes from a wrong spacing
SMALLEST_STYLE_PICTURE = 32  # pixels of a side; smaller pictures have no texture to speak of
LARGEST_STYLE_PICTURE = 1024  # pixels of the longer side; larger pictures are reduced
