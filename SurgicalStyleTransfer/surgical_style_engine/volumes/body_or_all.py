"""Where a style belongs: on the patient, not on the air."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.errors import InputError

from .volume import Volume


def find_body(content: np.ndarray) -> np.ndarray:
    """(c, s, h, w) in [0, 1] -> bool (s, h, w); everything where there is no telling."""
    from .body_mask import body_mask

    try:
        return body_mask(Volume(np.ascontiguousarray(content)))
    except InputError:
        return np.ones(content.shape[1:], bool)
