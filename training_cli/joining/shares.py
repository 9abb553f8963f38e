"""How much each input counts where several are given: shares that err least on registered volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from surgical_style_engine.models.joined import JoinedPairs, Shares

LEAST = 0.1  # a smaller share is not worth its network's time
STEPS, RATE = 2000, 0.5
Products = Mapping[tuple[str, str], float]  # by two inputs, of a patient and a target


def products_of(errors: Mapping[str, np.ndarray], span: float) -> dict[tuple[str, str], float]:
    """Mean products of the errors of every two inputs, over the square of the real image's range.

    Args:
        errors: Of each input's translation, the same voxels; normalised units.
        span: The range of the real image within these voxels, the same units.

    >>> products_of({"T1w": np.array([0.5, 0.0])}, 2.0)[("T1w", "T1w")]
    0.03125
    """
    arrays = {name: values.astype(np.float64).ravel() / span for name, values in errors.items()}
    return {(a, b): float(arrays[a] @ arrays[b]) / arrays[a].size for a in arrays for b in arrays}


def best_shares(products: Sequence[Products], given: Sequence[str]) -> dict[str, float]:
    """Shares, at least 0 and 1 in sum, of the greatest mean PSNR over patients.

    An input that would count less than ``LEAST`` is left out. The error of a weighted mean of translations is the
    weighted mean of their errors, so that its mean square is a quadratic form of the shares (stacked generalisation:
    Wolpert, Neural Networks, 1992; shares that cannot be negative: Breiman, Machine Learning, 1996).

    Args:
        products: Of each patient, as ``products_of`` gives them; at least one.
        given: The inputs, all of which every patient has.

    Returns:
        Shares by input, those above 0.
    """
    names = list(given)
    while True:
        forms = np.array([[[each[a, b] for b in names] for a in names] for each in products])
        shares = _least_error(forms)
        if len(names) == 1 or shares.min() >= LEAST:
            return dict(zip(names, np.round(shares / shares.sum(), 4).tolist(), strict=True))
        names.pop(int(np.argmin(shares)))


def _least_error(forms: np.ndarray) -> np.ndarray:
    """Shares of the least mean logarithm of s' F s over forms F (n, k, k), by exponentiated gradients."""
    shares = np.full(forms.shape[1], 1 / forms.shape[1])
    for step in range(STEPS):
        slopes = forms @ shares
        gradient = np.mean(2 * slopes / np.maximum(slopes @ shares, 1e-12)[:, None], 0)
        shares = shares * np.exp(-RATE * (1 - step / STEPS) * (gradient - gradient @ shares))
        shares /= shares.sum()
    return shares


def measured_shares(pairs: JoinedPairs, products: Mapping[str, Sequence[Products]]) -> tuple[Shares, dict[str, int]]:
    """Shares of every set of inputs: measured where patients have all of them, else all equal.

    Where only some of a set count, their shares are those that they have without the others, so that what does not
    count changes nothing.

    Args:
        pairs: The models to join.
        products: Of the patients, by target.

    Returns:
        The shares, and how many patients those of several inputs come from, by the route's name.
    """
    shares, patients = pairs.equal_shares(), dict[str, int]()
    for given, target in sorted(shares, key=lambda route: len(route[0])):  # those of fewer inputs first
        leading = [name for name in pairs.domains if name in shares[given, target]]
        having = [each for each in products.get(target, ()) if all((name, name) in each for name in leading)]
        if having and len(leading) > 1:
            best = best_shares(having, leading)
            counting = frozenset(best)
            shares[given, target] = best if len(best) == len(leading) else shares[counting, target]
            patients[f"{'+'.join(name for name in pairs.domains if name in given)}>{target}"] = len(having)
    return shares, patients
