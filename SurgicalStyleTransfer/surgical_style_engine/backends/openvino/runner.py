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

from . import library
from .int8 import round_to_int8
from .writers import BY_SIZE, written_network

SIZES = 4  # of images that compiled networks are kept for: three planes, and a preview's
_HINTS = {"bf16": "bf16", "fp32": "f32"}


class OpenVinoRunner(Runner):
    """The network, from its weights, torch or ONNX; batches of any size.

    Most are compiled once for all sizes. Those of ``writers.BY_SIZE`` are compiled for a height and width when it is
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
            by_size = written and model.card.architecture.name in BY_SIZE
            self._by_size = _BySize(network, hint, model.card.name) if by_size else None
            self._compiled = None if by_size else core.compile_model(network, "CPU", _settings(hint))
        batches = network.input(0).get_partial_shape()[0]
        self._one_by_one = by_size or batches.is_static and batches.get_length() == 1

    @override
    def run(self, batch: np.ndarray) -> np.ndarray:
        parts = [image[None] for image in batch] if self._one_by_one else [batch]
        compiled = self._compiled if self._by_size is None else self._by_size.compiled(batch.shape[1:])
        with library_errors_told("The network failed"):
            # Copied: OpenVINO may use the memory of its results again.
            results = [np.array(compiled(np.ascontiguousarray(part))[0], np.float32) for part in parts]
        return results[0] if len(results) == 1 else np.concatenate(results)


class _BySize:
    """A network compiled for single images of the sizes that come."""

    def __init__(self, network: Any, hint: str, name: str) -> None:
        self._network, self._hint, self._name = network, hint, name
        self._ready: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def compiled(self, shape: tuple[int, ...]) -> Any:
        """What runs an image (channels, h, w).

        Raises:
            StyleTransferError: where it cannot be compiled.
        """
        if shape not in self._ready:
            with library_errors_told(f"OpenVINO cannot compile the model {self._name}"):
                self._network.reshape([1, *shape])
                self._ready[shape] = library.core().compile_model(self._network, "CPU", _settings(self._hint))
        self._ready.move_to_end(shape)
        while len(self._ready) > SIZES:
            self._ready.popitem(last=False)
        return self._ready[shape]


def _settings(hint: str) -> dict[str, str]:
    return {"INFERENCE_PRECISION_HINT": hint}


def traced_network(model: StyleModel, direction: str) -> Any:
    """The ``openvino.Model`` of a network by running it in torch once."""
    generator = middle_generator(model, direction)
    import torch

    channels = model.card.domain_from(direction).channels * model.card.stack
    example = torch.zeros(1, channels, 64, 64)
    return library.openvino_package().convert_model(generator, example_input=example, input=[(-1, channels, -1, -1)])
