"""Options of cohorts that do not go together, and what is said without the extra."""

import pytest

from surgical_style_engine.errors import InputError
from training_cli.cohort.command import Spreading
from training_cli.progress import Progress


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"workers": 2, "scheduler": "tcp://h:1"}, "give one of the two"),
        ({"workers": 0}, "--workers is at least 1"),
        ({"memory": "8GB"}, "--worker-memory belongs to --workers"),
    ],
)
def test_what_does_not_go_together(tmp_path, options, sentence):
    with pytest.raises(InputError, match=sentence):
        Spreading(tmp_path, **options)


def test_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("training_cli.cohort.command.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'surgical-style-transfer\[cluster\]'"):
        Spreading(tmp_path, workers=2).spread(Progress("none"))
    assert callable(Spreading(tmp_path).spread(Progress("none")))
