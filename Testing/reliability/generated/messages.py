"""A worker in this process, good messages to it, and what every answer to a spoilt one has to be."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from reliability.generated.sentences import is_sentence
from tiny_models import head, make_tiny_model

from surgical_style_engine.worker.messages import decode, describe, write_array
from surgical_style_engine.worker.server import Worker

KEPT = ("task",)  # another task's name makes all else nonsense; some messages below have none


class _Never:
    """Requests of which none is cancelled."""

    def is_cancelled(self, number: int | None) -> bool:
        return False

    def finished(self, number: int | None) -> None:
        pass


class Talk:
    """A worker that answers in this process, with a model, a volume and a kept translation in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._said = folder, io.BytesIO()
        self._worker = Worker(_Never(), self._said)
        (folder / "models").mkdir()
        self.model = str(make_tiny_model(folder / "models"))
        write_array(folder / "v.npy", head(shape=(4, 16, 14))[None])
        self.good = _good(folder, self.model)
        assert self.ask(self.good[1])["event"] == "result"

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """The one answer, progress left out."""
        self._said.seek(0)
        self._said.truncate()
        with contextlib.redirect_stderr(io.StringIO()):
            self._worker._answer({**message, "id": 1})
        answers = [decode(line) for line in self._said.getvalue().splitlines()]
        (answer,) = [answer for answer in answers if answer["event"] != "progress"]
        return answer


def fault_of(answer: dict[str, Any]) -> str:
    """What is wrong with an answer; empty where it is a result, or a sentence for people."""
    if answer["event"] == "result":
        return ""
    sentence = answer["message"]
    return "" if answer["code"] != "internal" and is_sentence(sentence) else f"{answer['code']}: {sentence}"


def _good(folder: Path, model: str) -> list[dict[str, Any]]:
    """A message of every task, but for those that reach for the network."""
    volume = describe(folder / "v.npy", (2, 2, 4), (1, 2, 3), np.eye(3), modality="MR", name="a.nii")
    output = str(folder / "o.npy")
    run = {"model": model, "direction": "forward", "device": "cpu", "precision": "fp32"}
    adjustments = {"structure_guard_mm": 4.0, "match": volume, "match_by": "histogram", "least_consistency": 0.5}
    more = {"mask": volume, "planes": ["axial"], "batch_size": 2, "strength": 0.5, "disagreement": output}
    return [
        {"task": "check", "volume": volume, "model": model, "direction": "forward"},
        {"task": "translate", "volume": volume, "output": output, "keep": "a", **run, **more},
        {"task": "translate", "volume": volume, "output": output, "keep": "a", **run, "adjustments": adjustments},
        {"task": "adjust", "keep": "a", "output": output, "strength": 0.3, "adjustments": {"match_by": "moments"}},
        {"task": "figures", "keep": "a", "reference": volume, "error_map": output, "max_slices": 1, "sampled": True},
        {"task": "preview", "volume": volume, "output": output, "position": [1, 2, 3], "plane": "axial", **run},
        {"task": "measure", "model": model, "direction": "forward"},
        {"task": "import", "source": model, "folder": str(folder / "imported"), "name": "b", "overwrite": True},
        {"task": "export_dicom", "keep": "a", "files": [output], "output": str(folder / "dicom")},
        {"task": "forget", "keep": "other"},
        {"task": "fuse", "volumes": [volume, volume], "output": output, "weights": [0.5, 0.5], "register": "none"},
        {"task": "recognise", "volume": volume, "model": model},
        {"task": "check_look", "volume": volume, "like": {"volume": volume}},
        {"task": "harmonise", "volume": volume, "like": {"volume": volume}, "output": output},
        {"task": "save_look", "like": {"path": str(folder)}, "output": str(folder / "a.look.json")},
        {"task": None},
    ]
