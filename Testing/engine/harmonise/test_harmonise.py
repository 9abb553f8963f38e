from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tissue_phantom import T1W_LEVELS, tissue_phantom

from surgical_style_engine.errors import InputError
from surgical_style_engine.harmonise.harmonise import harmonise_volume, kind_to_harmonise
from surgical_style_engine.harmonise.look import Look, look_of
from surgical_style_engine.volumes.tissues.landmarks import measure

OTHER = {"CSF": 130.0, "grey": 250.0, "white": 330.0, "scalp": 400.0, "bone": 10.0}


@pytest.fixture(scope="module")
def look() -> Look:
    return look_of([measure(tissue_phantom(OTHER), "T1w", True)[0]], "T1w", "site B")


def test_a_head_takes_the_look_of_a_brain_from_another_scanner(look):
    volume = tissue_phantom(whole=True, bias=0.15)
    done = harmonise_volume(volume, look)
    plain = tissue_phantom(whole=True, noise=0).array[0]
    for tissue in ("CSF", "grey", "white"):
        inside = plain == T1W_LEVELS[tissue]
        assert np.median(done.volume.array[0][inside]) == pytest.approx(OTHER[tissue], rel=0.08), tissue
    assert done.volume.same_grid(volume) and not done.warnings
    assert done.volume.array[0][plain == 0].max() == 0, "air stays air"


def test_to_its_own_look_a_scan_stays_as_it_is():
    volume = tissue_phantom()
    own = look_of([measure(volume, "T1w", True)[0]], "T1w", "itself")
    done = harmonise_volume(volume, own)
    inside = volume.array[0] > 0
    assert np.abs(done.volume.array[0] - volume.array[0])[inside].mean() < 0.02 * T1W_LEVELS["white"]


def test_another_contrast_is_refused(look):
    with pytest.raises(InputError, match="is T2w, the look 'site B' is of T1w"):
        harmonise_volume(tissue_phantom(), look, kind="T2w", extracted=True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"metadata": {"Modality": "CT"}}, "Hounsfield units mean the same"),
        ({"array": np.zeros((3, 8, 8, 8), np.uint8)}, "scalar MR"),
        ({"array": np.ones((1, 8, 8, 8), np.float32), "name": "x.nrrd"}, "not known to be T1w, T2w or FLAIR"),
    ],
)
def test_what_cannot_be_harmonised_is_told(change, sentence):
    with pytest.raises(InputError, match=sentence):
        kind_to_harmonise(replace(tissue_phantom(), **change))
