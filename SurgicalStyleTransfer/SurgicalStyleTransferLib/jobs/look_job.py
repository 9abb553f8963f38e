"""One press of Apply for a look: upload, harmonise in the worker, and only then an output node; and saving a look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.setup import looks
from SurgicalStyleTransferLib.setup.looks import LookCard
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .job import Job, Listener, Progress
from .style_job import Result, StyleJob


def like(exchange: Exchange, card: LookCard) -> dict:
    """Whose look is meant, for the worker. Raises ValueError where the volume is gone."""
    if card.path:
        return {"path": card.path}
    node = slicer.mrmlScene.GetNodeByID(card.volume_id)
    if node is None or node.GetImageData() is None:
        raise ValueError(_("The volume whose look is to be taken on is gone or empty; nothing was written."))
    return {"volume": exchange.upload(node, outputs.modality_of(node))}


class LookJob(StyleJob):
    """Runs a plan whose card is a look; its outcome is a ``Result``, of which the worker keeps nothing."""

    def _ask_frame(self, index: int) -> None:
        source, path = self._source(), self._new_file("output")
        whose = like(self._exchange, self.plan.card)
        volume = self._exchange.upload(self._frames[index], outputs.modality_of(source))
        self._paths.append(path)
        self._ask("harmonise", self._on_frame, volume=volume, like=whose, output=str(path))

    def _on_message(self, stage: str, done: int, total: int) -> None:
        self._tell(Progress(stage, done, total, self.frames_done + 1, self._frame_count()))

    def _all_answered(self) -> None:
        answers, first = self._answers, self._answers[0]
        node = slicer.mrmlScene.GetNodeByID(self.plan.card.volume_id) if self.plan.card.volume_id else None
        # What it is called follows from the contrast, which is known now.
        self.plan = replace(self.plan, card=looks.card_of(self.plan.card.key, node, first["look"]))
        output = self._write()
        self._finish(
            Result(
                plan=self.plan,
                output_id=output.GetID(),
                keys=[],
                strength=1.0,
                seconds=self.seconds,
                slices=sum(answer["slices"] for answer in answers),
                device="cpu",
                backend="numpy",
                precision="fp32",
                warnings=list(dict.fromkeys(text for answer in answers for text in answer["warnings"])),
                tissues=first["tissues"],
            )
        )


class SaveLookJob(Job):
    """Saves a look, measured first where that was not done yet; its outcome is (what the file holds, warnings)."""

    def __init__(
        self, client: WorkerClient, exchange: Exchange, card: LookCard, path: Path, listener: Listener
    ) -> None:
        super().__init__(client, exchange, listener)
        self._card, self._path = card, path

    def _begin(self) -> None:
        whose = like(self._exchange, self._card)
        self._ask("save_look", self._on_saved, like=whose, output=str(self._path))

    def _on_saved(self, answer: dict) -> None:
        self._finish((answer["look"], answer["warnings"]))


class MeasuredLooks:
    """What looks were measured as in this session.

    Attributes:
        used: the keys of looks of paths, in the order in which they were used first.
    """

    def __init__(self) -> None:
        self.used: list[str] = []
        self._entries: dict[tuple[str, str], tuple[int, dict]] = {}

    def use(self, key: str) -> None:
        """Keep the look of a path in the list."""
        if looks.path_of(key) and key not in self.used:
            self.used.append(key)

    def drop(self, key: str) -> None:
        """Keep it no more."""
        self.used = [other for other in self.used if other != key]

    def remember(self, card: LookCard) -> None:
        """Keep what a look was measured as."""
        self._entries[card.key, card.volume_id] = _time_of(card.volume_id), dict(card.entry or {})
        self.use(card.key)

    def entry(self, key: str, volume_id: str) -> dict | None:
        """What a look was measured as, of a volume as it is now; None for nothing."""
        time_then, entry = self._entries.get((key, volume_id), (0, None))
        return entry if entry is not None and time_then == _time_of(volume_id) else None


def _time_of(node_id: str) -> int:
    """When the voxels of a volume were changed last; 0 for no volume."""
    node = slicer.mrmlScene.GetNodeByID(node_id) if node_id else None
    return 0 if node is None or node.GetImageData() is None else node.GetImageData().GetMTime()
