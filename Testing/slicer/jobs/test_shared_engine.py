"""One engine for all widgets and scripts: made once, closed with its last user, never handed out when it is closed."""

import pytest


@pytest.fixture
def made(slicer_app, module):
    """Makes engines as the module does; what is left open is closed."""
    from SurgicalStyleTransferLib.jobs.engine import Engine

    engines = []

    def make():
        engines.append(Engine())
        return engines[-1]

    make.engines = engines
    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def shared(slicer_app, module, monkeypatch):
    """The module's shared engine, beside those of other tests."""
    from SurgicalStyleTransferLib.jobs import shared_engine

    monkeypatch.setattr(shared_engine, "_engines", [])
    monkeypatch.setattr(shared_engine, "_users", {})
    return shared_engine


def test_all_share_one_and_the_last_closes_it(shared, made):
    engine = shared.acquire(made)
    assert shared.acquire(made) is engine and len(made.engines) == 1
    shared.release(engine)
    assert not engine.is_closed
    shared.release(engine)
    assert engine.is_closed


def test_one_that_a_script_closed_is_not_handed_out(shared, made):
    closed = shared.acquire(made)
    closed.close()
    engine = shared.acquire(made)
    assert engine is not closed and not engine.is_closed
    assert shared.acquire(made) is engine, "the new one is shared, too"
    shared.release(closed)  # by the script, at its end
    assert not engine.is_closed
