"""What a run keeps for its page."""

import numpy as np

from surgical_style_engine.app.maps import NOT_JUDGED
from surgical_style_engine.imageio.read import read_volume


def test_a_map_keeps_what_was_not_judged_apart(run):
    from surgical_style_engine.app.maps import save_maps
    from surgical_style_engine.metrics import CycleMetrics, CycleScore

    volume = read_volume(run / "SMITH_JOHN_T1.nrrd")
    error = np.full(volume.array.shape, np.nan, np.float32)
    error[:, 4] = 0.25
    score = CycleScore(0.25, 0.25)
    kept = save_maps(run / "some", "x", volume, CycleMetrics(score, None, error, error, 1), {})
    stored = read_volume(kept["cycle_error"])
    assert stored.same_grid(volume) and (stored.array[:, 4] == 0.25).all() and (stored.array[:, 5] == NOT_JUDGED).all()
