"""What a volume shows, told from its voxels alone; "not sure" is an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.volume import Volume

from .features import features_of
from .fine import fine_looks
from .kinds import CONTRASTS, CT, KINDS, NOT_KNOWN, OTHER, PICTURE, RADIOGRAPH, T1W, T1W_GD
from .network import Recogniser, shipped
from .patches import deep_patches, standardised, working_grid
from .values import SLICE, WHOLE, hounsfield, is_extracted, seen

TOO_LITTLE = "too little of a body is in the image to tell what it shows"

LIKE_HU = "its values are like a brain's Hounsfield units"


@dataclass(frozen=True, eq=False)
class Look:
    """What the voxels say.

    Attributes:
        kind: one of KINDS; NOT_KNOWN where that is not sure.
        certain: known by its values (Hounsfield units, colour), which leave no doubt.
        with_agent: whether a T1w image was taken with a contrast agent; None where that is not sure.
        probabilities: by kind.
        extracted: whether only the brain is left; None where that cannot be told.
        embedding: (features,) of ``features_of`` in units of their spread; None where nothing could be looked at.
        reason: why nothing is said, where that is so.
    """

    kind: str
    certain: bool = False
    with_agent: bool | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    extracted: bool | None = None
    embedding: np.ndarray | None = None
    reason: str = ""


def look_at(volume: Volume, recogniser: Recogniser | None = None) -> Look:
    """Look at a volume's voxels.

    Args:
        volume: of any units, orientation and size.
        recogniser: the one that comes with the program if None.

    Returns:
        What it shows. Of what cannot be looked at (constant, tiny, no numbers) nothing is said, with the reason.

    Example:
        >>> look_at(Volume(np.zeros((3, 1, 40, 40), np.uint8))).kind
        'picture'
    """
    if volume.channels == 3:
        return Look(PICTURE, certain=True)
    recogniser = recogniser or shipped()
    try:
        grid = working_grid(volume)
    except InputError as error:
        return Look(NOT_KNOWN, reason=str(error).rstrip("."))
    in_hu = hounsfield(grid)
    patches = standardised(*deep_patches(grid))
    features = features_of(patches) if len(patches) else None
    if features is None:
        return Look(CT, certain=True) if in_hu else Look(NOT_KNOWN, reason=TOO_LITTLE)
    much = seen(grid)
    looks = fine_looks(volume, grid.planes[0]) if much == SLICE and recogniser.fine else []
    contrasts = recogniser.slice_contrasts(looks, recogniser.contrasts(features))
    probabilities = pooled(recogniser.look(patches)[0], contrasts, only_veto=bool(looks))
    scaled = recogniser.scaled(features)
    strange = float(np.sqrt((scaled**2).mean()))
    look = with_values(decided(probabilities, recogniser.constants, much, strange), in_hu)
    if look.kind in (RADIOGRAPH, PICTURE) and not (volume.is_2d or volume.array.shape[1] == 1):
        look = Look(NOT_KNOWN, probabilities=probabilities, reason="it looks like no volume that is known here")
    is_brain = look.kind in CONTRASTS or look.kind == CT
    return Look(
        look.kind,
        look.certain,
        look.with_agent,
        probabilities,
        is_extracted(grid) if is_brain else None,
        scaled,
        look.reason,
    )


def with_values(look: Look, in_hu: bool | None) -> Look:
    """A CT is known by its values alone: an average brain of CT, scaled as a network sees it, looks like FLAIR.

    Args:
        look: of the contrasts.
        in_hu: as ``values.hounsfield`` says.
    """
    if in_hu:
        return Look(CT, certain=True, probabilities=look.probabilities)
    if in_hu is None and look.kind in CONTRASTS:
        return Look(NOT_KNOWN, probabilities=look.probabilities, reason=LIKE_HU)
    if look.kind == CT:
        return Look(NOT_KNOWN, probabilities=look.probabilities, reason="its voxels leave doubt")
    return look


def pooled(by_patch: np.ndarray, by_features: np.ndarray, only_veto: bool = False) -> dict[str, float]:
    """Probabilities of a volume: the networks say whether it is one of CONTRASTS, the measures which of them.

    Args:
        by_patch: (n, kinds) logarithms of what the networks say of every patch; their mean counts.
        by_features: (contrasts,) logarithms of what the linear classifier says of all of them together, and
            the slices' classifiers of a single slice.
        only_veto: the networks see little in one slice: where they find CONTRASTS likelier than the rest, that counts
            as sure.
    """
    total = by_patch.mean(axis=0)
    shares = np.exp(total - total.max())
    shares /= shares.sum()
    number = len(CONTRASTS)  # which come first in KINDS
    contrasts = shares[:number].sum()
    if only_veto and contrasts >= 0.5:
        shares[number:], contrasts = 0, 1
    shares[:number] = contrasts * np.exp(by_features)
    return dict(zip(KINDS, shares.tolist(), strict=True))


def decided(
    probabilities: Mapping[str, float], constants: Mapping[str, float], much: str = WHOLE, strange: float = 0.0
) -> Look:
    """What is sure enough to be said, by thresholds that were chosen on sites left out.

    Args:
        probabilities: by kind.
        constants: "least_whole", "least_part" and "least_slice" for the kind, "least_agent" for telling T1w with and
            without a contrast agent; "farthest_whole" and so on for how strange the measures of a contrast may be.
        much: of the body that was looked at, as ``values.seen`` says.
        strange: distance of the measures from those of the training images, root mean square in units of their spread.
    """
    t1 = probabilities[T1W] + probabilities[T1W_GD]
    shares = {**{kind: share for kind, share in probabilities.items() if kind not in (T1W, T1W_GD)}, T1W: t1}
    kind = max(shares, key=lambda name: shares[name])
    if shares[kind] < constants[f"least_{much}"]:
        return Look(NOT_KNOWN, probabilities=probabilities, reason="its voxels leave doubt")
    if kind in CONTRASTS and strange > constants[f"farthest_{much}"]:
        return Look(NOT_KNOWN, probabilities=probabilities, reason="it looks like no head that is known here")
    if kind == OTHER:
        return Look(NOT_KNOWN, probabilities=probabilities, reason="it looks like no contrast that is known here")
    if kind != T1W:
        return Look(kind, probabilities=probabilities)
    share = probabilities[T1W_GD] / t1
    is_sure = much != SLICE and max(share, 1 - share) >= constants["least_agent"]  # one slice may show no vessel
    with_agent = share > 0.5 if is_sure else None
    return Look(T1W_GD if with_agent else T1W, with_agent=with_agent, probabilities=probabilities)
