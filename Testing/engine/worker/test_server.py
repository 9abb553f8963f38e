"""The worker as the panel meets it: a real process, cancel, failures, and its end."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny_models import head, make_tiny_model
from worker_process import BROKEN, NO_MEMORY, PATIENCE, SLOW, Talk, stored

from surgical_style_engine.worker import messages as protocol


def test_cancel_stops_within_one_batch_and_leaves_no_output(start, tiny):
    talk = start(SLOW)
    output = talk.scratch / "out.npy"
    talk.send(
        id=1,
        task="translate",
        volume=stored(talk, head()),
        model=str(tiny),
        output=str(output),
        keep="a",
        device="cpu",
        batch_size=1,
    )
    while True:
        message = talk.next()
        if message["event"] == "progress" and message["stage"] == "translate":
            break
    talk.send(cancel=1)
    after = []
    answer = talk.answer(1, after)
    assert answer["event"] == "error" and answer["code"] == "cancelled"
    assert len(after) <= 2, "at most the batch under way and the one whose progress was on its way"
    assert not output.exists()
    talk.send(id=2, task="adjust", keep="a", output=str(output), strength=0.5)
    assert talk.answer(2)["code"] == "bad_input", "nothing was kept"
    # A request that is cancelled before its turn never starts; the worker goes on.
    talk.send(
        id=3, task="translate", volume=stored(talk, head()), model=str(tiny), output=str(output), keep="b", device="cpu"
    )
    # A file of its own: the first request may be reading its one now.
    other = stored(talk, head(), "other.npy")
    talk.send(id=4, task="translate", volume=other, model=str(tiny), output=str(output), keep="c", device="cpu")
    talk.send(cancel=4)
    assert talk.answer(3)["event"] == "result" and talk.answer(4)["code"] == "cancelled"


def test_it_ends_and_cleans_up_when_stdin_closes_even_while_computing(start, tiny):
    idle = start(python=sys.executable)
    assert idle.close() == 0 and not idle.scratch.exists()
    busy = start(SLOW)
    busy.send(
        id=1,
        task="translate",
        volume=stored(busy, head()),
        model=str(tiny),
        output=str(busy.scratch / "o.npy"),
        keep="a",
        device="cpu",
        batch_size=1,
    )
    while busy.next()["event"] != "progress":
        pass
    assert busy.close() == 0 and not busy.scratch.exists()


@pytest.mark.parametrize("where", ["Requests.next", "Worker._answer", "decode"])
def test_a_failure_of_the_worker_itself_leaves_no_scratch_folder(tmp_path, where):
    (tmp_path / "scratch").mkdir()
    code = "import sys\nfrom surgical_style_engine.worker import server\ndef broken(*_):\n    raise ZeroDivisionError\n"
    talk = Talk(tmp_path / "scratch", f"{code}server.{where} = broken\nserver.main(sys.argv[1:])\n")
    assert talk.next()["event"] == "ready"
    try:
        talk.send(id=1, task="forget")
    except BrokenPipeError:
        pass  # it has ended already
    assert talk.process.wait(PATIENCE) in (0, 1) and not talk.scratch.exists()


@pytest.mark.skipif(os.name == "nt", reason="launchers are stood in for by a shell")
def test_killing_only_the_launcher_ends_the_worker_too(tmp_path):
    launcher = subprocess.Popen(
        ["/bin/sh", "-c", '"$0" -m surgical_style_engine.worker; true', sys.executable],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    pid = protocol.decode(launcher.stdout.readline())["pid"]
    assert pid != launcher.pid
    launcher.kill()
    launcher.wait(PATIENCE)
    launcher.stdin.close()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        if _is_zombie(pid):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the worker outlived its launcher")
    launcher.stdout.close()


def _is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def test_out_of_memory_is_said_with_advice_and_survived(start, tiny):
    talk = start(NO_MEMORY)
    output = talk.scratch / "out.npy"
    talk.send(
        id=1, task="translate", volume=stored(talk, head()), model=str(tiny), output=str(output), keep="a", device="cpu"
    )
    answer = talk.answer(1)
    assert answer["code"] == "out_of_memory" and "too little memory" in answer["message"] and not output.exists()
    talk.send(id=2, task="check", volume=stored(talk, head()), model=str(tiny), direction="forward")
    assert talk.answer(2) == {"id": 2, "event": "result", "problem": "", "warnings": []}


def test_an_unexpected_failure_is_one_sentence_and_a_log(start, tiny):
    talk = start(BROKEN)
    talk.send(
        id=1,
        task="translate",
        volume=stored(talk, head()),
        model=str(tiny),
        output=str(talk.scratch / "o.npy"),
        keep="a",
        device="cpu",
    )
    answer = talk.answer(1)
    assert (
        answer["code"] == "internal" and "surprise in two lines" in answer["message"] and "\n" not in answer["message"]
    )
    talk.close()
    assert b"ZeroDivisionError" in b"".join(talk.log)


def test_bad_requests_are_answered(start, tiny, models):
    talk = start()
    volume = stored(talk, head())
    common = {"task": "translate", "output": str(talk.scratch / "o.npy"), "keep": "a", "device": "cpu"}
    broken = make_tiny_model(models, "broken")
    weights = broken / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    constant = stored(talk, np.ones((4, 20, 20), np.float32), name="constant.npy")
    for number, (change, sentence) in enumerate(
        (
            ({"model": str(broken)}, "weights of the model broken are damaged"),
            ({"model": str(models / "absent")}, "There is no model"),
            ({"model": str(tiny), "volume": constant}, "is constant"),
            ({"model": str(tiny), "volume": volume | {"modality": "CT"}}, "is CT by its header"),
            ({"model": str(tiny), "direction": "sideways"}, "no direction 'sideways'"),
            ({"model": str(tiny), "volume": volume | {"file": str(talk.scratch / "gone.npy")}}, "gone.npy"),
            ({"task": "dance"}, "no task 'dance'"),
        ),
        1,
    ):
        talk.send(**{"id": number, "volume": volume, **common, **change})
        answer = talk.answer(number)
        assert answer["event"] == "error" and sentence in answer["message"], answer
        assert not (talk.scratch / "o.npy").exists()
    talk.process.stdin.write(b"no message\n")
    talk.send(id=50, task="check", volume=volume | {"modality": "CT"}, model=str(tiny), direction="forward")
    assert "is CT by its header" in talk.answer(50)["problem"]
