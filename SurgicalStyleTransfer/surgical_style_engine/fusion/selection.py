"""Which input's detail is kept at one scale: the rule that the pyramid and the maximum-detail fusion share.

After Burt and Kolczynski, "Enhanced image capture through fusion" (ICCV 1993), for any number of inputs, with noise
taken for what it is and with one choice for all scales of a structure:

- The *energy* of an input is its squared detail, averaged over a small neighbourhood. Twice what the quietest part of
  the body has is taken for noise and subtracted; the rest, plus that of all coarser scales in the same place, is the
  input's *salience*. Chosen scale by scale instead, a ventricle that is bright in T2w and dark in FLAIR would get
  its rim from one and its inside from the other.
- The input with the most salience is *selected*. Where none stands out from the noise, the details are averaged, which
  lowers the noise.
- Inputs whose details *match* the selected one's (correlation in the neighbourhood above MATCH) are averaged with it.
  Where they don't, averaging would blur or, with opposite contrasts as in T1w and T2w MR, extinguish the edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgical_style_engine.volumes.filters import Spacing, gaussian

from .inputs import Prior, weighted_sum

MATCH = 0.75  # Burt and Kolczynski's threshold
NOISE_PERCENTILE = 20.0  # of the energy inside the body: flat tissue, whose detail is noise
NOISE_MARGIN = 2.0  # the energy of noise varies from place to place by about this factor


@dataclass(eq=False)
class Detail:
    """One input at one scale, (z, y, x) float32 each.

    Attributes:
        detail: What the scale adds to the coarser ones.
        energy: Its square, averaged over the neighbourhood.
        salience: The energy above the noise; of this scale alone at first, the caller adds that of the coarser ones.
        noise: The energy that is noise.
    """

    detail: np.ndarray
    energy: np.ndarray
    salience: np.ndarray
    noise: np.float32


def measure(detail: np.ndarray, window_mm: float, spacing: Spacing, body: np.ndarray) -> Detail:
    """Energy and salience of one scale of an input.

    Args:
        detail: (z, y, x).
        window_mm: Sigma of the neighbourhood.
        spacing: (z, y, x) in mm.
        body: bool (z, y, x), where noise is judged.
    """
    energy = np.maximum(gaussian(detail * detail, window_mm, spacing), 0)  # recursive filters ring, a little
    noise = np.float32(max(NOISE_MARGIN * np.percentile(energy[body], NOISE_PERCENTILE), 1e-12))
    return Detail(detail, energy, np.maximum(energy - noise, 0), noise)


def select(
    inputs: list[Detail],
    priors: list[Prior],
    window_mm: float,
    spacing: Spacing,
    *,
    average_matching: bool = True,
) -> np.ndarray:
    """Combine one scale's details of all inputs into one.

    Args:
        inputs: Their details.
        priors: Weights that sum to 1, a number or a map (z, y, x) each; they multiply the saliences (an input of weight
            0 is never selected) and weigh the averages.
        window_mm: Sigma of the neighbourhood.
        spacing: (z, y, x) in mm.
        average_matching: False takes the strongest input alone.

    Returns:
        (z, y, x) float32.
    """
    shape = inputs[0].detail.shape
    best, strongest = np.full(shape, -1, np.float32), np.zeros(shape, np.int8)
    chosen, chosen_energy, confidence = (np.zeros(shape, np.float32) for _ in range(3))
    for number, (entry, prior) in enumerate(zip(inputs, priors, strict=True)):
        weighted = entry.salience * prior
        better = weighted > best
        best[better], strongest[better] = weighted[better], number
        chosen[better], chosen_energy[better] = entry.detail[better], entry.energy[better]
        confidence[better] = (entry.salience / (entry.salience + entry.noise))[better]
    mean = weighted_sum([entry.detail for entry in inputs], priors)
    result = chosen.copy()
    if average_matching:
        for number, (entry, prior) in enumerate(zip(inputs, priors, strict=True)):
            together = gaussian(entry.detail * chosen, window_mm, spacing)
            match = 2 * together / np.maximum(entry.energy + chosen_energy, 1e-20)
            share = np.clip((match - MATCH) / (1 - MATCH), 0, 1) * prior
            share[strongest == number] = 0
            result += share * (entry.detail - chosen)
    return mean + confidence * (result - mean)
