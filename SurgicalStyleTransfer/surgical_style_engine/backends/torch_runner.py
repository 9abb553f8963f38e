"""A generator in torch, on the CPU and on GPUs."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import numpy as np
from typing_extensions import override

from surgical_style_engine.common import heap
from surgical_style_engine.common.torch_presence import check_torch
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel

from .choices import INT8
from .devices import bf16_helps, pick_device
from .library_errors import library_errors_told
from .runner import Fetch, Runner


class TorchRunner(Runner):
    """The network in torch, in the precision asked for.

    GPUs compute by autocast. On the CPU images are kept channels-last, as its convolutions want them, and bf16 has
    weights of its own, rounded once: autocast would convert both between all layers.

    Args:
        model: with weights for torch.
        direction: forward or backward.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: auto, fp32, bf16 or fp16.

    Raises:
        InputError: for what this machine or model cannot do.
        MemoryError: if the network does not fit.
    """

    backend = "torch"

    def __init__(self, model: StyleModel, direction: str, device: str, precision: str) -> None:
        check_torch("The backend torch")
        import torch

        self._torch = torch
        self._device = pick_device(device)
        if precision == "auto":
            precision = "bf16" if bf16_helps(self._device) else "fp32"
        if precision in INT8:
            raise InputError(f"The precision {precision} needs the backend openvino; use fp32, bf16 or auto.")
        if precision == "fp16" and self._device.type == "cpu":
            raise InputError("The precision fp16 needs a GPU; use fp32, bf16 or auto on the CPU.")
        self.device, self.precision = str(self._device), precision
        self._own_bf16 = precision == "bf16" and self._device.type == "cpu"
        network = middle_generator(model, direction)
        if self._device.type == "cpu":
            heap.keep_freed()
        with library_errors_told("The network cannot be moved to the device"):
            # A copy, since changing it is in place, and other runners use the model's own.
            network = copy.deepcopy(network).to(self._device)
            if self._own_bf16:
                network = _rounded(network)
            if self._device.type in ("cpu", "cuda"):
                network = network.to(memory_format=torch.channels_last)
            self._network = network

    @override
    def run(self, batch: np.ndarray) -> np.ndarray:
        torch = self._torch
        with library_errors_told("The network failed"), torch.inference_mode(), self._cast():
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

    ahead = 1

    def __init__(self, model: StyleModel, direction: str, device: str, precision: str) -> None:
        super().__init__(model, direction, device, precision)
        from .gpu_pipeline import GpuPipeline  # noqa: PLC0415 - loads torch

        self._pipeline = GpuPipeline(self._network, self._device, self._cast)

    @override
    def run(self, batch: np.ndarray) -> np.ndarray:
        return self.start(batch)()

    @override
    def start(self, batch: np.ndarray) -> Fetch:
        try:
            with library_errors_told("The network failed"):
                fetch = self._pipeline.start(batch)
        except MemoryError:
            self._make_room()
            raise

        def fetched() -> np.ndarray:
            try:
                with library_errors_told("The network failed"):
                    return fetch()
            except MemoryError:
                self._make_room()
                raise

        return fetched

    def _make_room(self) -> None:
        with contextlib.suppress(RuntimeError):  # after a failure within the GPU nothing works any more
            self._pipeline.clear()
            self._torch.cuda.empty_cache()


def torch_runner(model: StyleModel, direction: str, device: str, precision: str) -> TorchRunner:
    """The runner for a device. Arguments and errors as of ``TorchRunner``."""
    kind = CudaRunner if pick_device(device).type == "cuda" else TorchRunner
    return kind(model, direction, device, precision)


def middle_generator(model: StyleModel, direction: str) -> Any:
    """The ``torch.nn.Module`` as a translation needs it, which computes the middle slice alone.

    Runners may not change it, since it may be the model's own.
    """
    generator = model.generator(direction)
    from surgical_style_engine.networks.fast.middle_slice import middle_only  # noqa: PLC0415 - loads torch

    return middle_only(generator, model.card.domain_to(direction).channels)


def _rounded(network: Any) -> Any:
    """The network with bf16 weights, in place; those of normalisations stay fp32, as do the statistics they take."""
    import torch

    for module in network.modules():
        if not isinstance(module, torch.nn.modules.batchnorm._NormBase):
            for name, parameter in module.named_parameters(recurse=False):
                module._parameters[name] = torch.nn.Parameter(parameter.detach().bfloat16(), requires_grad=False)
    return network
