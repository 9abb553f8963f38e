"""A task in steps: read ahead, computed, written."""

import numpy as np
from tiny_work import Copy, text_tasks

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from training_cli.cohort.run.steps import Ahead, attempt, begin, compute, end
from training_cli.cohort.run.work import Done, Failed


def test_what_is_read_ahead_is_given_once(tmp_path, head_volume):
    path = tmp_path / "a.nii.gz"
    write_volume(head_volume(), path)
    files = Ahead()
    files.fetch([path, tmp_path / "none.nii.gz"])  # what is not there is told in its turn
    kept = files.read(path)
    assert np.array_equal(kept.array, read_volume(path).array)
    path.unlink()
    try:
        files.read(path)
    except Exception as error:
        assert "does not exist" in str(error)
    else:
        raise AssertionError("it was kept")


def test_writing_waits_for_the_last_step_and_follows_the_order(tmp_path, head_volume):
    files, order = Ahead(), []
    files.write(head_volume(), tmp_path / "a.nii.gz", {})
    files.later(lambda: order.append((tmp_path / "a.nii.gz").exists()))
    assert not list(tmp_path.iterdir())
    files.finish()
    files.finish()
    assert order == [True]


def test_steps_are_the_whole(tmp_path):
    task = text_tasks(tmp_path, 1)[0]
    step = compute(Copy(), begin(Copy(), task))
    assert isinstance(step.outcome, Done) and not task.outputs[0].exists()
    finished = end(step, "tcp://w")
    assert task.outputs[0].read_text() == "TEXT 0" and finished.worker == "tcp://w"
    again = attempt(Copy(), task)
    assert (again.digest, again.stamp) == (finished.digest, finished.stamp)


def test_a_failure_is_the_tasks_own_and_nothing_is_written(tmp_path):
    task = text_tasks(tmp_path, 1)[0]
    task.inputs[0].write_text("odd")
    finished = attempt(Copy(), task)
    assert finished.outcome == Failed("It is odd.", is_misfit=True) and not task.outputs[0].exists()
    task.inputs[0].unlink()
    ended = begin(Copy(), task)
    assert isinstance(ended.outcome, Failed) and compute(Copy(), ended) is ended and end(ended).stamp == ""
