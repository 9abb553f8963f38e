"""A generator compiled by OpenVINO for this CPU."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

import numpy as np
from typing_extensions import override

from surgical_style_engine.backends.choices import INT8
from surgical_style_engine.backends.devices import bf16_helps
from surgical_style_engine.backends.library_errors import library_errors_told
from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.backends.torch_runner import middle_generator
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.slices import pad_to_multiple

from . import library
from .int8 import round_to_int8
from .writers import size_step, written_network

SIZES = 4  # of images that compiled networks are kept for: three planes, and a preview's
_HINTS = {"bf16": "bf16", "fp32": "f32"}


class OpenVinoRunner(Runner):
    """The network, from its weights, torch or ONNX; batches of any size.

    Most are compiled once for all sizes. Those that ``writers.size_step`` names are compiled for a size when it is
    first seen, which takes a quarter of a second; the latest few are kept.

    Args:
        model: with weights for torch, or an ONNX file.
        direction: forward or backward.
        device: auto or cpu.
        precision: auto, fp32, bf16, int8 or int8+bf16.

    Raises:
        InputError: where OpenVINO is missing or something else is asked for.
        StyleTransferError: where it cannot compile the network.
    """

    backend = "openvino"

    def __init__(self, model: StyleModel, direction: str, device: str, precision: str) -> None:
        library.openvino_package()
        if device not in ("auto", "cpu"):
            raise InputError("The backend openvino runs on the CPU; use the device auto or cpu.")
        if precision == "auto":
            precision = "bf16" if bf16_helps("cpu") else "fp32"
        if precision == "fp16":
            raise InputError("The backend openvino computes in fp32, bf16 or int8 on the CPU.")
        self.precision = precision
        self._compiled: Any  # a function of a batch
        hint = _HINTS[INT8.get(precision, precision)]
        core = library.core()
        with library_errors_told(f"OpenVINO cannot compile the model {model.card.name}"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's tracer announces its own successors
            written = False
            if model.card.stored.file == "model.onnx":
                network = core.read_model(model.weights_path)
            else:
                network = written_network(model, direction)
                written = network is not None
                network = network if written else traced_network(model, direction)
            if precision in INT8 and not round_to_int8(network):
                raise InputError(
                    f"The model {model.card.name} has no layers that eight bits would speed up; use fp32, bf16 or auto."
                )
            step = size_step(model, direction) if written else None
            settings = {"INFERENCE_PRECISION_HINT": hint}
            if step is None:
                self._compiled = core.compile_model(network, "CPU", settings)
            else:
                self._compiled = _BySize(network, settings, step, model.card.name)
        batches = network.input(0).get_partial_shape()[0]
        self._one_by_one = step is not None or batches.is_static and batches.get_length() == 1

    @override
    def run(self, batch: np.ndarray) -> np.ndarray:
        parts = [image[None] for image in batch] if self._one_by_one else [batch]
        with library_errors_told("The network failed"):
            # Copied: OpenVINO may use the memory of its results again.
            results = [np.array(self._compiled(np.ascontiguousarray(part))[0], np.float32) for part in parts]
        return results[0] if len(results) == 1 else np.concatenate(results)


class _BySize:
    """A network compiled for single images of the sizes that come."""

    def __init__(self, network: Any, settings: dict[str, str], step: int, name: str) -> None:
        self._network, self._settings, self._step, self._name = network, settings, step, name
        self._ready: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, image: np.ndarray) -> list[np.ndarray]:
        """Run (1, channels, h, w); the only result, (1, channels', h, w).

        Raises:
            StyleTransferError: where it cannot be compiled for this size.
        """
        padded, (rows, columns) = pad_to_multiple(image, self._step)
        if padded.shape not in self._ready:
            with library_errors_told(f"OpenVINO cannot compile the model {self._name}"):
                self._network.reshape(list(padded.shape))
                self._ready[padded.shape] = library.core().compile_model(self._network, "CPU", self._settings)
        self._ready.move_to_end(padded.shape)
        while len(self._ready) > SIZES:
            self._ready.popitem(last=False)
        return [self._ready[padded.shape](padded)[0][..., rows, columns]]


def traced_network(model: StyleModel, direction: str) -> Any:
    """The ``openvino.Model`` of a network by running it in torch once."""
    generator = middle_generator(model, direction)
    import torch

    channels = model.card.domain_from(direction).channels * model.card.stack
    example = torch.zeros(1, channels, 64, 64)
    return library.openvino_package().convert_model(generator, example_input=example, input=[(-1, channels, -1, -1)])
