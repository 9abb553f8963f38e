"""The worker's task "fuse", called as the worker calls it, and once through a real process without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
from tiny_models import head, make_tiny_fusion_model

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.fusion import fuse_learned, fuse_volumes, fusion_quality
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.volume import Volume
from surgical_style_engine.worker import messages as protocol
from surgical_style_engine.worker.tasks import Tasks


@pytest.fixture
def describe(tmp_path):
    """Write an array and describe it as the panel does."""

    def make(array, name, origin=(0.0, 0.0, 0.0), direction=None):
        path = tmp_path / f"{name}.npy"
        protocol.write_array(path, np.asarray(array)[None] if array.ndim == 3 else array)
        return protocol.describe(
            path, (2.0, 2.0, 4.0), origin, np.eye(3) if direction is None else direction, name=name
        )

    return make


@pytest.fixture
def pair(describe):
    """Two contrasts of one head on one grid."""
    first = head(2)
    second = np.where(first > 0, 1000 - first, 0).astype(np.float32)
    return first, second, [describe(first, "T1"), describe(second, "T2")]


def run(messages, output, cancelled=lambda: False, **arguments):
    said = []
    request = {"task": "fuse", "id": 1, "volumes": messages, "output": str(output), **arguments}
    answer = Tasks().run(request, lambda *values: said.append(values), cancelled)
    return answer, said


def test_the_task_gives_what_the_engine_gives(pair, tmp_path):
    first, second, messages = pair
    answer, said = run(messages, tmp_path / "fused.npy", method="weighted", weights=[3, 1])
    volumes = [
        Volume(array[None], (2.0, 2.0, 4.0), (0.0, 0.0, 0.0), np.eye(3), False, {}, name)
        for array, name in ((first, "T1"), (second, "T2"))
    ]
    expected = fuse_volumes(volumes, method="weighted", weights=[3, 1])
    np.testing.assert_array_equal(np.load(tmp_path / "fused.npy"), expected.volume.array)
    judged = fusion_quality(expected)
    assert answer["figures"]["q_abf"] == pytest.approx(judged["q_abf"])
    assert answer["figures"]["floors"]["average"]["entropy"] == pytest.approx(judged["floors"]["average"]["entropy"])
    assert answer["figures"]["inputs"] == ["T1", "T2"] and answer["weights"] == [0.75, 0.25]
    assert answer["moved"] == [None], "they share a grid"
    assert answer["notes"]["Synthetic"] == "yes" and answer["notes"]["StyleModel"] == "weighted fusion"
    assert answer["range"][0] < answer["range"][1]
    json.dumps(answer, allow_nan=False)
    assert [stage for stage, _done, _total in said][-1] == "figures"
    done = [(d, t) for stage, d, t in said if stage == "fuse" and t > 1]
    assert done == sorted(done) and done[-1][0] == done[-1][1]


def test_a_trained_method_gives_what_the_engine_gives(pair, describe, tmp_path):
    first, second, messages = pair
    folder = make_tiny_fusion_model(tmp_path)
    answer, said = run(messages, tmp_path / "fused.npy", method="learned", model=str(folder), register="none")
    volumes = [
        Volume(array[None], (2.0, 2.0, 4.0), (0.0, 0.0, 0.0), np.eye(3), False, {}, name)
        for array, name in ((first, "T1"), (second, "T2"))
    ]
    expected = fuse_learned(volumes, load_model(str(folder)), register="none")
    np.testing.assert_allclose(np.load(tmp_path / "fused.npy"), expected.volume.array, atol=1e-3)
    assert answer["notes"]["StyleModel"] == "tiny-fusion" and answer["notes"]["SyntheticFrom"] == "T1 + T2"
    assert answer["figures"]["inputs"] == ["T1", "T2"]
    with pytest.raises(InputError, match="2"):
        run([*messages, describe(first, "FLAIR")], tmp_path / "no.npy", method="learned", model=str(folder))
    assert not (tmp_path / "no.npy").exists()


def test_a_displaced_volume_is_registered_or_taken_as_it_lies(pair, describe, tmp_path):
    first, second, messages = pair
    messages[1] = describe(second, "moved", origin=(6.0, 0.0, 0.0))
    answer, _said = run(messages, tmp_path / "auto.npy", quality=False)
    assert answer["moved"][0][0] == pytest.approx(6.0, abs=1.0) and answer["figures"] == {}
    answer, _said = run(messages, tmp_path / "none.npy", register="none", quality=False)
    assert answer["moved"] == [None]
    assert not np.allclose(np.load(tmp_path / "auto.npy"), np.load(tmp_path / "none.npy"))


@pytest.mark.parametrize("fault", ["alone", "colour", "elsewhere"])
def test_what_cannot_be_fused_is_said_in_one_sentence(pair, describe, tmp_path, fault):
    first, _second, messages = pair
    if fault == "alone":
        messages, sentence = messages[:1], "at least two"
    elif fault == "colour":
        messages[1], sentence = describe(np.stack([first] * 3), "photo"), "photo is in colour"
    else:
        messages[1], sentence = describe(first, "far", origin=(900.0, 0.0, 0.0)), "far and the reference do not overlap"
    with pytest.raises(InputError, match=sentence):
        run(messages, tmp_path / "fused.npy", register="none")
    assert not (tmp_path / "fused.npy").exists()


def test_cancelled_writes_nothing(pair, tmp_path):
    calls = []
    with pytest.raises(Cancelled):
        run(pair[2], tmp_path / "fused.npy", cancelled=lambda: calls.append(1) or len(calls) > 3)
    assert not (tmp_path / "fused.npy").exists()


def test_fusing_does_not_load_torch(pair, tmp_path):
    request = {"task": "fuse", "id": 1, "volumes": pair[2], "output": str(tmp_path / "fused.npy")}
    code = (
        "import json, sys\nfrom surgical_style_engine.worker.tasks import Tasks\n"
        "Tasks().run(json.loads(sys.stdin.read()), lambda *_: None, lambda: False)\n"
        "print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], input=json.dumps(request), capture_output=True, text=True)
    assert said.stdout.strip() == "False", said.stdout + said.stderr
    assert (tmp_path / "fused.npy").exists()
