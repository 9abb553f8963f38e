"""Which runner a model gets: by what was asked for, what is installed, and what was measured to be fastest."""

from __future__ import annotations

from importlib.util import find_spec

from surgical_style_engine.common.torch_presence import check_torch, has_torch, is_installed
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.models.folder import StyleModel

from . import autotune
from .choices import INT8, check_choices, runner_maker
from .devices import device_name
from .onnx_runner import OnnxRunner
from .openvino.runner import OpenVinoRunner
from .runner import Runner


def make_runner(
    model: StyleModel, direction: str = "forward", device: str = "auto", precision: str = "auto", backend: str = "auto"
) -> Runner:
    """The runner for a network and direction.

    auto is torch on a GPU, in bf16 where the hardware multiplies it. On the CPU it is what was measured to be fastest
    for this machine and model, see ``autotune``; without torch OpenVINO, which runs the default generator without it.
    ONNX models run in ONNX Runtime, or in OpenVINO where that is asked for or the only one installed.

    Args:
        model: a network or an ONNX model. (``inference.runners`` also knows style pictures.)
        direction: forward or backward.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: one of ``PRECISIONS``.
        backend: auto, or one of ``BACKENDS``.

    Raises:
        InputError: for what this machine or model cannot do.
        StyleTransferError: where a library cannot make it ready.
    """
    model.check_direction(direction)
    check_choices(precision, backend)
    if model.card.stored.file == "model.onnx":
        return _onnx_runner(model, direction, device, precision, backend)
    if backend == "torch":
        check_torch("The backend torch")
    elif backend == "auto" and not is_installed() and not find_spec("openvino"):
        raise InputError(f"The model {model.card.name} needs PyTorch or OpenVINO, and neither is installed.")
    note = ""
    if precision in INT8 and backend == "auto":
        backend = "openvino"
    elif "auto" in (backend, precision) and autotune.is_on() and _on_cpu(device):
        choice = autotune.choose(model, direction, backend, precision)
        backend, precision, note = choice.backend, choice.precision, choice.note
    if backend == "auto" and _on_cpu(device) and not has_torch():
        backend = "openvino"
    runner = runner_maker("torch" if backend == "auto" else backend)(model, direction, device, precision)
    runner.note = note
    return runner


def needs_measuring(model: StyleModel, direction: str, device: str, precision: str) -> bool:
    """Whether ``make_runner`` would measure first what is fastest, which takes up to half a minute.

    Args:
        model: a network or an ONNX model.
        direction: forward or backward.
        device: as for ``make_runner``.
        precision: as for ``make_runner``.
    """
    is_measured = precision == "auto" and autotune.is_on() and model.card.stored.file != "model.onnx"
    return is_measured and _on_cpu(device) and not autotune.is_known(model, direction)


def runner_at_once(model: StyleModel, direction: str) -> Runner:
    """A runner for the CPU in fp32 that needs no measuring: OpenVINO where it can run the network, else torch.

    Raises:
        InputError: where neither is installed, or the model lacks the direction.
        StyleTransferError: where the libraries cannot make it ready.
    """
    if find_spec("openvino"):
        try:
            return make_runner(model, direction, "cpu", "fp32", "openvino")
        except StyleTransferError:
            if not has_torch():
                raise  # it says what the model needs
    return make_runner(model, direction, "cpu", "fp32", "torch")


def _onnx_runner(model: StyleModel, direction: str, device: str, precision: str, backend: str) -> Runner:
    if backend == "torch":
        raise InputError(f"The model {model.card.name} is an ONNX model, which the backend torch cannot run.")
    if backend == "openvino" or not find_spec("onnxruntime") and find_spec("openvino"):
        return OpenVinoRunner(model, direction, device, precision)
    return OnnxRunner(model, device, precision)


def _on_cpu(device: str) -> bool:
    return device == "cpu" or device == "auto" and device_name("auto") == "cpu"
