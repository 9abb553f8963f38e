"""Whether an ONNX file is an image-to-image generator that the volume pipeline can run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.common.memory_limit import at_most_more
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.gate.regular import check_regular

from .onnx_sizes import check_sizes

LARGEST_FILE = 1 << 30  # bytes; protobuf itself ends at 2 GB
MOST_MEMORY = 2 << 30  # bytes beside the file's own, for small images
TRIAL_SIZES = ((64, 64), (76, 100))  # multiples of 4, which is what slices are padded to


@dataclass(frozen=True)
class OnnxGenerator:
    """A checked network.

    Attributes:
        in_channels: 1 or 3.
        out_channels: 1 or 3.
        content: The file's bytes, with height and width freed where the exporter had fixed them.
        fixed_size: That (height, width), or None.
    """

    in_channels: int
    out_channels: int
    content: bytes
    fixed_size: tuple[int, int] | None


def read_onnx(path: Path) -> OnnxGenerator:
    """Check a file and run it on small images of noise.

    It must have one float input (1 or n, 1 or 3, h, w) and one float output of that shape, with weights inside, run at
    different sizes and give values in [-1, 1].

    Raises:
        InputError: With one sentence for what is no such network.
    """
    model = load_onnx(path)
    known = {tensor.name for tensor in model.graph.initializer}
    image = _only([value for value in model.graph.input if value.name not in known], "input", path)
    result = _only(list(model.graph.output), "output", path)
    in_channels, fixed_size = _channels(image, "input", path), _free_size(image)
    if fixed_size:
        _free_size(result)
        del model.graph.value_info[:]  # sizes in between, which the runtime finds out by itself
    content = model.SerializeToString()
    out_channels = _try(content, in_channels, fixed_size, path)
    return OnnxGenerator(in_channels, out_channels, content, fixed_size)


def load_onnx(path: Path) -> Any:
    """The checked onnx.ModelProto in a file, which keeps all its weights inside. Raises InputError."""
    try:
        import onnx
    except ImportError:
        raise InputError("Importing ONNX models needs the packages onnx and onnxruntime.") from None

    check_regular(path)
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"The file {path} is larger than 1 GB.")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror}.") from None
    except Exception:  # protobuf's exception types differ between its implementations
        raise InputError(f"The file {path} is not an ONNX model.") from None
    # Before the checker: files named by the model must not even be looked for.
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise InputError(f"The ONNX model {path} keeps weights in other files; export it as a single file.")
    check_sizes(model, path)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise InputError(f"The ONNX model {path} is not valid: {reason}.") from None
    return model


def open_session(content: bytes) -> Any:
    """The onnxruntime.InferenceSession of a network's bytes, on the CPU and without a word on stderr.

    Raises:
        InputError: Where onnxruntime is not installed. Its own exceptions are passed on.
    """
    try:
        import onnxruntime
    except ImportError:
        raise InputError("Importing ONNX models needs the packages onnx and onnxruntime.") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Constants are computed while it is made: a graph of some bytes may ask for all memory there is.
    with at_most_more(MOST_MEMORY + 3 * len(content)):
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _tensors(message: Any) -> Iterator[Any]:
    """Every TensorProto anywhere in a protobuf message: initialisers, attributes, subgraphs, functions."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in [value] if hasattr(value, "ListFields") else value:
            if field.message_type.name == "TensorProto":
                yield part
            else:
                yield from _tensors(part)


def _only(values: list[Any], what: str, path: Path) -> Any:
    if len(values) != 1:
        raise InputError(f"The ONNX model {path} has {len(values)} {what}s; an image-to-image generator has one.")
    tensor = values[0].type.tensor_type
    if tensor.elem_type != 1 or len(tensor.shape.dim) != 4:  # 1: float32
        raise InputError(f"The {what} of the ONNX model {path} is no batch of float images (n, channels, h, w).")
    return values[0]


def _channels(value: Any, what: str, path: Path) -> int:
    batch, channels = value.type.tensor_type.shape.dim[:2]
    if batch.HasField("dim_value") and batch.dim_value != 1:
        raise InputError(f"The ONNX model {path} takes batches of {batch.dim_value} images only; export it with one.")
    if channels.dim_value not in (1, 3):
        count = channels.dim_value or "any number of"
        raise InputError(f"The {what} of the ONNX model {path} has {count} channels, not 1 or 3.")
    return channels.dim_value


def _free_size(value: Any) -> tuple[int, int] | None:
    """Name height and width where they are numbers; returns those numbers.

    What computes with them may still be fixed, which trying other sizes shows.
    """
    dims = value.type.tensor_type.shape.dim[2:]
    height, width = (dim.dim_value for dim in dims)
    if not (height and width):
        return None
    for dim, name in zip(dims, ("height", "width"), strict=True):
        dim.dim_param = name
    return height, width


def _try(content: bytes, in_channels: int, fixed_size: tuple[int, int] | None, path: Path) -> int:
    """Run noise through the network; returns the number of channels that come out."""
    try:
        session = open_session(content)
    except InputError:
        raise
    except Exception as error:  # onnxruntime's own exception types are not public
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"The ONNX model {path} cannot be loaded: {reason}.") from None
    only = f"at {fixed_size[0]}x{fixed_size[1]} only" if fixed_size else "not at every size"
    channels = set()
    for size in TRIAL_SIZES:
        noise = np.random.default_rng(0).uniform(-1, 1, (1, in_channels, *size)).astype(np.float32)
        try:
            with at_most_more(MOST_MEMORY):
                (result,) = session.run(None, {session.get_inputs()[0].name: noise})
        except Exception:
            result = np.empty(0)
        if result.ndim != 4 or result.shape[-2:] != size:
            raise InputError(
                f"The ONNX model {path} runs {only}; export it with dynamic height and width (multiples of 4)."
            )
        if not np.isfinite(result).all() or np.abs(result).max() > 1 + 1e-3:
            raise InputError(f"The ONNX model {path} gives values outside [-1, 1].")
        channels.add(result.shape[1])
    if channels not in ({1}, {3}):
        raise InputError(f"The ONNX model {path} gives images of {max(channels)} channels, not 1 or 3.")
    return channels.pop()
