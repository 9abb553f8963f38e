"""Whatever a message to the worker holds, one answer comes, and an error is a sentence for people."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reliability.generated.drawing import drawn
from reliability.generated.messages import KEPT, Talk, fault_of
from reliability.generated.values import ODD, spoilt

from surgical_style_engine.worker.messages import decode, encode

# Cheap and the same each time; ``fuzz_all.py`` goes on from there for as long as one likes.
FEW = drawn(250)
X = "x" * 5000


@pytest.fixture(scope="module")
def talk(tmp_path_factory) -> Iterator[Talk]:
    folder, before = tmp_path_factory.mktemp("talk"), os.getcwd()
    os.chdir(folder)  # relative names of outputs stay in it
    yield Talk(folder)
    os.chdir(before)


@FEW
@given(st.data())
def test_spoilt_messages(talk, data):
    message = data.draw(spoilt(talk.good, KEPT))
    fault = fault_of(talk.ask(message))
    assert not fault, (fault, message)


@pytest.mark.parametrize(
    ("task", "changes"),
    [  # what was found
        ("check", {"model": X}),
        ("import", {"source": "a\nb"}),
        ("save_look", {"output": ".."}),
        ("measure", {"model": "a\0b"}),
        ("measure", {"model": "a\ud800b"}),
        ("preview", {"output": "a\ud800b"}),
        ("preview", {"output": "a\0b"}),
        ("preview", {"position": [1, "nan", 3]}),
        ("preview", {"position": [1e300, 0, 0]}),
        ("translate", {"strength": "nan"}),
        ("translate", {"output": 3}),
        ("translate", {"batch_size": 1e300}),
        ("translate", {"volume.spacing": [2, 1e-222, 4]}),
        ("translate", {"volume.spacing": [2, 1e300, 4]}),
        ("translate", {"volume.origin": [2, 1e300, 4]}),
        ("fuse", {"volumes.0.spacing": [2, 1e-163, 4]}),
        ("translate", {"batch_size": 0}),
        ("figures", {"max_slices": -(10**400)}),
        ("adjust", {"adjustments": {"structure_guard_mm": 1e-300}}),
        ("export_dicom", {"files": [X]}),
        ("export_dicom", {"output": ""}),
        ("import", {"folder": "a\0b"}),
        ("import", {"source": X}),
        ("import", {"source": "\ud800"}),
        ("import", {"source_window": [1, 2, 3]}),
        ("import", {"name": "a\ud800b"}),
    ],
)
def test_what_was_found(talk, task, changes):
    message = next(good for good in talk.good if good["task"] == task)
    for place, value in changes.items():
        *holders, last = (int(part) if part.isdigit() else part for part in place.split("."))
        message = _with(message, holders, last, value)
    answer = talk.ask(message)
    assert answer["event"] == "error" and not fault_of(answer), answer
    assert answer["code"] != "internal" and len(answer["message"]) < 400


def _with(value, holders, last, part):
    changed = value.copy()
    if holders:
        changed[holders[0]] = _with(value[holders[0]], holders[1:], last, part)
    else:
        changed[last] = part
    return changed


@FEW
@given(st.binary(max_size=60) | st.sampled_from([b"[" * 9999, b'{"id":', b'{"id":1e400}', b"9" * 5000, b'"\\ud800"']))
def test_bytes_are_a_message_or_none(line):
    message = decode(line)
    assert message is None or (isinstance(message, dict) and encode({"id": message.get("id")}))


@pytest.mark.parametrize("value", [value for value in ODD if type(value) is not int])
def test_an_odd_id_is_no_message(value):
    line = encode({"id": 1, "task": "forget"}).replace(b"1", repr(value).encode("ascii", "backslashreplace"), 1)
    message = decode(line)
    assert message is None or type(message["id"]) is int
