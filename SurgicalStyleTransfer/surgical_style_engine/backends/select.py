"""Running a generator on batches of slices: torch, OpenVINO or ONNX Runtime behind one call."""

from __future__ import annotations

import contextlib
import copy
import sys
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from surgical_style_engine.backends.openvino.graph import resnet_network
from surgical_style_engine.backends.openvino.int8 import in_eight_bits
from surgical_style_engine.common import heap
from surgical_style_engine.common.torch_presence import check_torch, has_torch, is_installed
from surgical_style_engine.errors import InputError, OutOfMemoryError, StyleTransferError
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.importers.picture import is_style_image

from . import autotune
from .devices import bf16_helps, device_name, pick_device

BACKENDS = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8", "int8+bf16")
EIGHT_BIT = {"int8": "fp32", "int8+bf16": "bf16"}  # and what they compute the other layers in, see ``eight_bit``


class Runner(Protocol):
    """A generator ready to run. ``device``, ``precision`` and ``backend`` name what is really used."""

    device: str
    precision: str
    backend: str
    note: str  # a sentence for the person, where "auto" had to do without something; else empty

    def run(self, batch: np.ndarray) -> np.ndarray:
        """(n, channels, h, w) float32 in [-1, 1] -> (n, channels', h, w) float32. MemoryError when it does not fit.

        channels' are those of the middle slice, or of the whole stack where the network computes no less.

        A runner may also have ``start``: the same, but it returns at once with a function that gives the result. Two
        batches may be under way; they are fetched in the order in which they were started.
        """


def make_runner(
    model: StyleModel, direction: str = "forward", device: str = "auto", precision: str = "auto", backend: str = "auto"
) -> Runner:
    """The runner for a model and direction. Raises InputError for what this machine or model cannot do.

    auto is torch on a GPU, in bf16 where the hardware multiplies it. On the CPU it is what was measured to be fastest
    for this machine and model, see ``probe``; without torch OpenVINO, which runs the default generator without it. ONNX
    models run in ONNX Runtime, or in OpenVINO where that is asked for or the only one installed.
    """
    model.check_direction(direction)
    check_choices(precision, backend)
    if is_style_image(model.card):
        check_torch(f"The style {model.card.name}")
        from surgical_style_engine.stylize.runner import StyleImageRunner

        return StyleImageRunner.of_model(model, device, precision, backend)
    if model.card.weights.file == "model.onnx":
        if backend == "torch":
            raise InputError(f"The model {model.card.name} is an ONNX model, which the backend torch cannot run.")
        if backend == "openvino" or not find_spec("onnxruntime") and find_spec("openvino"):
            return OpenVinoRunner(model, direction, device, precision)
        return OnnxRunner(model, device, precision)
    if backend == "torch":
        check_torch("The backend torch")
    elif backend == "auto" and not is_installed() and not find_spec("openvino"):
        raise InputError(f"The model {model.card.name} needs PyTorch or OpenVINO, and neither is installed.")
    note = ""
    if precision in EIGHT_BIT and backend == "auto":
        backend = "openvino"
    elif "auto" in (backend, precision) and autotune.is_on() and _on_cpu(device):
        choice = autotune.choose(model, direction, backend, precision)
        backend, precision, note = choice.backend, choice.precision, choice.note
    if backend == "auto" and _on_cpu(device) and not has_torch():
        backend = "openvino"
    if backend == "openvino":
        kind: type = OpenVinoRunner
    else:
        kind = CudaRunner if pick_device(device).type == "cuda" else TorchRunner
    runner = kind(model, direction, device, precision)
    runner.note = note
    return runner


def _on_cpu(device: str) -> bool:
    return device == "cpu" or device == "auto" and device_name("auto") == "cpu"


def check_choices(precision: str, backend: str) -> None:
    """Raise InputError for names of precisions and backends that do not exist."""
    if precision not in PRECISIONS:
        raise InputError(f"There is no precision '{precision}'; use {', '.join(PRECISIONS)}.")
    if backend not in BACKENDS:
        raise InputError(f"There is no backend '{backend}'; use {', '.join(BACKENDS)}.")


class TorchRunner:
    """The network in torch, in the precision asked for.

    GPUs compute by autocast. On the CPU images are kept channels-last, as its convolutions want them, and bf16 has
    weights of its own, rounded once: autocast would convert both between all layers.
    """

    backend, note = "torch", ""

    def __init__(self, model: StyleModel, direction: str, device: str, precision: str) -> None:
        check_torch("The backend torch")
        import torch

        self._torch = torch
        self._device = pick_device(device)
        if precision == "auto":
            precision = "bf16" if bf16_helps(self._device) else "fp32"
        if precision in EIGHT_BIT:
            raise InputError(f"The precision {precision} needs the backend openvino; use fp32, bf16 or auto.")
        if precision == "fp16" and self._device.type == "cpu":
            raise InputError("The precision fp16 needs a GPU; use fp32, bf16 or auto on the CPU.")
        self.device, self.precision = str(self._device), precision
        self._own_bf16 = precision == "bf16" and self._device.type == "cpu"
        network = _generator(model, direction)
        if self._device.type == "cpu":
            heap.keep_freed()
        with _told("The network cannot be moved to the device"):
            # A copy, since changing it is in place, and other runners use the model's own.
            network = copy.deepcopy(network).to(self._device)
            if self._own_bf16:
                network = _rounded(network)
            if self._device.type in ("cpu", "cuda"):
                network = network.to(memory_format=torch.channels_last)
            self._network = network

    def run(self, batch: np.ndarray) -> np.ndarray:
        torch = self._torch
        with _told("The network failed"), torch.inference_mode(), self._cast():
            images = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
            if self._device.type == "cpu":
                kind = torch.bfloat16 if self._own_bf16 else torch.float32
                images = images.to(kind, memory_format=torch.channels_last)
            return self._network(images).float().cpu().numpy()

    def _cast(self) -> contextlib.AbstractContextManager:
        kinds = {"bf16": self._torch.bfloat16, "fp16": self._torch.float16}
        if self.precision not in kinds or self._own_bf16:
            return contextlib.nullcontext()
        # What is recorded must not find weights that were rounded before.
        return self._torch.autocast(self._device.type, kinds[self.precision], cache_enabled=False)


class CudaRunner(TorchRunner):
    """The network in torch on a GPU, with the next batch under way while one is fetched, see ``gpu_pipeline``."""

    def __init__(self, model: StyleModel, direction: str, device: str, precision: str) -> None:
        super().__init__(model, direction, device, precision)
        from .gpu_pipeline import GpuPipeline

        self._pipeline = GpuPipeline(self._network, self._device, self._cast)

    def run(self, batch: np.ndarray) -> np.ndarray:
        return self.start(batch)()

    def start(self, batch: np.ndarray) -> Callable[[], np.ndarray]:
        """See ``Runner``."""
        try:
            with _told("The network failed"):
                fetch = self._pipeline.start(batch)
        except MemoryError:
            self._make_room()
            raise

        def fetched() -> np.ndarray:
            try:
                with _told("The network failed"):
                    return fetch()
            except MemoryError:
                self._make_room()
                raise

        return fetched

    def _make_room(self) -> None:
        with contextlib.suppress(RuntimeError):  # after a failure within the GPU nothing works any more
            self._pipeline.clear()
            self._torch.cuda.empty_cache()


def _generator(model: StyleModel, direction: str) -> Any:
    """The network as a translation needs it; other runners use the model's own."""
    generator = model.generator(direction)
    from surgical_style_engine.networks.fast.middle_slice import middle_only

    return middle_only(generator, model.card.domain_to(direction).channels)


def _rounded(network: Any) -> Any:
    """The network with bf16 weights, in place; those of normalisations stay fp32, as do the statistics they take."""
    import torch

    for module in network.modules():
        if not isinstance(module, torch.nn.modules.batchnorm._NormBase):
            for name, parameter in module.named_parameters(recurse=False):
                module._parameters[name] = torch.nn.Parameter(parameter.detach().bfloat16(), requires_grad=False)
    return network


class OpenVinoRunner:
    """The network, from its weights, torch or ONNX, compiled by OpenVINO for this CPU; batches of any size."""

    backend, device, note = "openvino", "cpu", ""

    def __init__(self, model: StyleModel, direction: str, device: str, precision: str) -> None:
        _openvino()
        if device not in ("auto", "cpu"):
            raise InputError("The backend openvino runs on the CPU; use the device auto or cpu.")
        if precision == "auto":
            precision = "bf16" if bf16_helps("cpu") else "fp32"
        if precision == "fp16":
            raise InputError("The backend openvino computes in fp32, bf16 or int8 on the CPU.")
        self.precision = precision
        hint = {"bf16": "bf16", "fp32": "f32"}[EIGHT_BIT.get(precision, precision)]
        core = _openvino_core()
        with _told(f"OpenVINO cannot compile the model {model.card.name}"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's tracer announces its own successors
            if model.card.weights.file == "model.onnx":
                network = core.read_model(model.weights_path)
            else:
                network = _written_down(model, direction)
                network = _traced(model, direction) if network is None else network
            if precision in EIGHT_BIT and not in_eight_bits(network):
                raise InputError(
                    f"The model {model.card.name} has no layers that eight bits would speed up; use fp32, bf16 or auto."
                )
            self._compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": hint})
        batches = network.input(0).get_partial_shape()[0]
        self._one_by_one = batches.is_static and batches.get_length() == 1

    def run(self, batch: np.ndarray) -> np.ndarray:
        parts = [image[None] for image in batch] if self._one_by_one else [batch]
        with _told("The network failed"):
            # Copied: OpenVINO may use the memory of its results again.
            results = [np.array(self._compiled(np.ascontiguousarray(part))[0], np.float32) for part in parts]
        return results[0] if len(results) == 1 else np.concatenate(results)


def _written_down(model: StyleModel, direction: str) -> Any | None:
    """The network for OpenVINO from its weights alone; None for architectures that only torch knows."""
    found = model.weights(direction)
    return None if found is None else resnet_network(*found, model.card.domain_to(direction).channels)


def _traced(model: StyleModel, direction: str) -> Any:
    """The network for OpenVINO by running it in torch once."""
    generator = _generator(model, direction)
    import torch

    channels = model.card.domain_from(direction).channels * model.card.stack
    example = torch.zeros(1, channels, 64, 64)
    return _openvino().convert_model(generator, example_input=example, input=[(-1, channels, -1, -1)])


def _openvino() -> Any:
    """The package, without its usage statistics: it would send some at its import and at every conversion unless the
    user has objected, and nothing leaves the workstation from here. It does without where their package is missing."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise InputError("The backend openvino is not installed; run: pip install openvino.") from None
    return openvino


@cache
def _openvino_core() -> Any:
    """One for the whole process. Each Core gives the thread a stack for signals; where two are freed in the order they
    were made, the second one hands back the first one's, which is gone, and the next signal (Ctrl-C, the end of a child
    process) is a segmentation fault."""
    return _openvino().Core()


class OnnxRunner:
    """An imported ONNX generator in ONNX Runtime."""

    backend, device, precision, note = "onnxruntime", "cpu", "fp32", ""

    def __init__(self, model: StyleModel, device: str, precision: str = "auto") -> None:
        try:
            import onnxruntime
        except ImportError:
            raise InputError("ONNX models need the package onnxruntime; run: pip install onnxruntime.") from None
        if device not in ("auto", "cpu"):
            raise InputError("ONNX models run on the CPU; use the device auto or cpu.")
        if precision not in ("auto", "fp32"):
            raise InputError("ONNX models run in fp32; use the precision auto or fp32.")
        with _told(f"The ONNX model {model.card.name} cannot be loaded"):
            self._session = onnxruntime.InferenceSession(str(model.weights_path), providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: np.ndarray) -> np.ndarray:
        # One image at a time: exported networks often fix the batch size to one.
        with _told("The network failed"):
            results = [self._session.run(None, {self._input: np.ascontiguousarray(image[None])})[0] for image in batch]
        return np.concatenate(results).astype(np.float32, copy=False)


def run_smaller_on_memory_error(runner: Runner, batch: np.ndarray) -> tuple[np.ndarray, int]:
    """Run a batch, halving it as long as memory is short. Returns (result, size that fitted).

    Raises OutOfMemoryError if not even a single slice fits.
    """
    size = len(batch)
    while True:
        try:
            parts = [runner.run(batch[start : start + size]) for start in range(0, len(batch), size)]
            return np.concatenate(parts), size
        except MemoryError:
            if size == 1:
                h, w = batch.shape[-2:]
                advice = "" if runner.device == "cpu" else "; use the device cpu"
                raise OutOfMemoryError(
                    f"The device {runner.device} has too little memory for a single slice of {h}x{w}{advice}."
                ) from None
            size = (size + 1) // 2


@contextlib.contextmanager
def _told(what: str) -> Any:
    """Library errors as MemoryError, or as StyleTransferError with one sentence. Each library has kinds of its own."""
    try:
        yield
    except (StyleTransferError, KeyboardInterrupt):
        raise
    except Exception as error:
        text = str(error).strip()
        if isinstance(error, MemoryError) or any(sign in text.lower() for sign in _NO_MEMORY):
            raise MemoryError from None
        reason = text.splitlines()[0].rstrip(".: ") if text else type(error).__name__
        raise StyleTransferError(f"{what}: {reason}.") from None


_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "failed to allocate",
    "alloc_failed",
    "bad_alloc",
)
