"""An imported ONNX generator in ONNX Runtime."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from surgical_style_engine.common.memory_limit import at_most_more
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.importers.onnx import MOST_MEMORY

from .library_errors import library_errors_told
from .runner import Runner


class OnnxRunner(Runner):
    """A model whose weights are an ONNX file, on the CPU in fp32.

    Args:
        model: with a file model.onnx.
        device: auto or cpu.
        precision: auto or fp32.

    Raises:
        InputError: where ONNX Runtime is missing or something else is asked for.
        StyleTransferError: where it cannot load the file.
    """

    backend = "onnxruntime"

    def __init__(self, model: StyleModel, device: str, precision: str = "auto") -> None:
        try:
            import onnxruntime
        except ImportError:
            raise InputError("ONNX models need the package onnxruntime; run: pip install onnxruntime.") from None
        if device not in ("auto", "cpu"):
            raise InputError("ONNX models run on the CPU; use the device auto or cpu.")
        if precision not in ("auto", "fp32"):
            raise InputError("ONNX models run in fp32; use the precision auto or fp32.")
        with library_errors_told(f"The ONNX model {model.card.name} cannot be loaded"):
            # Constants are computed while it is made: a graph of some bytes may ask for all memory there is.
            with at_most_more(MOST_MEMORY + 3 * model.card.stored.bytes):
                self._session = onnxruntime.InferenceSession(
                    str(model.weights_path), providers=["CPUExecutionProvider"]
                )
        self._input = self._session.get_inputs()[0].name

    @override
    def run(self, batch: np.ndarray) -> np.ndarray:
        # One image at a time: exported networks often fix the batch size to one.
        with library_errors_told("The network failed"):
            results = [self._session.run(None, {self._input: np.ascontiguousarray(image[None])})[0] for image in batch]
        return np.concatenate(results).astype(np.float32, copy=False)
