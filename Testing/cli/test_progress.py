"""Progress as JSON lines, as a bar, and not at all."""

import io
import json
import sys

import pytest

from surgical_style_engine.errors import InputError
from training_cli.progress import Progress


def test_json_lines(capsys):
    with Progress("json") as shown:
        shown.stage("translating x")
        shown(1, 4)
        shown(4, 4)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["progress"] for line in lines] == [0, 0.25, 1]
    assert lines[1] == {"progress": 0.25, "stage": "translating x", "done": 1, "total": 4}


@pytest.mark.parametrize("kind", ["auto", "none"])
def test_silence_where_nobody_looks(capsys, kind):
    with Progress(kind) as shown:
        shown.stage("x")
        shown(1, 2)
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with Progress("auto") as shown:
        shown.stage("translating x")
        shown(3, 4)
        shown.stage("judging")
        shown(1, 2)
    assert all(text in screen.getvalue() for text in ("translating x", "judging", "1/2"))


def test_unknown_kind():
    with pytest.raises(InputError, match="--progress"):
        Progress("loud")
