"""Translations in a process of its own: the same as in this one, with its time and memory; errors come back."""

import numpy as np
import pytest
from tiny_models import make_tiny_model, oblique_head

from surgical_style_engine.app.court.measured import Run, translate_all
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.write import write_volume


def test_another_process_gives_the_same_and_its_own_memory(tmp_path):
    model = make_tiny_model(tmp_path)
    source = tmp_path / "p1.nii.gz"
    write_volume(oblique_head(), source)
    results = []
    for own in (True, False):
        output = tmp_path / str(own)
        output.mkdir()
        results.append(translate_all(Run(model, "forward", (source,), output, "cpu", "fp32", "torch"), own))
    assert np.array_equal(*(np.load(tmp_path / str(own) / "0.npy") for own in (True, False)))
    first = results[0]
    assert (first["device"], first["backend"], first["precision"]) == ("cpu", "torch", "fp32")
    assert first["seconds"] > 0 and first["cpu_seconds"] > 0 and (first["peak_mb"] is None or first["peak_mb"] > 10)
    with pytest.raises(InputError, match="no direction"):
        translate_all(Run(model, "sideways", (source,), tmp_path))
