"""The inputs beside the first one come to lie on its grid, or are refused in a sentence."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_models import head, make_tiny_many

from surgical_style_engine.app.several.beside import beside_first
from surgical_style_engine.errors import InputError, MisfitError
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.resampling import resample_like
from surgical_style_engine.volumes.volume import Volume

SHAPE = (24, 60, 56)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_tiny_many(tmp_path_factory.mktemp("many")))


@pytest.fixture(scope="module")
def first():
    return Volume(head(1, SHAPE)[None], (3.0, 3.0, 6.0))


def test_on_the_same_grid_it_stays_as_it_is(model, first):
    second = first.with_array(900 - first.array)
    (part,), warnings = beside_first(first, [second], model, "T1w+T2w>FLAIR")
    expected = model.card.domain("T2w").normalization.fit(second.array).forward(second.array)
    assert part.domain == "T2w" and np.allclose(part.normalized, expected) and warnings == []


def test_on_another_grid_it_is_resampled_by_the_scanners_coordinates(model, first):
    finer = Volume(np.zeros((1, 40, 70, 66)), (2.6, 2.6, 3.8), (1.0, -2.0, 1.0))
    other = resample_like(first, finer)
    (part,), _ = beside_first(first, [other], model, "T1w+FLAIR>T2w")
    assert part.normalized.shape == first.array.shape
    same = model.card.domain("FLAIR").normalization.fit(other.array).forward(first.array)
    assert np.abs(part.normalized - same).mean() < 0.1


def test_elsewhere_it_is_refused(model, first):
    away = Volume(first.array, (3.1, 3.0, 6.0), (5000.0, 0.0, 0.0), name="flair.nii.gz")
    with pytest.raises(InputError, match=r"flair.nii.gz and the reference do not overlap: it covers 0 % of the body"):
        beside_first(first, [away], model, "T1w+FLAIR>T2w")
    noise = np.random.default_rng(0).normal(size=(1, *SHAPE)).astype(np.float32)
    strange = Volume(noise, (3.1, 3.0, 6.0), name="flair.nii.gz")
    with pytest.raises(InputError, match=r"flair.nii.gz is on another grid and does not lie over the first input"):
        beside_first(first, [strange], model, "T1w+FLAIR>T2w")
    _, warnings = beside_first(first, [first.with_array(noise)], model, "T1w+FLAIR>T2w")
    assert warnings == [
        "The FLAIR is on the first input's grid but has little in common with it: look whether they fit."
    ]


@pytest.mark.parametrize(("direction", "count"), [("T1w>T2w", 1), ("T1w+FLAIR>T2w", 0), ("T1w+FLAIR>T2w", 2)])
def test_as_many_as_the_route_names(model, first, direction, count):
    with pytest.raises(InputError, match="for this, not"):
        beside_first(first, [first] * count, model, direction)


def test_colour_is_refused(model, first):
    colour = first.with_array(np.repeat(first.array, 3, 0))
    with pytest.raises(InputError, match="colour volumes are not taken together"):
        beside_first(first, [colour], model, "T1w+FLAIR>T2w")


def test_another_contrast_is_told_and_another_modality_refused(model, first):
    told = first.with_array(900 - first.array)
    told.metadata.update({"Modality": "MR"})
    told = replace(told, name="p1_T1.nii.gz")
    _, warnings = beside_first(first, [told], model, "FLAIR+T2w>T1w")
    assert any("p1_T1.nii.gz: The image is T1w by" in sentence and "T2w" in sentence for sentence in warnings)
    computed = replace(told, metadata={"Modality": "CT"})
    with pytest.raises(MisfitError, match=r"p1_T1.nii.gz is CT by its header, but the model tiny-many takes MR"):
        beside_first(first, [computed], model, "FLAIR+T2w>T1w")
    assert beside_first(first, [computed], model, "FLAIR+T2w>T1w", force=True)[0][0].domain == "T2w"
