"""Takes in every hostile model once, and tells how each ended."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from reliability.generated.sentences import is_sentence
from reliability.hostile_models import folders, imports
from tiny_models import make_tiny_model

from surgical_style_engine.app.import_model import ImportDetails, import_model
from surgical_style_engine.errors import InputError

CASES = dict(chain(folders.cases(), imports.cases()))
DETAILS = ImportDetails(name="x", source_name="A", target_name="B")


@dataclass(frozen=True)
class Ending:
    """How a case ended: "refused" in a sentence, or otherwise; what was left behind; seconds of processor time."""

    outcome: str
    message: str
    left: tuple[str, ...]
    seconds: float


def take_in(name: str, whole: Path, folder: Path) -> Ending:
    """Import one hostile model.

    Args:
        name: Of the case.
        whole: A model folder to be spoilt, which is copied.
        folder: Empty; the current one meanwhile, for what a payload might write.
    """
    given, models, here = folder / "given" / "tiny", folder / "models", folder / "here"
    shutil.copytree(whole, given)
    source = CASES[name](given)
    here.mkdir()
    before, begun = os.getcwd(), time.process_time()
    os.chdir(here)
    try:
        details = DETAILS if source.suffix in (".pth", ".onnx", ".png") else ImportDetails()
        import_model(source, models, details)
        outcome, message = "taken", ""
    except InputError as error:
        message = str(error)
        outcome = "refused" if is_sentence(message) else "no sentence"
    except BaseException as error:
        outcome, message = "failed", repr(error)
    finally:
        os.chdir(before)
    left = [*os.listdir(here), *(os.listdir(models) if models.exists() else [])]
    return Ending(outcome, message, tuple(left), time.process_time() - begun)


def table() -> str:
    """Markdown, one row a kind."""
    kinds: dict[str, list[Ending]] = {}
    with tempfile.TemporaryDirectory() as name:
        whole = make_tiny_model(Path(name))
        for number, case in enumerate(CASES):
            folder = Path(name) / str(number)
            folder.mkdir()
            kinds.setdefault(case.partition("/")[0], []).append(take_in(case, whole, folder))
            shutil.rmtree(folder, ignore_errors=True)
    kinds["**all**"] = [ending for endings in list(kinds.values()) for ending in endings]
    lines = ["| kind | models | refused in a sentence | left something | longest, s |", "|---|---|---|---|---|"]
    for kind, endings in kinds.items():
        refused, left = (sum(e.outcome == "refused" for e in endings), sum(bool(e.left) for e in endings))
        lines.append(f"| {kind} | {len(endings)} | {refused} | {left} | {max(e.seconds for e in endings):.2f} |")
    return "\n".join(lines) + "\n"
