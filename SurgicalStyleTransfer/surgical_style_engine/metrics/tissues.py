"""Tissue contrast before and after a translation: the check where tissue maps are known but no reference image is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from surgical_style_engine.errors import InputError

# Tissues from dark to bright.
BRAIN_ORDER = {"T1w": ("CSF", "grey", "white"), "T2w": ("white", "grey", "CSF"), "FLAIR": ("CSF", "white", "grey")}


def tissue_contrast(before: np.ndarray, after: np.ndarray, tissues: Mapping[str, np.ndarray], domain: str = "") -> dict:
    """Means of each tissue in two images, and the tissues from dark to bright in each.

    Args:
        before: (c, z, y, x), any units.
        after: The translation, on the same grid.
        tissues: Name -> bool (z, y, x).
        domain: The domain translated into; where `BRAIN_ORDER` knows it, ``as_expected`` says whether the tissues come
            in its order, else it is None.

    Returns:
        Keys tissues {name {before, after, voxels}}, order_before, order_after, expected, as_expected.

    Raises:
        InputError: A map is empty or of another size.
    """
    rows = {}
    for name, region in tissues.items():
        region = np.asarray(region, bool)
        if region.shape != before.shape[1:] or before.shape != after.shape:
            raise InputError(f"The map of {name} has shape {region.shape}, the volume {before.shape[1:]}.")
        if not region.any():
            raise InputError(f"The map of {name} is empty.")
        rows[name] = {
            "before": float(before[:, region].mean(dtype=np.float64)),
            "after": float(after[:, region].mean(dtype=np.float64)),
            "voxels": int(region.sum()),
        }
    expected = list(BRAIN_ORDER[domain]) if set(BRAIN_ORDER.get(domain, ())) == set(rows) else None
    order = {when: sorted(rows, key=lambda name: rows[name][when]) for when in ("before", "after")}
    return {
        "tissues": rows,
        "order_before": order["before"],
        "order_after": order["after"],
        "expected": expected,
        "as_expected": None if expected is None else order["after"] == expected,
    }
