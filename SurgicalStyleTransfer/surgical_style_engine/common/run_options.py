"""How a network is run: what on, how exactly, in which planes, and who is told about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from surgical_style_engine.errors import InputError

Progress = Callable[[int, int], None]
Cancelled = Callable[[], bool]


class RunSettings(TypedDict, total=False):
    """The fields of ``RunOptions`` as keyword arguments: ``**run: Unpack[RunSettings]``."""

    device: str
    precision: str
    backend: str
    batch_size: int | None
    planes: Sequence[str] | None
    progress: Progress | None
    cancelled: Cancelled | None
    runner: Any
    keep_normalized: bool
    force: bool
    strict: bool


@dataclass(frozen=True)
class RunOptions:
    """Everything about a run that is not about its result.

    Attributes:
        device: auto, cpu, cuda, cuda:N or mps.
        precision: auto, fp32, bf16, fp16, int8 or int8+bf16.
        backend: auto, torch or openvino.
        batch_size: slices at once; by the device if None.
        planes: planes to run and average ("axial", "coronal", "sagittal" or "all"), the model's own if None; pictures
            and single slices run in their own.
        progress: called with (slices done, slices in all) after every batch.
        cancelled: asked before every batch; True ends the run with the error ``Cancelled``.
        runner: a warm ``backends.runner.Runner`` to use again, in place of one by device, precision and backend. (Of
            no stated type: this layer lies below the one of runners.)
        keep_normalized: False leaves the normalised arrays out of the result (empty), to spare memory where nothing is
            judged or adjusted afterwards.
        force: a volume of another modality than the model's is translated nevertheless, and its header says so.
        strict: a volume of another contrast than the model's is refused, unless ``force``.

    Raises:
        InputError: if the batch size is below 1.

    >>> options = RunOptions(device="cpu")
    >>> RunOptions.of(options, {"batch_size": 4}).batch_size
    4
    """

    device: str = "auto"
    precision: str = "auto"
    backend: str = "auto"
    batch_size: int | None = None
    planes: Sequence[str] | None = None
    progress: Progress | None = None
    cancelled: Cancelled | None = None
    runner: Any = None
    keep_normalized: bool = True
    force: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise InputError(f"The batch size is at least 1, not {self.batch_size}.")

    @classmethod
    def of(cls, options: RunOptions | None, settings: RunSettings) -> RunOptions:
        """The options with the settings laid over them.

        Args:
            options: defaults for what the settings leave out; the class's own if None.
            settings: keyword arguments that a function was given as ``**run: Unpack[RunSettings]``.

        Returns:
            New options.

        Raises:
            TypeError: for a keyword that is no option.
            InputError: if the batch size is below 1.
        """
        return replace(options or cls(), **settings)
