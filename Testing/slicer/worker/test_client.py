"""The worker process: kept warm, deaf, killed, out of memory, not starting."""

import os
import signal
from pathlib import Path

import pytest
from scene_helpers import volume_names
from worker_commands import SLOW_WORKER, worker_with

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_a_worker_deaf_to_cancel_is_ended(ready, until, apply, monkeypatch):
    deaf = worker_with(
        "flag = [0]\ndef deaf(self, batch):\n    flag[0] += 1\n    time.sleep(0.1 if flag[0] == 1 else 600)\n"
        "    return run(self, batch)\nbackends.TorchRunner.run = deaf"
    )
    widget = ready(deaf, batchSize=1)
    widget.ui.applyButton.click()
    until(lambda: widget.ui.progressBar.value == 1, "the first slice")
    widget.ui.applyButton.click()
    until(lambda: widget.logic.engine.style_job is None, "the end after Cancel")
    assert "Cancelled" in widget.ui.statusLabel.text and not widget.logic.engine.client.running


def test_apply_while_figures_are_deaf_to_their_cancel_is_done_after_them(ready, until, apply, monkeypatch, tmp_path):
    from SurgicalStyleTransferLib.worker import client as worker_client

    monkeypatch.setattr(worker_client, "GRACE_MS", 100)
    busy = worker_with(
        "from surgical_style_engine.worker.tasks import Tasks\nanswer = Tasks.run\n"
        "def slow(self, message, *rest):\n    if message['task'] == 'figures':\n"
        f"        open({str(tmp_path / 'judging')!r}, 'w').close()\n        time.sleep(1.5)\n"
        "    return answer(self, message, *rest)\nTasks.run = slow"
    )
    widget = ready(busy)
    first = apply(widget)
    pid = widget.logic.engine.client._process.processId()
    widget.ui.computeButton.click()
    until((tmp_path / "judging").exists, "the part that hears no cancel")
    second = apply(widget)
    assert "slices in" in widget.ui.statusLabel.text, widget.ui.statusLabel.text
    assert second is not None and first.GetID() in widget.logic.engine.results
    assert widget.logic.engine.client._process.processId() == pid


@pytest.mark.cold_worker
def test_a_second_apply_finds_the_worker_warm(scene, ready, apply):
    widget = ready()
    first = apply(widget)
    log = list(widget.logic.engine.client.log)
    second = apply(widget)
    assert first is not second and "(synthetic)" in second.GetName() and first.GetName() != second.GetName()
    started = [line for line in widget.logic.engine.client.log if "started" in line]
    assert len(started) == 1 and len(log) <= len(widget.logic.engine.client.log)


def test_a_worker_killed_from_outside(scene, ready, until, apply):
    widget = ready(SLOW_WORKER, batchSize=1)
    before = volume_names(scene)
    widget.ui.applyButton.click()
    until(lambda: widget.ui.progressBar.value > 0, "progress")
    os.kill(widget.logic.engine.client._process.processId(), signal.SIGKILL)
    until(lambda: widget.logic.engine.style_job is None, "the end of the run")
    assert "ended unexpectedly" in widget.ui.statusLabel.text and "Apply starts it again" in widget.ui.statusLabel.text
    assert volume_names(scene) == before and widget.ui.workerStateLabel.text == "not running"
    assert apply(widget) is not None, widget.ui.statusLabel.text


def test_out_of_memory(scene, ready, apply):
    widget = ready(worker_with("def none(self, batch):\n    raise MemoryError\nbackends.TorchRunner.run = none"))
    before = volume_names(scene)
    assert apply(widget) is None
    assert "too little memory" in widget.ui.statusLabel.text and volume_names(scene) == before
    assert widget.ui.applyButton.enabled and widget.logic.engine.client.running


def test_a_worker_that_cannot_start(scene, ready, apply):
    widget = ready(["/nonexistent/PythonSlicer"])
    before = volume_names(scene)
    assert apply(widget) is None
    assert "could not start" in widget.ui.statusLabel.text and volume_names(scene) == before
