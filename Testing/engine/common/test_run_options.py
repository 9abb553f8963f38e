"""Options of a run, given whole, as keywords, or both."""

import dataclasses
import doctest

import pytest

from surgical_style_engine.common import run_options
from surgical_style_engine.common.run_options import RunOptions, RunSettings
from surgical_style_engine.errors import InputError


def test_keywords_are_laid_over_options():
    options = RunOptions(device="cpu", batch_size=2)
    assert RunOptions.of(None, {}) == RunOptions()
    assert RunOptions.of(options, {"batch_size": 4, "planes": ["all"]}) == RunOptions(
        "cpu", batch_size=4, planes=["all"]
    )
    assert options.batch_size == 2


def test_keywords_are_the_options():
    assert set(RunSettings.__annotations__) == {field.name for field in dataclasses.fields(RunOptions)}
    with pytest.raises(TypeError, match="devise"):
        RunOptions.of(None, {"devise": "cpu"})


def test_a_batch_holds_something():
    with pytest.raises(InputError, match="at least 1, not 0"):
        RunOptions(batch_size=0)


def test_the_example_runs():
    assert doctest.testmod(run_options).failed == 0
