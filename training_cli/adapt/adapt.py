"""The whole adaptation: prepare, keep aside, train by the trainer's own loop, prove, write or refuse."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surgical_style_engine.common.cancelling import check_cancelled
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import Cancelled, InputError, StyleTransferError
from surgical_style_engine.models.card import Direction, ModelCard
from surgical_style_engine.models.folder import StyleModel, load_model, save_model
from training_cli.model_card import model_readme
from training_cli.training.config import TrainingConfig
from training_cli.training.data.items import TrainingData

from .card import Outcome, adapted_card
from .proof import NotBetterError, Proof, judged_pair, paired_figures, unpaired_figures
from .request import AdaptRequest, checked
from .settings import settings
from .split import Aside, keep_aside
from .volumes import lay_pairs, write_volumes

PREFIX = "SurgicalStyleTransfer-adapt-"


@dataclass(frozen=True)
class Watcher:
    """Who is told how far an adaptation is.

    Attributes:
        say: gets lines of text.
        progress: called with the stage ("prepare", "train", "prove"), its share that is done (0 to 1) and the seconds
            left of the training, None while nobody can tell.
    """

    say: Callable[[str], None] = lambda line: None
    progress: Callable[[str, float, float | None], None] = lambda stage, share, left: None


@dataclass(frozen=True, eq=False)
class AdaptResult:
    """An adapted style that is better than the one it was made of.

    Attributes:
        folder: of the new style.
        card: of the new style.
        proofs: figures of both styles on what was kept aside, by direction.
        aside: what that was.
        steps: of the training.
        minutes: of the training.
        seconds: of everything.
        warnings: sentences on the volumes.
    """

    folder: Path
    card: ModelCard
    proofs: dict[Direction, Proof]
    aside: Aside
    steps: int
    minutes: float
    seconds: float
    warnings: list[str]

    def entry(self) -> dict[str, Any]:
        """For reports and messages, as JSON."""
        adapted = self.card.training["adapted"]
        return {
            "name": self.card.name,
            "title": self.card.title,
            "folder": str(self.folder),
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "adapted": adapted,
            "warnings": self.warnings,
        }


def adapt(request: AdaptRequest, watcher: Watcher | None = None, scratch: Path | None = None) -> AdaptResult:
    """Fine-tune a style on a user's volumes, and write it if it is better on what was kept aside.

    Args:
        request: what is asked for.
        watcher: who is told.
        scratch: folder for what is there meanwhile, voxels among them; the system's if None. Nothing is left in it.

    Returns:
        The new style.

    Raises:
        NotBetterError: it is not better; nothing was written.
        InputError: for what cannot be adapted, or not to this.
        Cancelled: where that was wished for; nothing was written.
        StyleTransferError: on losses that are no number, and where something cannot be written.
    """
    begun = time.monotonic()
    watcher = watcher or Watcher()
    watcher.progress("prepare", 0.0, None)
    request = checked(request)
    warnings: list[str] = []
    if request.paired:
        request, warnings = lay_pairs(request, watcher.say)
    with _work(scratch) as folder:
        training = _Adaptation(request, folder, watcher)
        summary = training.run()
        if not summary["finished"]:  # a signal asked for the end
            raise Cancelled("The adaptation was stopped; nothing was saved.")
        watcher.progress("prove", 0.0, None)
        watcher.say("Judging both styles on what was kept aside")
        adapted = load_model(Path(summary["model"]))
        proofs = training.proofs(adapted)
        slices = sum(len(item.body) for item in training.learned)
        outcome = Outcome(proofs, training.aside, slices, float(summary["minutes"]), warnings)
        _refuse_unless_better(request, outcome)
        card = _write(request, adapted, outcome)
    watcher.progress("prove", 1.0, None)
    return AdaptResult(
        request.place,
        card,
        proofs,
        training.aside,
        int(summary["steps"]),
        outcome.minutes,
        time.monotonic() - begun,
        warnings,
    )


class _Adaptation:
    """A training of the usual kind, on a part of what it was given.

    Attributes:
        aside: what was kept aside, once the training has begun.
        learned: the items that are learned from.
    """

    aside: Aside

    def __init__(self, request: AdaptRequest, folder: Path, watcher: Watcher) -> None:
        self.request, self.watcher = request, watcher
        data = folder / "data"
        try:
            write_volumes(request, data)
            self.config: TrainingConfig = settings(request, data, folder / "run")
        except OSError as error:
            raise StyleTransferError(f"The volumes cannot be written to {folder}: {error.strerror or error}.") from None
        self.learned: list[Any] = []

    def run(self) -> dict[str, Any]:
        """Train; returns the trainer's summary. Raises what ``train`` raises, and Cancelled."""
        from training_cli.training.loop import train  # noqa: PLC0415 - torch is loaded with it

        def bar(done: float, _step: int, _losses: dict[str, float], left: float) -> None:
            check_cancelled()
            self.watcher.progress("train", done, left)

        def say(line: str) -> None:
            check_cancelled()
            self.watcher.say(line)

        return train(self.config, bar=bar, say=say, share=self._share)

    def _share(self, data: TrainingData) -> TrainingData:
        reach = (self.config.stack // 2) * self.config.stack_spacing
        if not self.request.paired and not data.pseudo_pairs:
            raise InputError("The volumes cannot be laid on each other roughly, without which nothing can be learned.")
        learned, self.aside = keep_aside(data, reach, self.request.paired)
        self.learned = [a for a, _ in learned.pairs] or [*learned.source, *learned.target]
        kept = "a whole volume" if self.aside.kind == "volumes" else f"{self.aside.slices} slices"
        self.watcher.say(f"Kept aside: {kept}; learning from {sum(len(item.body) for item in self.learned)} slices")
        return learned

    def proofs(self, adapted: StyleModel) -> dict[Direction, Proof]:
        """Both styles on what was kept aside, in every direction that the style to begin with has."""
        request, original = self.request, self.request.model
        proofs: dict[Direction, Proof] = {}
        pairs = self._judged_pairs() if request.paired else []
        # Alike, by torch in fp32: they differ by their weights alone.
        options = RunOptions(device=request.device, precision="fp32", backend="torch", force=True)
        for direction in original.card.directions:
            figures = []
            for model in (original, adapted):
                check_cancelled()
                figures.append(
                    paired_figures(model, direction, pairs, options)
                    if request.paired
                    else unpaired_figures(model, direction, self.aside, self.config)
                )
            proofs[direction] = Proof(*figures)
        return proofs

    def _judged_pairs(self) -> list[Any]:
        request = self.request
        sides = list(zip(request.sources, request.targets, strict=True))
        chosen = [sides[number] for number in self.aside.numbers]
        if request.direction == "backward":
            chosen = [(target, source) for source, target in chosen]
        return [
            judged_pair(source, target, item.body, self.config.plane)
            for (source, target), (item, _) in zip(chosen, self.aside.data.pairs, strict=True)
        ]


def _refuse_unless_better(request: AdaptRequest, outcome: Outcome) -> None:
    """Raise NotBetterError unless the direction that was asked for has become better."""
    proof = outcome.proofs[request.direction]
    if proof.why_not:
        raise NotBetterError(
            f"The adapted style is not better than {request.model.card.name} on what was kept aside "
            f"({proof.why_not}: {proof.text()}); nothing was saved."
        )


def _write(request: AdaptRequest, adapted: StyleModel, outcome: Outcome) -> ModelCard:
    """Write the new style; directions that have not become better keep the weights they had."""
    check_cancelled()
    from training_cli.training.export import half_precision  # noqa: PLC0415 - torch is loaded with it

    states = {
        direction: half_precision((adapted if direction in outcome.better else request.model).generator(direction))
        for direction in request.model.card.directions
    }
    card = adapted_card(request, adapted.card, outcome)
    return save_model(request.place, card, states["forward"], states.get("backward"), model_readme(card))


@contextmanager
def _work(parent: Path | None) -> Iterator[Path]:
    """A folder for voxels, caches and checkpoints, which goes in the end, however that comes."""
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
