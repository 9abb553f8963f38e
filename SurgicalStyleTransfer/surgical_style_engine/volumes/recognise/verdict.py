"""What is this image? One verdict of voxels, header and name, with its source named."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from surgical_style_engine.volumes.volume import Volume

from .header import Statement, header_statement, is_marked_synthetic, name_statement
from .kinds import CONTRASTS, NOT_KNOWN, OTHER, T1W, T1W_GD, modality_of, plain_modality, same_family, says_synthetic
from .voxels import Look, look_at

VOXELS = "its voxels"
_remembered: weakref.WeakKeyDictionary[Volume, Verdict] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Verdict:
    """What an image is taken for.

    Attributes:
        kind: one of KINDS; NOT_KNOWN where nobody says it for sure.
        sources: who says so: "its voxels", "the header (...)", "the name ...".
        modality: DICOM's code; empty where it is not known, or a picture.
        certain: a header, or values such as Hounsfield units, leave no doubt about the modality.
        agent_known: whether it is known if a T1w image was taken with a contrast agent.
        extracted: whether only the brain is left; None where that cannot be told.
        synthetic: which mark says that it is synthetic; empty for none.
        disagreement: a sentence, where voxels and header or name disagree; else empty.
        look: what the voxels say.
    """

    kind: str
    sources: tuple[str, ...]
    modality: str
    certain: bool
    agent_known: bool
    extracted: bool | None
    synthetic: str
    disagreement: str
    look: Look

    @property
    def is_known(self) -> bool:
        """Whether it is said what the image shows."""
        return self.kind != NOT_KNOWN

    def sentence(self) -> str:
        """Say it: "T1w, whole head, by its voxels and the name 'p1_T1.nii.gz'."."""
        if not self.is_known:
            what = f"MR of unknown contrast ({self.look.reason})" if self.modality == "MR" else "not sure"
            reason = "" if self.modality == "MR" or not self.look.reason else f": {self.look.reason}"
            text = f"{what}{reason}"
        else:
            text = {OTHER: "MR of another contrast"}.get(self.kind, self.kind)
            if same_family(self.kind, T1W) and not self.agent_known:
                text = "T1w, with or without contrast agent"
        if self.extracted is not None and self.kind in (*CONTRASTS, OTHER):
            text += ", brain-extracted" if self.extracted else ", whole head"
        if self.synthetic:
            text += f", synthetic by {self.synthetic}"
        return f"{text}, by {_listed(self.sources)}." if self.sources else f"{text}."

    def entry(self) -> dict[str, Any]:
        """What a report says of it, under stable keys."""
        return {
            "kind": self.kind or None,
            "modality": self.modality or None,
            "contrast_agent": self.kind == T1W_GD if self.agent_known and same_family(self.kind, T1W) else None,
            "brain_extracted": self.extracted,
            "synthetic": self.synthetic or None,
            "sources": list(self.sources),
            "disagreement": self.disagreement or None,
            "probabilities": {kind: round(float(share), 4) for kind, share in self.look.probabilities.items()},
            "sentence": self.sentence(),
        }


def recognise(volume: Volume) -> Verdict:
    """Say what an image is, by what its file says and by its voxels.

    A header's times and modality are believed before voxels, and these before a name. Of one volume object the
    answer is worked out once, and remembered as long as it lives.

    Args:
        volume: as it was read, with its harmless tags and its name.

    Returns:
        The verdict; never an error.

    Example:
        >>> verdict = recognise(Volume(np.zeros((1, 1, 8, 8)), metadata={"Modality": "CT"}))
        >>> verdict.kind, verdict.sources
        ('CT', ('the header (Modality CT)',))
    """
    if volume not in _remembered:
        _remembered[volume] = _judged(volume, look_at(volume))
    return _remembered[volume]


def _judged(volume: Volume, look: Look) -> Verdict:
    header, name = header_statement(volume.metadata), name_statement(volume.name)
    synthetic = is_marked_synthetic(volume.metadata) or ("its name" if says_synthetic(volume.name) else "")
    spoken = [(header, "header")] if header is not None and header.kind else []
    if look.kind:
        spoken.append((Statement(look.kind, VOXELS, modality_of(look.kind)), "voxels"))
    if name is not None and name.kind and not (header is not None and header.modality and _other(header, name)):
        spoken.append((name, "name"))
    stated = header.modality if header is not None else ""
    kind = spoken[0][0].kind if spoken else NOT_KNOWN
    if stated and look.kind and modality_of(look.kind) != plain_modality(stated) and not (header and header.kind):
        kind = NOT_KNOWN  # the header says which modality it is, the voxels something else
    agreeing = tuple(statement for statement, _ in spoken if kind and _agrees(statement, kind, look))
    kind, agent_known = _with_agent(kind, agreeing, look)
    against = [statement for statement, _ in spoken if kind and not _agrees(statement, kind, look)]
    return Verdict(
        kind=kind,
        sources=tuple(statement.source for statement in agreeing) or ((header.source,) if header is not None else ()),
        modality=stated or modality_of(kind),
        certain=bool(stated) or look.certain,
        agent_known=agent_known,
        extracted=look.extracted,
        synthetic=synthetic,
        disagreement=_disagreement(agreeing, against, look, stated),
        look=look,
    )


def _agrees(statement: Statement, kind: str, look: Look) -> bool:
    """Whether a source supports a kind; T1w and T1w-Gd differ only where the voxels are sure of the agent."""
    if statement.kind == kind:
        return True
    return same_family(statement.kind, kind) and (statement.source != VOXELS or look.with_agent is None)


def _with_agent(kind: str, agreeing: tuple[Statement, ...], look: Look) -> tuple[str, bool]:
    """The kind, with a contrast agent where somebody who agrees says so, and whether that is known."""
    if not same_family(kind, T1W):
        return kind, False
    if any(statement.kind == T1W_GD for statement in agreeing):
        return T1W_GD, True
    from_voxels = any(statement.source == VOXELS for statement in agreeing)
    return kind, look.with_agent is not None or not from_voxels


def _disagreement(agreeing: tuple[Statement, ...], against: list[Statement], look: Look, stated: str) -> str:
    if against and agreeing:
        others = "; ".join(f"{_named(other.kind)} by {other.source}" for other in against)
        return f"It is {_named(agreeing[0].kind)} by {agreeing[0].source}, but {others}."
    if stated and look.kind and modality_of(look.kind) != plain_modality(stated):
        return f"It is {stated} by its header, but looks like {_named(look.kind)}."
    return ""


def _other(header: Statement, name: Statement) -> bool:
    """Whether a name speaks of another modality than the header."""
    return bool(name.kind) and modality_of(name.kind) != plain_modality(header.modality)


def _named(kind: str) -> str:
    return {OTHER: "MR of another contrast"}.get(kind, kind)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def embedding_of(volume: Volume) -> np.ndarray | None:
    """The recogniser's embedding (features,) of a volume; None where nothing could be looked at."""
    return recognise(volume).look.embedding
