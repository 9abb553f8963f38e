"""Workers, and models for them."""

import sys

import pytest
import warm_python
from tiny_models import make_tiny_model
from worker_process import PATIENCE, Talk

from surgical_style_engine import __version__
from surgical_style_engine.worker import messages as protocol


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def tiny(models):
    return make_tiny_model(models)


@pytest.fixture
def start(tmp_path):
    talks = []

    def begin(code=None, python=None):
        scratch = tmp_path / f"scratch{len(talks)}"
        scratch.mkdir()
        talks.append(Talk(scratch, code, python))
        ready = talks[-1].next()
        assert ready == {"event": "ready", "protocol": protocol.VERSION, "version": __version__, "pid": ready["pid"]}
        # What starts at once has a launcher before it.
        assert (ready["pid"] == talks[-1].process.pid) == ((python or warm_python.command()) == sys.executable)
        return talks[-1]

    yield begin
    for talk in talks:
        if talk.process.poll() is None:
            talk.process.kill()
        talk.process.wait(PATIENCE)
