"""The same network in every backend and precision gives the same picture; what a machine cannot do is said."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_models import head, make_tiny_model

from surgical_style_engine.backends import devices, torch_runner
from surgical_style_engine.backends.openvino import library
from surgical_style_engine.backends.openvino import runner as openvino_runner
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.backends.torch_runner import TorchRunner
from surgical_style_engine.errors import InputError, OutOfMemoryError, StyleTransferError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model, save_model
from surgical_style_engine.networks import build_generator
from surgical_style_engine.volumes.normalization import RobustPercentile
from surgical_style_engine.volumes.volume import Volume

# Root mean square of the difference from torch's fp32, in normalised units (the range is 2).
FP32_BOUND = 1e-4
BF16_BOUND = 0.03
# Found without importing it: the backend itself imports it without its usage statistics.
needs_openvino = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
SETTINGS = [("torch", "fp32"), ("torch", "bf16"), ("openvino", "fp32"), ("openvino", "bf16")]


def pictures(count: int, h: int, w: int, channels: int = 1) -> np.ndarray:
    """(count, channels, h, w) float32 in [-1, 1]: slices of a noisy head."""
    volume = head(3, (count * channels + 4, h, w))
    volume = np.abs(volume + np.random.default_rng(0).normal(0, 8, volume.shape)).astype(np.float32)
    normal = RobustPercentile().fit(volume).forward(volume)[2 : 2 + count * channels]
    return np.ascontiguousarray(normal.reshape(count, channels, h, w))


def rms(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


def lively(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights as large as those of trained networks; fresh ones draw next to nothing."""
    torch.manual_seed(2)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return network.state_dict()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a small model in fp32, both directions."""
    parent = tmp_path_factory.mktemp("models")
    card = read_card(make_tiny_model(parent, "base"))
    states = [lively(build_generator("resnet", **card.architecture.arguments)) for _ in range(2)]
    states[1] = {key: value.flip(0) for key, value in states[1].items()}
    save_model(parent / "tiny", card.model_copy(update={"name": "tiny"}), *states)
    return parent / "tiny"


@pytest.fixture(scope="module")
def model(folder):
    return load_model(folder)


@pytest.fixture(scope="module")
def runners(model):
    """One of each setting; compiling takes a second."""
    if not find_spec("openvino"):
        pytest.skip("openvino is not installed")
    return {setting: make_runner(model, device="cpu", precision=setting[1], backend=setting[0]) for setting in SETTINGS}


@pytest.fixture(scope="module", params=["resnet", "unet_reference", "article"])
def any_model(request, tmp_path_factory):
    """Every architecture, small, as a 2.5-D model."""
    small = {
        "resnet": {"in_channels": 3, "out_channels": 3, "ngf": 6, "n_blocks": 2},
        "unet_reference": {"in_channels": 3, "out_channels": 3, "ngf": 2, "num_downs": 5, "norm": "instance"},
        "article": {"in_channels": 3, "out_channels": 3, "ngf": 6, "n_blocks": 1},
    }[request.param]
    parent = tmp_path_factory.mktemp(request.param)
    card = read_card(make_tiny_model(parent, "base"))
    state = lively(build_generator(request.param, **small))
    card = card.model_copy(
        update={
            "architecture": card.architecture.model_copy(update={"name": request.param, "arguments": small}),
            "stack": 3,
            "directions": ["forward"],
            "name": request.param.replace("_", "-"),
        }
    )
    save_model(parent / "made", card, state)
    return load_model(parent / "made")


@pytest.fixture(scope="module")
def any_runners(any_model):
    if not find_spec("openvino"):
        pytest.skip("openvino is not installed")
    return {
        setting: make_runner(any_model, device="cpu", precision=setting[1], backend=setting[0]) for setting in SETTINGS
    }


class TestAgreement:
    def test_torch_and_openvino_and_their_precisions(self, any_model, any_runners):
        """One compiled network takes every batch size, height and width. A ResNet computes the middle slice alone."""
        made = 1 if any_model.card.architecture.name == "resnet" else 3
        for setting, runner in any_runners.items():
            assert (runner.backend, runner.precision, runner.device) == (*setting, "cpu")
        for count, h, w in ((1, 32, 32), (3, 44, 64), (2, 100, 36), (1, 32, 32)):
            batch = pictures(count, h, w, channels=3)
            wanted = any_runners["torch", "fp32"].run(batch)
            assert wanted.shape == (count, made, h, w) and wanted.dtype == np.float32
            assert wanted.std() > 0.1, "a network that draws nothing proves nothing"
            for (backend, precision), runner in any_runners.items():
                found = runner.run(batch)
                assert found.shape == wanted.shape and found.dtype == np.float32
                error = rms(found, wanted)
                assert error < (FP32_BOUND if precision == "fp32" else BF16_BOUND), (backend, precision, batch.shape)

    def test_the_same_input_gives_the_same_output(self, any_model, any_runners):
        batch = pictures(2, 44, 64, channels=3)
        for (backend, precision), runner in any_runners.items():
            another = make_runner(any_model, device="cpu", precision=precision, backend=backend)
            first = runner.run(batch)
            runner.run(-batch)
            assert np.array_equal(runner.run(batch), first), (backend, precision)
            assert np.array_equal(another.run(batch), first), (backend, precision)

    def test_a_batch_is_the_slices_one_by_one(self, any_runners):
        batch = pictures(4, 40, 48, channels=3)
        for backend in ("torch", "openvino"):
            runner = any_runners[backend, "fp32"]
            singly = np.concatenate([runner.run(image[None]) for image in batch])
            assert rms(runner.run(batch), singly) < FP32_BOUND

    def test_results_are_not_overwritten_by_the_next_run(self, runners):
        for runner in runners.values():
            first = runner.run(pictures(2, 40, 40))
            kept = first.copy()
            runner.run(-pictures(2, 40, 40))
            assert np.array_equal(first, kept)

    def test_the_two_directions_are_two_networks(self, model, runners):
        batch = pictures(1, 40, 40)
        backward = [make_runner(model, "backward", "cpu", "fp32", name).run(batch) for name in ("torch", "openvino")]
        assert rms(*backward) < FP32_BOUND
        assert rms(backward[0], runners["torch", "fp32"].run(batch)) > 0.1

    def test_weights_stored_in_half_precision_are_computed_in_full(self, folder, tmp_path):
        """As if the rounded weights had been stored in fp32, to the last bit."""
        card = read_card(folder)
        network = load_model(folder).generator()
        halves = {key: value.half() for key, value in network.state_dict().items()}
        save_model(tmp_path / "half", card.model_copy(update={"directions": ["forward"]}), halves)
        save_model(
            tmp_path / "full",
            card.model_copy(update={"directions": ["forward"]}),
            {key: value.float() for key, value in halves.items()},
        )
        half, full = load_model(tmp_path / "half"), load_model(tmp_path / "full")
        assert half.card.weights.bytes < 0.7 * full.card.weights.bytes
        assert all(value.dtype == torch.float32 for value in half.generator().state_dict().values())
        batch = pictures(2, 48, 40)
        found, wanted = (TorchRunner(each, "forward", "cpu", "fp32").run(batch) for each in (half, full))
        assert np.array_equal(found, wanted)
        assert rms(found, TorchRunner(load_model(folder), "forward", "cpu", "fp32").run(batch)) > 0

    def test_bf16_is_really_used(self, runners):
        """Where the hardware has it; OpenVINO would fall back to fp32 elsewhere."""
        batch = pictures(2, 48, 40)
        for backend in ("torch", "openvino") if devices.bf16_helps(torch.device("cpu")) else ("torch",):
            full, half = (runners[backend, precision].run(batch) for precision in ("fp32", "bf16"))
            assert 1e-4 < rms(full, half) < BF16_BOUND

    def test_a_real_volume(self, shared_data, model, runners):
        volume = read_volume(shared_data / "open-ms" / "longitudinal" / "patient04_study1_T1W.nii.gz")
        volume = volume.with_array(volume.array[:, 20:24])
        made = {setting: translate_volume(volume, model, runner=runner) for setting, runner in runners.items()}
        for (backend, precision), translation in made.items():
            assert (translation.backend, translation.precision, translation.device) == (backend, precision, "cpu")
            error = rms(translation.normalized_output, made["torch", "fp32"].normalized_output)
            assert error < (FP32_BOUND if precision == "fp32" else BF16_BOUND)


class TestChoices:
    @pytest.mark.parametrize(("helps", "precision"), [(True, "bf16"), (False, "fp32")])
    def test_auto_is_torch_in_what_the_hardware_multiplies(self, model, monkeypatch, helps, precision):
        monkeypatch.setattr(torch_runner, "bf16_helps", lambda device: helps)
        runner = make_runner(model, device="cpu")
        assert (runner.backend, runner.precision, runner.device) == ("torch", precision, "cpu")

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

    def test_a_runner_on_another_device_does_not_take_the_network_away(self, model, monkeypatch):
        """The warm worker keeps runners of one model on several devices."""
        on_cpu = make_runner(model, device="cpu", precision="fp32")
        batch = pictures(1, 32, 32)
        wanted = on_cpu.run(batch)
        monkeypatch.setattr(torch_runner, "pick_device", lambda name: torch.device("meta"))
        elsewhere = make_runner(model, precision="fp32")
        assert next(elsewhere._network.parameters()).device.type == "meta"
        assert np.array_equal(on_cpu.run(batch), wanted)
        assert next(model.generator().parameters()).device.type == "cpu"

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    @pytest.mark.parametrize(("precision", "bound"), [("fp32", 0.01), ("bf16", BF16_BOUND), ("fp16", BF16_BOUND)])
    def test_cuda_agrees_with_the_cpu(self, any_model, precision, bound):
        batch = pictures(3, 44, 64, channels=3)
        runner = make_runner(any_model, device="cuda", precision=precision)
        assert runner.device == "cuda:0"
        assert rms(runner.run(batch), make_runner(any_model, device="cpu", precision="fp32").run(batch)) < bound


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ({"precision": "fp64"}, "There is no precision 'fp64'; use auto, fp32, bf16, fp16, int8, int8+bf16."),
            ({"backend": "tensorrt"}, "There is no backend 'tensorrt'; use auto, torch, openvino."),
            ({"direction": "sideways"}, "The model tiny has no direction 'sideways'; it has forward, backward."),
            ({"device": "tpu"}, "There is no device 'tpu'; use auto, cpu, cuda, cuda:N or mps."),
            (
                {"device": "cpu", "precision": "fp16"},
                "The precision fp16 needs a GPU; use fp32, bf16 or auto on the CPU.",
            ),
        ],
    )
    def test_names_and_combinations(self, model, arguments, sentence):
        with pytest.raises(InputError) as caught:
            make_runner(model, **arguments)
        assert str(caught.value) == sentence and caught.value.exit_code == 2

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
        """Whether it is written down or traced."""

        def refuse(*_, **__):
            raise RuntimeError("Exception from src/core.cpp:1:\nno such operation\n")

        if any_model.card.architecture.name == "resnet":
            monkeypatch.setattr(library, "core", lambda: SimpleNamespace(compile_model=refuse))
        else:
            monkeypatch.setattr(library.openvino_package(), "convert_model", refuse)
        with pytest.raises(StyleTransferError) as caught:
            make_runner(any_model, backend="openvino", precision="fp32")
        name = any_model.card.name
        assert str(caught.value) == f"OpenVINO cannot compile the model {name}: Exception from src/core.cpp:1."

    def test_failures_of_the_libraries_are_one_sentence(self, runners):
        wrong = pictures(1, 32, 32, channels=2)
        for runner in runners.values():
            with pytest.raises(StyleTransferError, match="^The network failed: ") as caught:
                runner.run(wrong)
            assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
            assert not isinstance(caught.value, InputError)

    def test_onnx_models_and_torch(self, folder):
        card = read_card(folder)
        weights = card.weights.model_copy(update={"file": "model.onnx"})
        onnx = load_model(folder)
        onnx.card = card.model_copy(update={"weights": weights})
        with pytest.raises(InputError, match="is an ONNX model, which the backend torch cannot run"):
            make_runner(onnx, backend="torch")
        with pytest.raises(InputError, match="is an ONNX model; it has no torch generator"):
            onnx.generator()


class TestMemory:
    """What the libraries say when memory is short, by really asking for more than there is."""

    def test_torchs_own_words_become_a_memory_error(self, model):
        runner = make_runner(model, device="cpu", precision="fp32")
        runner._network = lambda images: torch.empty(1 << 55)
        with pytest.raises(MemoryError):
            runner.run(pictures(1, 32, 32))

    @pytest.mark.parametrize(
        "words",
        [
            "CUDA out of memory. Tried to allocate 20.00 GiB.",
            "MPS backend out of memory (MPS allocated: 9.1 GB).",
            "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
            "[enforce fail at alloc_cpu.cpp:81] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9",
            "std::bad_alloc",
        ],
    )
    def test_so_do_others(self, model, words):
        def fail(images):
            raise RuntimeError(words)

        runner = make_runner(model, device="cpu", precision="fp32")
        runner._network = fail
        with pytest.raises(MemoryError):
            runner.run(pictures(1, 32, 32))

    def test_a_single_slice_that_does_not_fit(self, model):
        runner = make_runner(model, device="cpu", precision="fp32")
        runner._network = lambda images: torch.empty(1 << 55)
        with pytest.raises(OutOfMemoryError) as caught:
            translate_volume(Volume(head()[None]), model, runner=runner)
        assert str(caught.value).startswith("The device cpu has too little memory for a single slice of ")

    def test_interrupting_is_no_failure_of_the_network(self, model):
        def interrupt(images):
            raise KeyboardInterrupt

        runner = make_runner(model, device="cpu", precision="fp32")
        runner._network = interrupt
        with pytest.raises(KeyboardInterrupt):
            runner.run(pictures(1, 32, 32))
