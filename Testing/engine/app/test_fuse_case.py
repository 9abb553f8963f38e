"""The use case "fuse" gives what the engine gives, for volumes and files alike."""

import numpy as np
import pytest

from surgical_style_engine.app.fuse_case import FuseCase, fuse_case
from surgical_style_engine.errors import InputError
from surgical_style_engine.fusion import fuse_volumes
from surgical_style_engine.imageio.write import write_volume


@pytest.fixture
def pair(head_volume):
    volume = head_volume()
    return [volume, volume.with_array((900 - volume.array) * (volume.array > 0))]


def test_it_is_what_the_engine_gives(pair, tmp_path):
    for number, volume in enumerate(pair):
        write_volume(volume, tmp_path / f"{number}.nrrd")
    stages = []
    fused = fuse_case(FuseCase([tmp_path / "0.nrrd", pair[1]], "weighted", weights=[3, 1], stage=stages.append))
    expected = fuse_volumes(pair, method="weighted", weights=[3, 1])
    np.testing.assert_array_equal(fused.fusion.volume.array, expected.volume.array)
    assert fused.moved == [None] and fused.quality["q_abf"] > 0
    assert fused.notes["StyleModel"] == "weighted fusion" and fused.reference.same_grid(pair[0])
    assert stages == ["reading", "fusing 2 volumes", "judging"]
    assert fuse_case(FuseCase(pair, judge=False)).quality == {}


def test_an_output_that_cannot_hold_it_is_refused_at_once(pair, tmp_path, monkeypatch):
    from surgical_style_engine.app import fuse_case as module

    monkeypatch.setattr(module, "fuse_volumes", lambda *_, **__: pytest.fail("computed in vain"))
    with pytest.raises(InputError, match="format"):
        fuse_case(FuseCase(pair, output=tmp_path / "o.docx"))
