"""The OpenVINO runner: its precision, what it leaves behind, and what it refuses."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from agreement import needs_openvino, pictures
from tiny_models import make_tiny_bilateral

from surgical_style_engine.backends import devices
from surgical_style_engine.backends.openvino import library
from surgical_style_engine.backends.openvino import runner as openvino_runner
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.models.folder import load_model


class TestChoices:
    @needs_openvino
    @pytest.mark.parametrize(("helps", "hint", "precision"), [(True, "bf16", "bf16"), (False, "f32", "fp32")])
    def test_openvinos_precision_too(self, model, monkeypatch, helps, hint, precision):
        """Without compiling anything."""
        asked = []

        class Core:
            def compile_model(self, network, device, settings):
                asked.append((device, settings))

        monkeypatch.setattr(openvino_runner, "bf16_helps", lambda device: helps)
        monkeypatch.setattr(library, "core", Core)
        runner = make_runner(model, backend="openvino")
        assert (runner.backend, runner.precision, runner.device) == ("openvino", precision, "cpu")
        assert asked == [("CPU", {"INFERENCE_PRECISION_HINT": hint})]

    def test_openvino_computes_in_the_precision_it_names(self, runners):
        openvino = library.openvino_package()
        names = {openvino.Type.bf16: "bf16", openvino.Type.f32: "fp32"}
        for precision in ("fp32", "bf16") if devices.bf16_helps(torch.device("cpu")) else ("fp32",):
            runner = runners["openvino", precision]
            assert names[runner._compiled.get_property("INFERENCE_PRECISION_HINT")] == precision == runner.precision

    @needs_openvino
    @pytest.mark.skipif(not hasattr(signal, "SIGCHLD"), reason="no such signals here")
    def test_signals_arrive_after_openvino_runners_were_replaced(self, folder):
        """Every OpenVINO Core gives its thread a stack for signals, and one may hand back another's that is gone."""
        code = f"""
import os, signal
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.models.folder import load_model
model = load_model({str(folder)!r})
for _ in range(2):
    runner = make_runner(model, backend="openvino", precision="fp32")
del runner
signal.signal(signal.SIGCHLD, lambda *_: print("told"))
os.kill(os.getpid(), signal.SIGCHLD)
"""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr


@needs_openvino
class TestSizes:
    """Generators of tone curves are compiled for the size that comes, in steps of what they pad to themselves."""

    def test_one_for_sizes_that_are_padded_alike_and_the_latest_kept(self, tmp_path, monkeypatch):
        compiled = []
        core = library.core()

        class Core:
            def compile_model(self, network, device, settings):
                compiled.append(list(network.input(0).get_shape()))
                return core.compile_model(network, device, settings)

        monkeypatch.setattr(library, "core", Core)
        model = load_model(make_tiny_bilateral(tmp_path))
        runner = make_runner(model, backend="openvino", precision="fp32")
        assert compiled == []
        for size in ((40, 60), (64, 36), (64, 64)):
            assert runner.run(pictures(2, *size, channels=3)).shape == (2, 1, *size)
        assert compiled == [[1, 3, 64, 64]]
        for count in range(1, openvino_runner.SIZES + 1):
            runner.run(pictures(1, 32, 32 * count, channels=3))
        assert len(compiled) == 1 + openvino_runner.SIZES
        runner.run(pictures(1, 32, 32, channels=3))
        assert len(compiled) == 1 + openvino_runner.SIZES, "the latest are kept"
        runner.run(pictures(1, 64, 64, channels=3))
        assert compiled[-1] == [1, 3, 64, 64] and len(compiled) == 2 + openvino_runner.SIZES


class TestWhatIsRefused:
    @needs_openvino
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ({"device": "cuda"}, "The backend openvino runs on the CPU; use the device auto or cpu."),
            ({"precision": "fp16"}, "The backend openvino computes in fp32, bf16 or int8 on the CPU."),
        ],
    )
    def test_what_openvino_does_not_do(self, model, arguments, sentence):
        with pytest.raises(InputError) as caught:
            make_runner(model, backend="openvino", **arguments)
        assert str(caught.value) == sentence

    def test_openvino_missing(self, model, monkeypatch):
        monkeypatch.setitem(sys.modules, "openvino", None)  # what an absent package does to an import
        with pytest.raises(InputError) as caught:
            make_runner(model, backend="openvino")
        assert str(caught.value) == "The backend openvino is not installed; run: pip install openvino."
        assert make_runner(model, device="cpu").backend == "torch"

    @needs_openvino
    def test_openvino_sends_no_usage_statistics(self, folder, tmp_path):
        """In a home of its own, since it leaves a file there before it sends anything; no name may be looked up."""
        code = f"""
import socket, sys
def refuse(*arguments, **_):
    print("looked up", arguments, file=sys.stderr)
    raise OSError
socket.getaddrinfo = socket.create_connection = refuse
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.models.folder import load_model
make_runner(load_model({str(folder)!r}), backend="openvino", precision="fp32")
print("made", "openvino_telemetry.main" in sys.modules)
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path)},
        )
        assert done.stdout == "made False\n" and "looked up" not in done.stderr, done.stderr
        assert not (tmp_path / "intel").exists()

    @needs_openvino
    def test_a_network_that_openvino_cannot_compile(self, any_model, monkeypatch):
        """Whether it is written down or traced, and compiled at once or when a size is first seen."""

        def refuse(*_, **__):
            raise RuntimeError("Exception from src/core.cpp:1:\nno such operation\n")

        if any_model.card.architecture.name in ("resnet", "bilateral"):
            monkeypatch.setattr(library, "core", lambda: SimpleNamespace(compile_model=refuse))
        else:
            monkeypatch.setattr(library.openvino_package(), "convert_model", refuse)
        with pytest.raises(StyleTransferError) as caught:
            make_runner(any_model, backend="openvino", precision="fp32").run(pictures(1, 32, 32, channels=3))
        name = any_model.card.name
        assert str(caught.value) == f"OpenVINO cannot compile the model {name}: Exception from src/core.cpp:1."
