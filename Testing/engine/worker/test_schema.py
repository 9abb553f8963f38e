"""Requests to the worker are checked in one place: what is wrong with one is said in one sentence."""

import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.worker import schema
from surgical_style_engine.worker.tasks import Tasks

VOLUME = {
    "file": "in.npy",
    "spacing": [1, 1, 2],
    "origin": [0, 0, 0],
    "direction": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "is_2d": False,
    "modality": "MR",
    "name": "head",
}
TRANSLATE = {"task": "translate", "id": 3, "volume": VOLUME, "model": "m", "output": "o.npy", "keep": "a"}


def test_what_is_left_out_has_its_default():
    task, request = schema.parse(TRANSLATE)
    assert task == "translate" and request.strength == 1 and request.direction == "forward"
    assert request.mask is None and request.adjustments is None and request.device == "auto"
    assert request.volume.spacing == (1, 1, 2) and request.volume.title == "The volume head"
    _, fused = schema.parse({"task": "fuse", "volumes": [VOLUME, VOLUME], "output": "o.npy", "register": "none"})
    assert fused.registration == "none" and fused.method == "pyramid"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"task": "dance"}, "The worker knows no task 'dance'; it may be of another version."),
        ({"task": None}, "The worker knows no task None; it may be of another version."),
        ({"task": ["check"]}, "The worker knows no task ['check']; it may be of another version."),
        ({"keep": None}, "The task 'translate' cannot take 'keep' as it is: it must be text."),
        ({"strength": "much"}, "The task 'translate' cannot take 'strength' as it is: "),
        ({"volume": {"file": "in.npy"}}, "The task 'translate' lacks 'volume.spacing'."),
        ({"volume": VOLUME | {"spacing": [1, 2]}}, "The task 'translate' lacks 'volume.spacing.2'."),
        (
            {"blur": 3},
            "The worker knows no argument of the task 'translate' called 'blur'; it may be of another version.",
        ),
        ({"adjustments": {"blur": 3}}, "The worker knows no adjustment 'blur'; it may be of another version."),
    ],
)
def test_what_is_wrong_is_one_sentence(change, sentence):
    with pytest.raises(InputError) as refused:
        Tasks().run(TRANSLATE | change, lambda *_: None, lambda: False)
    text = str(refused.value)
    assert text.startswith(sentence) and text.endswith(".") and "\n" not in text


def test_every_task_has_its_request():
    assert set(Tasks()._tasks) == set(schema.TASKS)
    with pytest.raises(InputError, match="lacks 'output'"):
        schema.parse({"task": "adjust", "keep": "a"})
