"""The worker as the panel meets it: a real process, messages, cancel, failures, and its end."""

import os
import queue
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from tiny_models import head, make_tiny_model

from surgical_style_engine import __version__
from surgical_style_engine.worker import messages as protocol

PATIENCE = 90  # seconds after which a test gives up; no speed is asserted
SLOW = """
import sys, time
import surgical_style_engine.backends.torch_runner as backends
run = backends.TorchRunner.run
def slow(self, batch):
    time.sleep(0.4)
    return run(self, batch)
backends.TorchRunner.run = slow
from surgical_style_engine.worker.server import main
main(sys.argv[1:])
"""
NO_MEMORY = SLOW.replace("time.sleep(0.4)", "raise MemoryError")
BROKEN = SLOW.replace("time.sleep(0.4)", "raise ZeroDivisionError('surprise\\nin two lines')")


class Talk:
    """A running worker and the messages it said."""

    def __init__(self, scratch, code=None):
        self.scratch = scratch
        start = ["-c", code] if code else ["-m", "surgical_style_engine.worker"]
        self.process = subprocess.Popen(
            [sys.executable, *start, "--scratch", str(scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.said = queue.Queue()
        self.log = []
        threading.Thread(target=lambda: [self.said.put(line) for line in self.process.stdout], daemon=True).start()
        threading.Thread(target=lambda: [self.log.append(line) for line in self.process.stderr], daemon=True).start()

    def send(self, **message):
        self.process.stdin.write(protocol.encode(message))
        self.process.stdin.flush()

    def next(self):
        message = protocol.decode(self.said.get(timeout=PATIENCE))
        assert message is not None, "stdout holds nothing but messages"
        return message

    def answer(self, number, progress=None):
        """The result or error of a request; its progress events go into a list."""
        while True:
            message = self.next()
            if message.get("id") == number and message["event"] != "progress":
                return message
            if progress is not None and message["event"] == "progress":
                progress.append(message)

    def close(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def tiny(models):
    return make_tiny_model(models)


@pytest.fixture
def start(tmp_path):
    talks = []

    def begin(code=None):
        scratch = tmp_path / f"scratch{len(talks)}"
        scratch.mkdir()
        talks.append(Talk(scratch, code))
        assert talks[-1].next() == {
            "event": "ready",
            "protocol": protocol.VERSION,
            "version": __version__,
            "pid": talks[-1].process.pid,
        }
        return talks[-1]

    yield begin
    for talk in talks:
        if talk.process.poll() is None:
            talk.process.kill()
        talk.process.wait(PATIENCE)


def stored(talk, array, name="in.npy", spacing=(2.0, 2.0, 4.0), **more):
    path = talk.scratch / name
    protocol.write_array(path, array if array.ndim == 4 else array[None])
    return protocol.describe(path, spacing, (1.0, 2.0, 3.0), np.eye(3), **more)


def test_messages_survive_any_encoding():
    message = {"name": "Schädel \n 'x'", "values": [1.5, None]}
    line = protocol.encode(message)
    assert line.isascii() and line.count(b"\n") == 1 and protocol.decode(line) == message
    assert protocol.decode(b"hello\n") is None and protocol.decode(b"[1]\n") is None


def test_translate_adjust_and_judge_in_one_process(start, tiny):
    talk = start()
    volume = stored(talk, head(), name="in.npy")
    output = talk.scratch / "out.npy"
    progress = []
    talk.send(id=1, task="translate", volume=volume, model=str(tiny), output=str(output), keep="a", device="cpu")
    result = talk.answer(1, progress)
    assert result["event"] == "result", result
    counts = [entry["done"] for entry in progress if entry["stage"] == "translate"]
    assert counts == sorted(counts) and counts[-1] == progress[-1]["total"] == result["slices"] > 5
    made = np.array(protocol.read_array(output))
    assert made.shape == (1, *head().shape) and made.dtype == np.float32
    assert result["notes"]["Synthetic"] == "yes" and result["notes"]["SyntheticTo"] == "T2w"
    assert result["device"] == "cpu" and result["warnings"] == []

    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.volumes.volume import Volume

    same = Volume(head()[None], (2.0, 2.0, 4.0), (1.0, 2.0, 3.0))
    half = translate_volume(same, load_model(tiny), device="cpu", strength=0.5)
    np.testing.assert_allclose(made, translate_volume(same, load_model(tiny), device="cpu").volume.array, atol=1e-3)

    talk.send(id=2, task="adjust", keep="a", output=str(talk.scratch / "half.npy"), strength=0.5)
    assert talk.answer(2)["notes"]["SyntheticStrength"] == "0.5"
    np.testing.assert_allclose(protocol.read_array(talk.scratch / "half.npy"), half.volume.array, atol=1e-3)

    reference = stored(talk, head(2), name="reference.npy")
    talk.send(id=3, task="figures", keep="a", reference=reference, error_map=str(talk.scratch / "map.npy"))
    answer = talk.answer(3, progress)
    assert answer["event"] == "result", answer
    figures = answer["figures"]
    assert figures["look_ahead_score"] > 0 and figures["jigsaw_puzzle_error"] > 0
    assert figures["reference"]["psnr"] > 0 and len(figures["slices"]["look_ahead"]) == 12
    assert answer["has_map"] and protocol.read_array(talk.scratch / "map.npy").max() > 0
    assert any(entry["stage"] == "figures" for entry in progress)

    talk.send(id=4, task="adjust", keep="unknown", output=str(output), strength=0.5)
    assert "press Apply again" in talk.answer(4)["message"]


def test_a_reference_on_another_grid_is_judged_where_it_has_voxels(start, tiny):
    talk = start()
    volume = stored(talk, head())
    talk.send(
        id=1,
        task="translate",
        volume=volume,
        model=str(tiny),
        output=str(talk.scratch / "o.npy"),
        keep="a",
        device="cpu",
    )
    talk.answer(1)
    whole = stored(talk, head(2), name="whole.npy")
    part = stored(talk, head(2)[4:], name="part.npy") | {"origin": [1.0, 2.0, 3.0 + 4 * 4.0]}
    talk.send(id=2, task="figures", keep="a", reference=whole, max_slices=2)
    talk.send(id=3, task="figures", keep="a", reference=part, max_slices=2)
    first, second = talk.answer(2), talk.answer(3)
    assert first["event"] == second["event"] == "result", (first, second)
    per_slice = [answer["figures"]["reference"]["slices"]["mae"] for answer in (first, second)]
    assert per_slice[0][2] is not None and per_slice[1][2] is None, "no voxels there"
    assert second["figures"]["cycle_slices"] == 2


def test_a_model_without_a_way_back_says_so(start, models):
    talk = start()
    one_way = make_tiny_model(models, "one-way", directions=("forward",))
    talk.send(
        id=1,
        task="translate",
        volume=stored(talk, head()),
        model=str(one_way),
        output=str(talk.scratch / "o.npy"),
        keep="a",
        device="cpu",
    )
    talk.answer(1)
    talk.send(id=2, task="figures", keep="a", error_map=str(talk.scratch / "map.npy"))
    answer = talk.answer(2)
    assert answer["figures"]["look_ahead_score"] is None and "no way back" in answer["figures"]["cycle_note"]
    assert not answer["has_map"] and not (talk.scratch / "map.npy").exists()


def test_preview_gives_the_pixels_of_the_whole_translation(start, tiny):
    talk = start()
    # Stored upside down and turned: what comes back is canonical.
    turned = np.ascontiguousarray(head().transpose(1, 0, 2)[:, ::-1])
    direction = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    volume = stored(talk, turned, spacing=(2.0, 4.0, 2.0)) | {"direction": direction}
    talk.send(
        id=1,
        task="translate",
        volume=volume,
        model=str(tiny),
        output=str(talk.scratch / "o.npy"),
        keep="a",
        device="cpu",
        batch_size=1,
    )
    assert talk.answer(1)["event"] == "result"
    from surgical_style_engine.volumes.geometry import to_canonical
    from surgical_style_engine.volumes.volume import Volume

    made = np.array(protocol.read_array(talk.scratch / "o.npy"))
    whole, _ = to_canonical(Volume(made, (2.0, 4.0, 2.0), (1.0, 2.0, 3.0), np.array(direction, float)))
    for number, index in enumerate((0, 5, 8), 2):
        centre = np.asarray(whole.origin) + np.asarray(whole.direction)[:, 2] * whole.spacing[2] * (index + 0.3)
        talk.send(
            id=number,
            task="preview",
            volume=volume,
            model=str(tiny),
            output=str(talk.scratch / "p.npy"),
            position=centre.tolist(),
            plane="axial",
            device="cpu",
        )
        answer = talk.answer(number)
        assert answer["event"] == "result" and answer["slice"] == index, answer
        np.testing.assert_allclose(protocol.read_array(talk.scratch / "p.npy")[:, 0], whole.array[:, index], atol=0.05)
        np.testing.assert_allclose(
            answer["origin"], np.asarray(whole.origin) + np.asarray(whole.direction)[:, 2] * whole.spacing[2] * index
        )
    talk.send(
        id=9,
        task="preview",
        volume=volume,
        model=str(tiny),
        output=str(talk.scratch / "q.npy"),
        position=[0, 0, 9999],
        plane="axial",
        device="cpu",
    )
    assert "shows no slice" in talk.answer(9)["message"] and not (talk.scratch / "q.npy").exists()


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
    idle = start()
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


def test_devices_and_import(start, tiny, tmp_path):
    talk = start()
    talk.send(id=1, task="devices")
    names = [device["name"] for device in talk.answer(1)["devices"]]
    assert names[-1] == "cpu"
    talk.send(id=2, task="import", source=str(tiny), folder=str(tmp_path / "mine"), name="copy")
    answer = talk.answer(2)
    assert answer["name"] == "copy" and (tmp_path / "mine" / "copy" / "model.json").is_file()
    import torch

    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "net_G.pth")
    arguments = {"source": str(tmp_path / "net_G.pth"), "folder": str(tmp_path / "mine")}
    talk.send(id=3, task="import", **arguments)
    assert "give a name and both domains" in talk.answer(3)["message"]
    talk.send(id=4, task="import", **arguments, name="x", source_name="A", target_name="B")
    assert talk.answer(4)["event"] == "error" and not (tmp_path / "mine" / "x").exists()


def test_opening_the_worker_and_checking_a_volume_loads_no_torch(start, tiny):
    code = """
import sys
from surgical_style_engine.worker.tasks import Tasks
import surgical_style_engine.worker
print('torch' in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert said.stdout.strip() == "False", said.stderr


def test_adjusting_without_the_network(start, tiny):
    talk = start()
    volume = stored(talk, head())
    reference = stored(talk, head(3) * 2 + 7, name="reference.npy")
    request = {"volume": volume, "model": str(tiny), "output": str(talk.scratch / "out.npy"), "device": "cpu"}
    wanted = {"structure_guard_mm": 6.0, "match": reference, "match_by": "histogram", "least_consistency": None}
    talk.send(id=1, task="translate", keep="plain", **request)
    plain = talk.answer(1)
    assert plain["event"] == "result", plain
    assert plain["strength"] == 1 and plain["consistency"] is None
    assert "SyntheticAdjustments" not in plain["notes"]
    talk.send(id=2, task="translate", keep="whole", adjustments=wanted, **request)
    whole = talk.answer(2)
    at_once = np.array(protocol.read_array(talk.scratch / "out.npy"))
    assert "structure guard 6 mm; matched to a reference by histogram" in whole["notes"]["SyntheticAdjustments"]

    later = talk.scratch / "later.npy"
    progress = []
    talk.send(id=3, task="adjust", keep="plain", output=str(later), strength=1.0, adjustments=wanted)
    answer = talk.answer(3, progress)
    assert not progress and answer["notes"] == whole["notes"]
    np.testing.assert_allclose(protocol.read_array(later), at_once, atol=1e-3)

    talk.send(id=4, task="adjust", keep="plain", output=str(later), adjustments={"least_consistency": 0.97})
    automatic = talk.answer(4)
    assert 0 <= automatic["strength"] < 1 and automatic["consistency"] >= 0.97
    talk.send(id=5, task="figures", keep="plain", max_slices=2)
    figures = talk.answer(5)["figures"]
    first = figures["worst"][0]
    assert first["figure"] == "semantic_consistency" and first["plane"] == "axial"
    assert first["value"] == min(v for v in figures["slices"]["semantic_consistency"] if v is not None)
    assert first["position_lps"][2] == pytest.approx(3 + 4 * first["slice"])

    for number, (bad, sentence) in enumerate(
        [
            ({"flatten_bias": True}, "press Apply again"),
            ({"blur": 3}, "no adjustment 'blur'"),
            ({"structure_guard_mm": -1}, "above 0 mm"),
            ({"match": reference, "match_by": "magic"}, "not 'magic'"),
        ]
    ):
        talk.send(id=10 + number, task="adjust", keep="plain", output=str(later), adjustments=bad)
        answer = talk.answer(10 + number)
        assert answer["event"] == "error" and sentence in answer["message"], answer


def test_an_ensemble_with_a_flattened_bias_stays_both_when_adjusted(start, tiny):
    talk = start()
    request = {"volume": stored(talk, head()), "model": str(tiny), "output": str(talk.scratch / "out.npy")}
    made = {"flatten_bias": True, "ensemble": True}
    talk.send(id=1, task="translate", keep="a", device="cpu", adjustments=made, planes=["axial"], **request)
    progress = []
    answer = talk.answer(1, progress)
    assert answer["event"] == "result", answer
    assert progress[-1]["total"] == answer["slices"] and answer["slices"] % 4 == 0
    assert answer["notes"]["SyntheticAdjustments"].startswith("bias of the input flattened (N4); ensemble")
    for number, adjustments in ((2, {"structure_guard_mm": 8}), (3, {**made, "structure_guard_mm": 8})):
        talk.send(id=number, task="adjust", keep="a", output=request["output"], strength=0.5, adjustments=adjustments)
        answer = talk.answer(number)
        assert answer["notes"]["SyntheticAdjustments"].endswith("structure guard 8 mm"), answer
        assert answer["strength"] == 0.5
    talk.send(id=4, task="figures", keep="a", max_slices=2)
    assert 0 < talk.answer(4)["figures"]["disagreement"] < 2
