"""What is fastest is measured once; what is not precise enough is not used, and that is said."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fakes import brain
from tiny_models import make_tiny_model

from surgical_style_engine.backends import autotune, devices
from surgical_style_engine.backends.autotune import Choice, Measured, choose, like_a_slice, psnr_of
from surgical_style_engine.backends.select import make_runner, needs_measuring
from surgical_style_engine.common.cancelling import cancellable
from surgical_style_engine.errors import Cancelled, InputError, StyleTransferError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.names import shipped_models_folder


@pytest.fixture
def model(tmp_path_factory):
    return load_model(make_tiny_model(tmp_path_factory.mktemp("models")))


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    """Measurements are on, and remembered in a file of this test."""
    monkeypatch.setenv(autotune.SWITCH, "on")
    path = tmp_path / "home" / "measured.json"
    monkeypatch.setattr(autotune, "memory_file", lambda: path)
    return path


def known(monkeypatch, *entries):
    monkeypatch.setattr(autotune, "measure", lambda model, direction: list(entries))


FULL, FAST = Measured("torch", "fp32", 0.4, None), Measured("openvino", "bf16", 0.1, 60.0)
HALF = Measured("torch", "bf16", 0.2, 58.0)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (("auto", "auto"), ("openvino", "bf16")),
        (("torch", "auto"), ("torch", "bf16")),
        (("auto", "fp32"), ("torch", "fp32")),
        (("auto", "bf16"), ("openvino", "bf16")),
        (("openvino", "fp32"), ("openvino", "fp32")),
    ],
)
def test_the_fastest_of_what_was_asked_for(monkeypatch, asked, chosen):
    known(monkeypatch, FULL, HALF, FAST)
    assert choose(None, "forward", *asked) == Choice(*chosen)


def test_what_falls_below_the_bound_is_not_used_and_that_is_said(monkeypatch):
    known(monkeypatch, FULL, Measured("torch", "bf16", 0.2, 44.9), Measured("openvino", "bf16", 0.1, 31.2))
    choice = choose(None, "forward")
    assert (choice.backend, choice.precision) == ("torch", "fp32")
    assert choice.note == (
        "Computed in fp32: in bf16 this model would be off by more than rounding (31.2 dB, 45 are asked for)."
    )
    assert choose(None, "forward", "openvino") == Choice("openvino", "fp32", choice.note)
    # fp32 has a fastest way of its own.
    known(monkeypatch, FULL, Measured("torch", "bf16", 0.2, 44.9), Measured("openvino", "fp32", 0.3, 120.0))
    other = choose(None, "forward")
    assert (other.backend, other.precision) == ("openvino", "fp32") and "(44.9 dB, 45" in other.note
    assert choose(None, "forward", "auto", "fp32") == Choice("openvino", "fp32")
    # Whoever asks for it by name gets it.
    assert choose(None, "forward", "torch", "bf16") == Choice("torch", "bf16")


def test_a_machine_is_measured_once(model, memory, monkeypatch):
    first = make_runner(model, device="cpu")
    kept = json.loads(memory.read_text())
    assert len(kept) == 1 and model.card.weights.sha256 in next(iter(kept))
    assert {entry["backend"] for entry in next(iter(kept.values()))} >= {"torch"}
    monkeypatch.setattr(autotune, "_measure", lambda *_: pytest.fail("measured again"))
    second = make_runner(model, device="cpu")
    assert (first.backend, first.precision, first.note) == (second.backend, second.precision, "")


def test_cancelled_in_the_middle_goes_on_from_there(model, memory, monkeypatch):
    asked, tried = iter([False] * 6 + [True]), []
    add = autotune._Trials.add

    def told(trials, maker, precision):
        before = len(trials.runners)
        add(trials, maker, precision)
        tried.extend(trials.measured[-1:] if len(trials.runners) > before and trials.runners[-1] is not None else [])

    monkeypatch.setattr(autotune._Trials, "add", told)
    with pytest.raises(Cancelled), cancellable(lambda: next(asked, True)):
        autotune.measure(model, "forward")
    ((key, begun),) = json.loads(memory.read_text()).items()
    assert key.endswith("begun") and begun and [vars(entry) for entry in tried] == begun
    tried.clear()
    measured = autotune.measure(model, "forward")
    assert len(tried) == len(measured) - len(begun) + 1, "only the first, which others are compared with, runs again"
    assert [key.endswith("begun") for key in json.loads(memory.read_text())] == [False]
    assert all(np.isfinite(entry.seconds) for entry in measured)


def test_a_damaged_or_missing_memory_only_costs_time(model, memory, monkeypatch):
    memory.parent.mkdir()
    memory.write_text("[1, 2")
    assert autotune.measure(model, "forward")
    assert json.loads(memory.read_text())
    monkeypatch.setattr(autotune, "memory_file", lambda: memory / "not" / "a" / "folder.json")
    assert autotune.measure(model, "forward")
    assert [path.name for path in memory.parent.iterdir()] == ["measured.json"]


def test_a_backend_that_cannot_run_the_network_is_no_choice(model, monkeypatch):
    def refuse(self, *_):
        raise StyleTransferError("no such operation")

    monkeypatch.setattr(autotune.OpenVinoRunner, "__init__", refuse)
    assert {entry.backend for entry in autotune.measure(model, "forward")} == {"torch"}


FP32, BF16, TORCH, VINO = "fp32", "bf16", "torch", "openvino"


@pytest.mark.parametrize(
    ("seconds", "measured"),
    [
        ({FP32: 0.20, BF16: 0.24}, [(TORCH, FP32), (TORCH, BF16), (VINO, FP32), (VINO, BF16), (VINO, "int8")]),
        ({FP32: 0.24, BF16: 0.20}, [(TORCH, FP32), (TORCH, BF16), (VINO, FP32), (VINO, BF16), (VINO, "int8+bf16")]),
        # bf16 that is this much slower is not compiled for another backend.
        ({FP32: 0.20, BF16: 0.26}, [(TORCH, FP32), (TORCH, BF16), (VINO, FP32), (VINO, "int8")]),
    ],
)
def test_int8_is_tried_beside_the_faster_of_the_others(model, monkeypatch, seconds, measured):
    class Runner:
        def __init__(self, model, direction, device, precision):
            self.precision = precision

    def timed(runner, picture):
        return picture + np.float32(0.001), seconds.get(runner.precision, 0.1)

    for name, kind in ((TORCH, "TorchRunner"), (VINO, "OpenVinoRunner")):
        monkeypatch.setattr(autotune, kind, type(name, (Runner,), {"backend": name}))
    monkeypatch.setattr(autotune, "find_spec", lambda name: True)
    monkeypatch.setattr(devices, "bf16_helps", lambda device: True)
    monkeypatch.setattr(autotune, "_timed", timed)
    monkeypatch.setattr(
        autotune, "_in_turns", lambda runners, _: [seconds.get(runner.precision, 0.1) for runner in runners]
    )
    found = autotune._measure(model, "forward")
    assert [(entry.backend, entry.precision) for entry in found] == measured
    known(monkeypatch, *found)
    assert choose(model, "forward") == Choice(*measured[-1])


class Shortcut(autotune.TorchRunner):
    """A backend from outside: torch, by another name."""

    backend = "shortcut"


def test_a_backend_from_outside_is_one_entry_more(model, memory, monkeypatch):
    """It runs a volume where it is asked for by name, and where it is the fastest."""
    monkeypatch.setitem(sys.modules, "outside", SimpleNamespace(Shortcut=Shortcut))
    volume = brain(5)
    options = {"device": "cpu", "precision": "fp32"}
    wanted = translate_volume(volume, model, backend="torch", **options)
    monkeypatch.setitem(autotune.BACKENDS, "shortcut", "outside:Shortcut")
    translation = translate_volume(volume, model, backend="shortcut", **options)
    assert translation.backend == "shortcut"
    np.testing.assert_array_equal(translation.volume.array, wanted.volume.array)

    def in_turns(runners, picture):
        return [0.1 if runner.backend == "shortcut" else 0.2 for runner in runners]

    monkeypatch.setattr(autotune, "_in_turns", in_turns)
    assert translate_volume(volume, model, device="cpu").backend == "shortcut"
    with pytest.raises(InputError, match="There is no backend 'tensorrt'; use auto, torch, openvino, shortcut."):
        make_runner(model, backend="tensorrt")


def test_a_moment_of_load_decides_nothing(monkeypatch):
    """One way was tried while the machine was busy: what counts are runs that take turns."""
    passed = [0.0]
    monkeypatch.setattr(autotune.time, "perf_counter", lambda: passed[0])

    class Runner:
        def __init__(self, name, seconds):
            self.name, self.seconds = name, seconds

        def run(self, _):
            order.append(self.name)
            passed[0] += self.seconds * (10 if len(order) <= 2 else 1)

    order = []
    fast, slow = Runner("fast", 1.0), Runner("slow", 2.0)
    assert autotune._in_turns([fast, slow], None) == [1.0, 2.0]
    assert order == ["fast", "slow"] * autotune.REPEATS


def test_air_does_not_make_a_way_look_precise(model, monkeypatch):
    """Only the body is compared: most of a slice may be air, which every way gets right."""
    picture = like_a_slice(1)
    body = picture[:, 0] > autotune.BODY_FROM

    def timed(runner, _):
        wrong = 0.02 if runner.precision == "bf16" else 0.0
        return np.where(body, picture[:, 0] + wrong, -1)[None].astype(np.float32), 0.1

    monkeypatch.setattr(autotune, "find_spec", lambda name: False)
    monkeypatch.setattr(devices, "bf16_helps", lambda device: True)
    monkeypatch.setattr(autotune, "_timed", timed)
    assert [entry.psnr for entry in autotune._measure(model, "forward")] == [None, pytest.approx(40, abs=0.01)]


def test_nothing_is_measured_where_it_is_off_or_everything_is_named(model, memory, monkeypatch):
    make_runner(model, device="cpu", precision="fp32", backend="torch")
    monkeypatch.setenv(autotune.SWITCH, "off")
    runner = make_runner(model, device="cpu")
    assert not memory.exists() and runner.backend == "torch"


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        (folder.name, direction)
        for folder in sorted(shipped_models_folder().iterdir())
        for direction in read_card(folder).directions
    ],
)
def test_a_shipped_model_keeps_45_db_in_every_precision(name, direction):
    shipped = load_model(name)
    measured = autotune.measure(shipped, direction)
    reduced = [entry for entry in measured if entry.precision != "fp32"]
    here = {"bf16"} if devices.bf16_helps(torch.device("cpu")) else set()
    assert here <= {entry.precision for entry in reduced}
    assert all(entry.psnr >= 45 for entry in reduced)
    # Nothing stands in its way, so that the fastest is taken.
    fastest, runner = min(measured, key=lambda entry: entry.seconds), make_runner(shipped, direction)
    assert (runner.backend, runner.precision, runner.note) == (fastest.backend, fastest.precision, "")


def test_figures():
    picture = like_a_slice(3)
    assert picture.shape == (1, 3, autotune.SIDE, autotune.SIDE) and picture.min() >= -1 and picture.max() <= 1
    assert np.array_equal(picture, like_a_slice(3))
    assert psnr_of(picture + 0.02, picture) == pytest.approx(40, abs=0.01)
    assert psnr_of(picture * np.nan, picture) == 0
    assert psnr_of(picture, picture) == 200


def test_whoever_waits_is_told_and_can_end_it(model, memory, monkeypatch):
    """The panel measures after its first result, and stops for the next one."""
    told = []
    assert not autotune.is_known(model, "forward") and needs_measuring(model, "forward", "cpu", "auto")

    def stop(done, total):
        told.append((done, total))
        if done:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        autotune.measure(model, "forward", stop)
    assert told[0][0] == 0 and told[-1][0] == 1 and not autotune.is_known(model, "forward")
    ways = autotune.measure(model, "forward", lambda done, total: told.append((done, total)))
    assert told[-1][0] <= told[-1][1] and len(ways) <= told[-1][1]
    assert autotune.is_known(model, "forward") and not needs_measuring(model, "forward", "cpu", "auto")
    assert not autotune.is_known(model, "backward")


def test_nothing_is_measured_for_what_was_chosen(model, monkeypatch):
    assert not needs_measuring(model, "forward", "cpu", "fp32")
    monkeypatch.setenv(autotune.SWITCH, "off")
    assert not needs_measuring(model, "forward", "cpu", "auto")


def test_a_runner_at_once_is_exact_and_measures_nothing(model, memory, monkeypatch):
    from surgical_style_engine.backends import select

    monkeypatch.setattr(autotune, "_measure", lambda *_: pytest.fail("measured"))
    assert select.runner_at_once(model, "forward").precision == "fp32" and not memory.exists()
    monkeypatch.setattr(select, "find_spec", lambda name: None)
    assert select.runner_at_once(model, "forward").backend == "torch"
