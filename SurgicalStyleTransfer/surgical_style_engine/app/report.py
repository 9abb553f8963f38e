"""The JSON report every command writes: stable keys, valid JSON, never half-written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.gate.regular import check_small

LARGEST_REPORT = 256 << 20  # bytes; a volume of a cohort has some kilobytes
KEYS = ("inputs", "output", "model", "device", "backend", "precision", "seconds", "slices", "quality", "warnings")


def new_report(  # noqa: PLR0913 - one parameter a key that every report has
    *,
    inputs: Any = None,
    output: Any = None,
    model: Any = None,
    device: str | None = None,
    backend: str | None = None,
    precision: str | None = None,
    seconds: float | None = None,
    slices: int | None = None,
    quality: Mapping | None = None,
    warnings: list[str] | None = None,
    **more: Any,
) -> dict:
    """A report with all of KEYS in order; a single input path becomes a list; `more` follows after them."""
    if inputs is None:
        inputs = []
    elif isinstance(inputs, (str, Path)):
        inputs = [inputs]
    values = (inputs, output, model, device, backend, precision, seconds, slices, quality or {}, warnings or [])
    return {**dict(zip(KEYS, values, strict=True)), **more}


def write_report(path: str | Path, report: Mapping) -> Path:
    """Write `report` as JSON to `path`, whole or not at all; missing KEYS are added empty.

    NaN and infinities become null (JSON has neither), numpy values and paths become plain ones.
    StyleTransferError when the folder is missing, unwritable or full; then nothing is left behind.
    """
    path = Path(path)
    full = {**new_report(**{k: v for k, v in report.items() if k in KEYS}), **report}
    text = json.dumps(plain(full), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        with replacing(path, make_folders=False) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StyleTransferError(f"Cannot write the report {path}: {error.strerror or error}.") from error
    return path


def read_report(path: str | Path) -> dict:
    """Read a report; InputError when it is missing, not JSON, or lacks the keys of a report."""
    if Path(path).exists():
        check_small(Path(path), LARGEST_REPORT)
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"Cannot read the report {path}: it is missing or not JSON.") from error
    if not isinstance(report, dict) or any(key not in report for key in KEYS):
        raise InputError(f"{path} is not a report of this program.")
    return report


def plain(value: Any) -> Any:
    """`value` made of JSON types only; numbers that are not finite become None."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, (Path, date, datetime)):
        return str(value)
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    raise TypeError(f"A report cannot hold a {type(value).__name__}.")
