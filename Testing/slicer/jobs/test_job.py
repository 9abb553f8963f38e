"""What every job keeps to: one end, whatever happens in which order, and no files left behind."""

import pytest


class Client:
    """A worker's client whose answers the test gives."""

    def __init__(self, dies_at_once=False):
        self.requests, self.cancelled = [], []
        self.dies_at_once = dies_at_once

    def request(self, task, on_result, on_error, on_progress=None, **arguments):
        self.requests.append((task, on_result, on_error, on_progress, arguments))
        if self.dies_at_once:
            on_error("died", "The worker could not start.")
        return len(self.requests)

    def cancel(self, number):
        self.cancelled.append(number)

    def answer(self, **answer):
        self.requests[-1][1](answer)

    def refuse(self, code="cancelled", message="Cancelled."):
        self.requests[-1][2](code, message)


class Told:
    """A listener that writes down what it hears."""

    def __init__(self):
        from SurgicalStyleTransferLib.jobs.job import Listener

        self.heard, self.progress = [], []
        self.listener = Listener(
            lambda outcome: self.heard.append(outcome),
            lambda code, message: self.heard.append((code, message)),
            self.progress.append,
        )


@pytest.fixture
def exchange(slicer_app, module):
    from SurgicalStyleTransferLib.worker.exchange import Exchange

    made = Exchange()
    yield made
    made.close()


@pytest.fixture
def make(exchange):
    """Make a job of so many frames, each with a file that the worker writes at once."""
    from SurgicalStyleTransferLib.jobs.job import FramewiseJob

    class Counting(FramewiseJob):
        problem_at = None
        outcome_problem = None

        def _frame_count(self):
            return 3

        def _ask_frame(self, index):
            if index == self.problem_at:
                raise ValueError("The frame is bent.")
            path = self._new_file("frame")
            path.write_bytes(b"voxels")
            self._ask("count", self._on_frame, frame=index)

        def _all_answered(self):
            if self.outcome_problem is not None:
                raise self.outcome_problem
            self._finish([answer["value"] for answer in self._answers])

    def do(client, told):
        return Counting(client, exchange, told.listener)

    return do


def files(exchange):
    return list(exchange.folder.iterdir())


def test_frames_are_asked_for_one_after_the_other(make, exchange):
    client, told = Client(), Told()
    make(client, told).start()
    for value in (3, 4, 5):
        assert told.heard == []
        client.requests[-1][3]("count", 1, 2)
        client.answer(value=value)
    assert told.heard == [[3, 4, 5]] and [entry[4]["frame"] for entry in client.requests] == [0, 1, 2]
    assert [(entry.frame, entry.frames, entry.done, entry.total) for entry in told.progress] == [
        (1, 3, 1, 2),
        (2, 3, 1, 2),
        (3, 3, 1, 2),
    ]
    assert files(exchange) == []


@pytest.mark.parametrize("at", [0, 1])
def test_a_frame_that_cannot_be_asked_for_is_bad_input(make, exchange, at):
    client, told = Client(), Told()
    job = make(client, told)
    job.problem_at = at
    job.start()
    if at:
        client.answer(value=1)
    assert told.heard == [("bad_input", "The frame is bent.")] and files(exchange) == []


def test_an_outcome_that_cannot_be_made_is_a_failure(make, exchange):
    client, told = Client(), Told()
    job = make(client, told)
    job.outcome_problem = RuntimeError("The output is gone.")
    job.start()
    for value in range(3):
        client.answer(value=value)
    assert told.heard == [("failed", "The output is gone.")] and files(exchange) == []


def test_a_worker_that_dies_before_the_request_returns(make, exchange):
    client, told = Client(dies_at_once=True), Told()
    job = make(client, told)
    job.start()
    job.cancel()
    job.abandon("too late")
    assert told.heard == [("died", "The worker could not start.")] and client.cancelled == []
    assert files(exchange) == []


def test_cancelled(make, exchange):
    client, told = Client(), Told()
    job = make(client, told)
    job.start()
    job.cancel()
    assert client.cancelled == [1] and told.heard == []
    client.refuse()
    job.cancel()
    assert client.cancelled == [1] and told.heard == [("cancelled", "Cancelled.")] and files(exchange) == []


@pytest.mark.parametrize("late", ["result", "error"])
def test_abandoned_it_ends_at_once_and_its_files_with_the_late_answer(make, exchange, late):
    client, told = Client(), Told()
    job = make(client, told)
    job.start()
    job.abandon("The volume is gone.")
    job.abandon("The scene is gone.")
    assert told.heard == [("abandoned", "The volume is gone.")] and client.cancelled == [1]
    assert len(files(exchange)) == 1, "the worker may still write there"
    client.requests[-1][3]("count", 2, 2)
    client.answer(value=1) if late == "result" else client.refuse()
    assert len(told.heard) == 1 and told.progress == [] and files(exchange) == []
    assert len(client.requests) == 1, "no other frame is asked for"


def test_what_is_raised_by_whoever_is_told_is_not_hidden(make, exchange):
    """The job is over by then: a fault of the panel's is none of the job's."""
    from SurgicalStyleTransferLib.jobs.job import Listener

    client, failures = Client(), []

    def done(outcome):
        raise ValueError("a fault in the panel")

    told = Told()
    told.listener = Listener(done, lambda code, message: failures.append(code))
    make(client, told).start()
    for value in (1, 2):
        client.answer(value=value)
    with pytest.raises(ValueError, match="a fault in the panel"):
        client.answer(value=3)
    assert failures == []


def test_one_run_at_a_time(ready, until):
    from SurgicalStyleTransferLib.jobs.fusion_job import FusionPlan
    from SurgicalStyleTransferLib.jobs.style_job import plan_of

    widget = ready()
    engine, told = widget.logic.engine, Told()
    node = widget._parameterNode.inputVolume
    plan = plan_of(widget._parameterNode, widget.panel.context.card(), all_frames=False)
    engine.apply(plan, told.listener)
    with pytest.raises(RuntimeError, match="being applied already"):
        engine.apply(plan, told.listener)
    fusion = FusionPlan([node.GetID(), node.GetID()], [1.0, 1.0])
    engine.fuse(fusion, told.listener)
    with pytest.raises(RuntimeError, match="being fused already"):
        engine.fuse(fusion, told.listener)
    until(lambda: engine.style_job is None and engine.fusion_job is None, "the end of both")
    assert len(told.heard) == 2
