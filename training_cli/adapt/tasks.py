"""Adapting for the panel: what its second worker process answers (``surgical_style_engine.worker --tasks``)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import Direction
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.worker.schema import VolumeMessage

from .adapt import Watcher, adapt
from .request import AdaptRequest

TOTAL = 1000  # steps of a stage's progress
MARK = "adapt: "  # of the lines in the log that are shown while it goes on


class AdaptMessage(BaseModel):
    """A request ``adapt``; fields as of ``AdaptRequest``."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    model: str
    name: str
    sources: list[VolumeMessage]
    targets: list[VolumeMessage]
    direction: Direction
    paired: bool = True
    register_first: bool = False
    minutes: float
    title: str = ""
    folder: str
    scratch: str | None = None
    device: str = "auto"


class Tasks:
    """Answers ``adapt``; between two of them nothing is kept."""

    def run(
        self, request: dict, progress: Callable[[str, int, int], None], cancelled: Callable[[], bool]
    ) -> dict[str, Any]:
        """Do what is asked.

        Args:
            request: as it came.
            progress: called with the stage ("prepare", "train", "prove"), steps done and steps of all.
            cancelled: not asked here: ``check_cancelled`` knows.

        Returns:
            What ``AdaptResult.entry`` says.

        Raises:
            InputError: for a request that is none.
            StyleTransferError: as ``adapt`` does.
        """
        del cancelled
        if request.get("task") != "adapt":
            raise InputError(f"This worker adapts styles; it has no task '{request.get('task')}'.")
        try:
            asked = AdaptMessage.model_validate(request)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise InputError(f"The request is wrong at '{place}': {fault['msg']}.") from None
        watcher = Watcher(
            say=lambda line: print(f"{MARK}{line}", file=sys.stderr, flush=True),
            progress=lambda stage, share, _left: progress(stage, round(share * TOTAL), TOTAL),
        )
        adaptation = AdaptRequest(
            model=load_model(asked.model),
            name=asked.name,
            sources=[volume.read() for volume in asked.sources],
            targets=[volume.read() for volume in asked.targets],
            direction=asked.direction,
            paired=asked.paired,
            register=asked.register_first,
            minutes=asked.minutes,
            title=asked.title,
            folder=Path(asked.folder),
            device=asked.device,
        )
        return adapt(adaptation, watcher, Path(asked.scratch) if asked.scratch else None).entry()
