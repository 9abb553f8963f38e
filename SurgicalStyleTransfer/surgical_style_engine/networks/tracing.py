"""Whether torch is tracing, as for OpenVINO and ONNX: what is written there must be made of plain layers."""

from __future__ import annotations

import torch


def is_traced() -> bool:
    """Whether the current call is recorded by ``torch.jit.trace``."""
    return torch.jit.is_tracing()  # type: ignore[attr-defined]  # documented, but not annotated as public
