"""Every kind of style gets its runner, and one that is there already is used again."""

import numpy as np
import pytest
from fakes import Fake, make_model
from tiny_models import make_tiny_model

from surgical_style_engine.backends.runner import SequenceRunner
from surgical_style_engine.backends.torch_runner import TorchRunner
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.runners import runner_for
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.volume import Volume

ON_CPU = RunOptions(device="cpu", precision="fp32", backend="torch")


class Darkening(SequenceRunner):
    """Each slice is darker than the one before; notes what it was asked."""

    backend = "fake"

    def __init__(self):
        self.begun = self.ticks = 0

    def begin(self):
        self.begun += 1

    def run(self, batch):
        raise AssertionError("slices are taken all at once")

    def stylize_slices(self, array, channels, tick, finished):
        assert array.shape[0] == channels == 1
        made = array.copy()
        for index in range(array.shape[1]):
            tick(0, 2)
            made[:, index] -= 0.01 * index
            finished(1)
        return np.clip(made, -1, 1)


def test_a_network(tmp_path):
    model = load_model(make_tiny_model(tmp_path))
    runner = runner_for(model, "backward", ON_CPU)
    assert isinstance(runner, TorchRunner) and (runner.device, runner.precision) == ("cpu", "fp32")
    with pytest.raises(InputError, match="There is no backend 'tensorrt'"):
        runner_for(model, options=ON_CPU, backend="tensorrt")


def test_the_one_that_is_there_is_used_again():
    runner = Fake()
    assert runner_for(make_model(), options=RunOptions(runner=runner)) is runner
    assert runner_for(make_model(), runner=runner, device="tpu") is runner


def test_slices_in_their_order_begin_anew_with_every_volume():
    rng = np.random.default_rng(0)
    volume, runner, told = Volume(rng.uniform(0, 900, (1, 5, 20, 24)).astype(np.float32)), Darkening(), []
    for count in (1, 2):
        translation = translate_volume(volume, make_model(), runner=runner, progress=lambda *at: told.append(at))
        assert runner.begun == count
    change = translation.normalized_output - translation.normalized_input
    np.testing.assert_allclose(change[0].min(axis=(1, 2)), [0, -0.01, -0.02, -0.03, -0.04], atol=1e-5)
    # Steps within the slices while they are run, slices when they are done.
    assert told[:4] == [(0, 10), (1, 5), (2, 10), (2, 5)] and told[-1] == (5, 5)
