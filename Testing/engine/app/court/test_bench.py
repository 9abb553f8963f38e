"""One patient's bench: scales cancel out in arbitrary units and count in HU."""

import numpy as np
import pytest
from lesion_phantom import phantom

from surgical_style_engine.app.court.bench import Bench, Sides, domain_of
from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

PHANTOM = phantom()


def bench(gain=300.0, offset=300.0, **more):
    source, real = (Volume((gain * image + offset)[None]) for image in (PHANTOM.source, PHANTOM.real))
    sides = Sides(domain_of(source, "source"), domain_of(real, "target"))
    return Bench(source, real, sides, more.pop("region", PHANTOM.region), **more), real


def test_a_scale_is_no_error_where_units_are_arbitrary():
    judge, real = bench()
    assert judge.compared_in == "normalised"
    assert judge.values(judge.normalised(5 * real.array))["psnr"] > 60


def test_hu_are_compared_as_they_are():
    judge, real = bench(gain=600.0, offset=-100.0)
    assert judge.compared_in == "HU"
    assert judge.values(judge.normalised(real.array + 100))["psnr"] < 30


def test_lesions_where_they_are_known():
    judge, _ = bench(lesions=PHANTOM.labels)
    perfect = judge.values(judge.real)
    assert perfect["lesions_seen"] == 1 and perfect["lesion_contrast"] == 1 and perfect["invented_per_100_ml"] == 0
    assert judge.values(judge.floors()["one_grey"])["lesions_seen"] == 0
    assert "lesions_seen" not in bench()[0].values(judge.real)


def test_what_cannot_be_judged():
    with pytest.raises(InputError, match="covers nothing"):
        bench(region=np.zeros(PHANTOM.region.shape, bool))
    colour = Volume(np.zeros((3, 4, 4, 4), np.float32))
    with pytest.raises(InputError, match="in colour"):
        Bench(colour, colour, Sides(None, None), np.ones((4, 4, 4), bool))
