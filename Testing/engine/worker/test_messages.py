"""Messages: any text survives, and what is none ends nothing."""

import pytest
from worker_process import Talk

from surgical_style_engine.worker import messages as protocol


def test_messages_survive_any_encoding():
    message = {"name": "Schädel \n 'x'", "values": [1.5, None]}
    line = protocol.encode(message)
    assert line.isascii() and line.count(b"\n") == 1 and protocol.decode(line) == message
    assert protocol.decode(b"hello\n") is None and protocol.decode(b"[1]\n") is None


@pytest.mark.parametrize(
    "line",
    [
        b'{"cancel": [7]}',
        b'{"cancel": true}',
        b'{"id": [1], "task": "forget"}',
        b'{"id": NaN, "task": "forget"}',
        b'{"id": 1.5, "task": "forget"}',
        b"[" * 100_000,
        b'{"id": {}, "task": "forget"}',
    ],
)
def test_what_is_no_message_ends_nothing(tmp_path, line):
    assert protocol.decode(line) is None
    (tmp_path / "scratch").mkdir()
    talk = Talk(tmp_path / "scratch")
    assert talk.next()["event"] == "ready"
    talk.process.stdin.write(line + b"\n")
    talk.send(id=3, task="no such task")
    assert talk.answer(3)["event"] == "error"
    assert talk.close() == 0 and not talk.scratch.exists()
