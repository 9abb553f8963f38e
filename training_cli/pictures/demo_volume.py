"""The demo's volume: the ICBM152 2009 T1 template with its tissue maps, as nilearn's package carries them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.volume import Volume

NAME = "ICBM152 2009 T1"
CREDIT = "ICBM 152 nonlinear symmetric template 2009 (Fonov et al., NeuroImage 2011), as shipped with nilearn"


def icbm152() -> tuple[Volume, dict[str, np.ndarray]]:
    """The brain-extracted T1 average at 1 mm, and bool (z, y, x) maps of white, grey and CSF. Downloads nothing.

    White and grey are where their probability is above 0.8; CSF is what lies in the brain and is neither.

    Raises:
        InputError: The package nilearn is not installed.
    """
    try:
        from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template
    except ImportError:
        sentence = "The demo's volume is in the package nilearn: pip install nilearn, or name a VOLUME."
        raise InputError(sentence) from None

    with tempfile.TemporaryDirectory() as folder:
        loaded = []
        for load in (load_mni152_template, load_mni152_gm_template, load_mni152_wm_template):
            path = Path(folder) / f"{load.__name__}.nii"
            load(resolution=1).to_filename(path)
            loaded.append(read_volume(path))
    head, grey, white = loaded
    inside, grey, white = head.array[0] > 0, grey.array[0], white.array[0]
    maps = {"white": white > 0.8, "grey": grey > 0.8, "CSF": inside & (grey < 0.1) & (white < 0.1)}
    return head, maps
