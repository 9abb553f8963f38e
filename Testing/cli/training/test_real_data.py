"""Every method runs on real registered volumes, and its model translates one of them onto exactly its grid."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_training import as_options

from surgical_style_engine.imageio.read import read_volume

SETTINGS = {
    "pattern_source": "patient19_T1.*",
    "pattern_target": "patient19_T2.*",
    "max_steps": 3,
    "spacing": 4.0,
    "patch_size": 32,
    "ngf": 4,
    "n_blocks": 1,
    "ndf": 4,
    "n_layers": 2,
    "sample_every": 0,
    "device": "cpu",
    "precision": "fp32",
    "trackers": [],
    "name": "real",
    "nce_patches": 16,
}


@pytest.mark.parametrize("method", ["cyclegan", "cut", "fastcut", "paired"])
def test_a_model_of_real_volumes(shared_data, tmp_path, sst, method):
    folder = shared_data / "open-ms" / "mni"
    first, second = (next(folder.rglob(f"patient19_{name}.nii*")) for name in ("T1", "T2"))
    folders = {"source": first.parent, "target": second.parent, "output": tmp_path / "run"}
    settings = SETTINGS | folders | {"method": method}
    if method == "paired":
        (tmp_path / "pairs.csv").write_text(f"source,target\n{first},{second}\n", encoding="utf-8")
        settings["pairs"] = tmp_path / "pairs.csv"
    done = sst("train", *as_options(settings))
    assert done.code == 0, done.err
    model, output = tmp_path / "run" / "model" / "real", tmp_path / "out.nrrd"
    done = sst("translate", first, output, "--model", model, "--no-quality")
    assert done.code == 0, done.err
    source, made = read_volume(first), read_volume(output)
    assert made.same_grid(source) and made.array.shape == source.array.shape
    assert np.isfinite(made.array).all() and made.array.std() > 0
