"""Which of the styles on this machine fit an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from surgical_style_engine.models.names import list_models
from surgical_style_engine.models.routes import TO
from surgical_style_engine.volumes.recognise.verdict import Verdict

from .misfit import fits


@dataclass(frozen=True)
class Proposal:
    """A style that fits.

    Attributes:
        model: its name.
        direction: forward or backward.
        source: name of the domain that the image belongs to.
        target: name of the domain that it would be translated into.
    """

    model: str
    direction: str
    source: str
    target: str

    def options(self) -> str:
        """The options of ``sst translate`` that choose it."""
        if TO in self.direction:
            return f"--model {self.model} --to {self.target}"
        return f"--model {self.model}" + ("" if self.direction == "forward" else f" --direction {self.direction}")


def proposals(verdict: Verdict, folders: list[Path] | None = None) -> list[Proposal]:
    """Find the styles whose source domain names the kind of image.

    Args:
        verdict: on the image.
        folders: where styles are; the shipped and the user's if None.

    Returns:
        By name; none where it is not known what the image is.
    """
    fitting = []
    for folder, card, _ in list_models(folders):
        if card is None:
            continue
        for direction in card.directions:
            source, target = card.domain_from(direction), card.domain_to(direction)
            if not source.inputs and fits(verdict, source):
                fitting.append(Proposal(folder.name, direction, source.name, target.name))
    return fitting
