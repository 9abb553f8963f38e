"""Whether pairs lie on each other is looked at; files say nothing of a patient."""

import numpy as np
from adapting import head_pair

from surgical_style_engine.imageio.read import read_volume
from training_cli.adapt.request import checked
from training_cli.adapt.volumes import lay_pairs, write_volumes


def test_a_pair_that_is_off_is_told_and_laid_there_on_request(asked, tmp_path):
    source, target = head_pair()
    far = type(target)(target.array, spacing=target.spacing, origin=(10.0, 0.0, 0.0), name="Doe.nii.gz")
    request, warnings = lay_pairs(checked(asked(tmp_path, sources=[source], targets=[far])), lambda line: None)
    assert len(warnings) == 1 and "10 mm" in warnings[0] and request.targets[0].origin == (10.0, 0.0, 0.0)
    asks = checked(asked(tmp_path, sources=[source], targets=[far], register=True))
    moved, warnings = lay_pairs(asks, lambda line: None)
    assert warnings == [] and np.abs(moved.targets[0].origin).max() < 1.0
    assert np.array_equal(moved.targets[0].array, far.array), "its voxels are not resampled"
    write_volumes(moved, tmp_path)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.mha"))
    assert names == ["source/volume-1.mha", "target/volume-1.mha"]
    assert read_volume(tmp_path / names[1]).same_grid(moved.targets[0])
