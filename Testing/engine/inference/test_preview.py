"""The preview of a slice, of one input and of several: the pixels of the whole translation."""

import numpy as np
import pytest
from tiny_models import head, make_tiny_many

from surgical_style_engine.inference.preview import SlicePreview
from surgical_style_engine.inference.runners import runner_for
from surgical_style_engine.inference.several.stacked import Beside
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_tiny_many(tmp_path_factory.mktemp("many")))


def volume(seed: int = 1) -> Volume:
    # x to the right, y to the front: turned against canonical axes.
    return Volume(head(seed)[None], (2.0, 2.0, 4.0), direction=np.diag([-1.0, -1.0, 1.0]))


@pytest.mark.parametrize("direction", ["T1w>T2w", "T1w+FLAIR>T2w", "FLAIR+T1w>T2w"])
def test_it_has_the_pixels_of_the_whole_translation(model, direction):
    first, other = volume(1), volume(2)
    given = model.card.route(direction).given
    beside = []
    for name in given[1:]:
        landmarks = model.card.domain(name).normalization.fit(other.array)
        beside.append(Beside(name, other, landmarks.forward(other.array)))
    options = {"device": "cpu", "precision": "fp32", "backend": "torch"}
    whole = translate_volume(first, model, direction=direction, beside=beside, batch_size=1, **options).volume
    preview = SlicePreview(first, model, direction, beside)
    runner = runner_for(model, direction, **options)
    for number in (0, 5, 11):
        position = tuple(np.asarray(first.direction) @ [20.0, 20.0, 4.0 * number])
        image, plane, index = preview.render(runner, "axial", position)
        assert (plane, index) == ("axial", number)
        np.testing.assert_allclose(image.array[0, 0], whole.array[0, number, ::-1, ::-1], atol=0.05)
    assert whole.array.std() > 50
