"""Options that several commands have, declared once: their names, and what the help says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps")]
Precision = Annotated[str, typer.Option("--precision", help="auto, fp32, bf16, fp16 or int8")]
Backend = Annotated[str, typer.Option("--backend", help="auto, torch or openvino")]
Direction = Annotated[str, typer.Option("--direction", help="forward or backward")]
Report = Annotated[Optional[Path], typer.Option("--report", help="JSON report with the quality figures")]
ProgressKind = Annotated[str, typer.Option("--progress", help="auto, json or none")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="cohort: do all volumes again, not only what is missing, changed or failed")
]
Pattern = Annotated[str, typer.Option("--pattern", help="files of a cohort, e.g. '*_T1W*'")]
Suffix = Annotated[
    Optional[str], typer.Option("--suffix", help="BIDS: images of this suffix, e.g. T1w; by the model if not given")
]
Subjects = Annotated[Optional[list[str]], typer.Option("--subject", help="BIDS: only this subject; repeatable")]
Sessions = Annotated[Optional[list[str]], typer.Option("--session", help="BIDS: only this session; repeatable")]
Workers = Annotated[
    Optional[int], typer.Option("--workers", help="cohort: processes of this machine that work on it (extra cluster)")
]
Scheduler = Annotated[
    Optional[str],
    typer.Option("--scheduler", help="cohort: Dask scheduler whose workers work on it: tcp://HOST:PORT, or its file"),
]
WorkerMemory = Annotated[
    Optional[str], typer.Option("--worker-memory", help="with --workers: most memory of each, e.g. 8GB")
]
