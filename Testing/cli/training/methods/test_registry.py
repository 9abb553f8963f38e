from __future__ import annotations

from typing import get_args

import pytest

from surgical_style_engine.errors import InputError
from training_cli.training.config import TrainingConfig, load_config
from training_cli.training.methods import METHODS, build_method


def test_the_configuration_offers_exactly_the_registered_methods():
    assert set(get_args(TrainingConfig.model_fields["method"].annotation)) == set(METHODS)


def test_an_unknown_method_is_one_sentence_that_names_the_known_ones():
    with pytest.raises(InputError, match="'gradient'.*cyclegan"):
        build_method("gradient")


@pytest.mark.parametrize("name", METHODS)
def test_a_method_offers_what_the_loop_asks_for(name):
    from accelerate import Accelerator

    config = load_config(
        None, {"source": "a", "target": "b", "output": "r", "max_steps": 1, "ngf": 4, "n_blocks": 1, "ndf": 4}
    )
    method = build_method(name, config, 1, 1, "cpu", Accelerator(cpu=True).autocast)
    assert "forward" in method.generators() and set(method.generators()) <= set(method.architecture)
    method.load_state_dict(method.state_dict())
    trained = {id(p) for network in method.networks().values() for p in network.parameters()}
    assert trained.isdisjoint(id(p) for network in method.generators().values() for p in network.parameters())
