"""Several inputs through one network: on the first one's grid, in the domains' order, with their common air."""

from importlib.util import find_spec

import numpy as np
import pytest
from tiny_models import head, make_tiny_many

from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.several.stacked import Beside, stacked, without_common_air
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_tiny_many(tmp_path_factory.mktemp("many")))


def volume(seed: int = 1, gain: float = 1.0) -> Volume:
    return Volume(head(seed)[None] * gain, (1.5, 1.5, 3.0))


def beside(model, domain: str, image: Volume) -> Beside:
    normalized = model.card.domain(domain).normalization.fit(image.array).forward(image.array)
    return Beside(domain, image, normalized.astype(np.float32))


@pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
class TestTranslation:
    RUN = {"device": "cpu", "precision": "fp32", "backend": "openvino"}

    def translated(self, model, first: Volume, direction: str, *others: Beside, **more) -> np.ndarray:
        return translate_volume(first, model, direction=direction, beside=others, **self.RUN, **more).volume.array

    def test_the_order_of_inputs_only_chooses_the_grid(self, model):
        first, second = volume(1), volume(2)
        one = self.translated(model, first, "T1w+FLAIR>T2w", beside(model, "FLAIR", second))
        other = self.translated(model, second, "FLAIR+T1w>T2w", beside(model, "T1w", first))
        assert one.shape == first.array.shape and np.allclose(one, other, atol=1e-2)
        alone = self.translated(model, first, "T1w>T2w")
        assert not np.allclose(one, alone, atol=1)

    def test_units_are_the_targets_and_strength_is_of_the_first_input(self, model):
        first, second = volume(1), volume(2)
        whole = self.translated(model, first, "T1w+T2w>FLAIR", beside(model, "T2w", second))
        assert 0 <= whole.min() and whole.max() <= 1000 and whole.std() > 1
        none = self.translated(model, first, "T1w+T2w>FLAIR", beside(model, "T2w", second), strength=0.0)
        assert np.allclose(none, first.array)

    def test_every_input_must_be_there(self, model):
        with pytest.raises(InputError):
            translate_volume(volume(), model, direction="T2w>T2w", **self.RUN)


def test_channels_are_in_the_domains_order(model):
    class Blend:
        input = volume(1)
        landmarks = model.card.domain("FLAIR").normalization.fit(input.array)

    other = beside(model, "T1w", volume(2))
    both = stacked(Blend(), [other], model.card, "FLAIR+T1w>T2w")
    assert np.array_equal(both.array[0], other.normalized[0]) and both.array.shape[0] == 2


def test_air_is_where_no_input_has_anything():
    inputs = np.full((2, 4, 20, 20), -1, np.float32)
    inputs[0, :, 5:10, 5:10] = inputs[1, :, 12:15, 12:15] = 0.5
    output = np.full((1, 4, 20, 20), 0.3, np.float32)
    result = without_common_air(inputs, inputs[:1], output)
    assert (result[0, :, 5:10, 5:10] == np.float32(0.3)).all() and (result[0, :, 12:15, 12:15] == np.float32(0.3)).all()
    assert (result[0, :, :5] == -1).all()
