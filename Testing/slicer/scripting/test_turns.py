"""Who waits comes back, who is called back is called once, and nobody waits for ever."""

import threading
import types

import pytest


@pytest.fixture
def jobs(slicer_app, module):
    """Jobs that end when the test says so; ``under_way`` is the one that runs."""
    from SurgicalStyleTransferLib.scripting.turns import Turn, Turns

    state = types.SimpleNamespace(turns=Turns(), under_way=None, started=[], abandoned=[])

    def turn(name, problem=None):
        def start(listener):
            assert state.under_way is None, "two at a time"
            state.started.append(name)
            if problem:
                raise ValueError(problem)
            state.under_way = types.SimpleNamespace(
                listener=listener, abandon=lambda message: (state.abandoned.append(name), end(error=("abandoned", "")))
            )

        return Turn(start, lambda: state.under_way, lambda outcome: f"value of {outcome}")

    def end(outcome=None, error=None):
        listener, state.under_way = state.under_way.listener, None
        listener.on_error(*error) if error else listener.on_done(outcome)

    state.turn, state.end = turn, end
    return state


def soon(action, milliseconds=30):
    import qt

    qt.QTimer.singleShot(milliseconds, action)


def test_waiting_comes_back_with_the_value(jobs):
    soon(lambda: jobs.end("a"))
    assert jobs.turns.wait(jobs.turn("a"), 30) == "value of a"


def test_waiting_raises_what_went_wrong(jobs):
    soon(lambda: jobs.end(error=("failed", "The disk is full.")))
    with pytest.raises(RuntimeError, match="^The disk is full.$"):
        jobs.turns.wait(jobs.turn("a"), 30)
    with pytest.raises(RuntimeError, match="^No such volume.$"):
        jobs.turns.wait(jobs.turn("b", problem="No such volume."), 30)
    assert jobs.under_way is None


def test_an_end_without_a_sentence_is_told_by_its_code(jobs):
    soon(lambda: jobs.end(error=("abandoned", "")))
    with pytest.raises(RuntimeError, match="abandoned"):
        jobs.turns.wait(jobs.turn("a"), 30)


def test_what_takes_too_long_is_given_up_and_the_next_one_runs(jobs):
    with pytest.raises(RuntimeError, match="longer than 0.05 s"):
        jobs.turns.wait(jobs.turn("slow"), 0.05)
    assert jobs.abandoned == ["slow"] and jobs.under_way is None
    soon(lambda: jobs.end("b"))
    assert jobs.turns.wait(jobs.turn("b"), 30) == "value of b"


def test_who_gives_up_before_the_turn_came_leaves_others_jobs_alone(jobs):
    jobs.under_way = other = types.SimpleNamespace(abandon=lambda message: pytest.fail("another's job was ended"))
    with pytest.raises(RuntimeError, match="longer"):
        jobs.turns.wait(jobs.turn("late"), 0.05)
    assert jobs.under_way is other and jobs.started == []


def test_calls_back_come_in_their_order_one_at_a_time(jobs, until):
    heard = []
    for name in "abc":
        jobs.turns.call_back(jobs.turn(name), heard.append, heard.append)
    assert jobs.started == ["a"]
    jobs.end("a")
    assert heard == []  # never from within the worker's signal
    until(lambda: jobs.started == ["a", "b"], "the next turn")
    jobs.end(error=("failed", "No."))
    until(lambda: jobs.started == ["a", "b", "c"], "the last turn")
    jobs.end("c")
    until(lambda: len(heard) == 3, "all calls back")
    assert [str(entry) for entry in heard] == ["value of a", "No.", "value of c"]


def test_waiting_within_a_call_back_does_not_wait_for_ever(jobs, until):
    heard = []

    def then(value):
        soon(lambda: jobs.end("b"))
        heard.append(jobs.turns.wait(jobs.turn("b"), 30))

    jobs.turns.call_back(jobs.turn("a"), then)
    jobs.end("a")
    until(lambda: heard == ["value of b"], "the call within the call back")


def test_without_a_second_callback_errors_are_logged(jobs, until, caplog):
    jobs.turns.call_back(jobs.turn("a", problem="No such style."), pytest.fail)
    until(lambda: "No such style." in caplog.text, "the log")


def test_another_thread_is_refused(jobs):
    raised = []

    def call():
        try:
            jobs.turns.wait(jobs.turn("a"), 1)
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert len(raised) == 1 and "main thread" in raised[0] and jobs.started == []
