"""The torch runner: its devices and weights, and what it says when memory is short."""

import numpy as np
import pytest
import torch
from agreement import BF16_BOUND, pictures, rms
from tiny_models import head

from surgical_style_engine.backends import torch_runner
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.backends.torch_runner import TorchRunner
from surgical_style_engine.errors import InputError, OutOfMemoryError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model, save_model
from surgical_style_engine.volumes.volume import Volume


class TestWeights:
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


class TestDevices:
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
