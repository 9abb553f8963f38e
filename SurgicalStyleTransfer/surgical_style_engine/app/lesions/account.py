"""The lesion ledger of a translated case: what is delivered, beside the real image and its lesions."""

from __future__ import annotations

from typing import Any

import numpy as np

from surgical_style_engine.app.delivered import Delivered
from surgical_style_engine.app.inputs import VolumeOrPath, read, read_optional
from surgical_style_engine.app.judge_case import JudgeCase, region_of
from surgical_style_engine.app.translate_case import TranslateCase, TranslatedCase
from surgical_style_engine.errors import InputError
from surgical_style_engine.metrics.lesions import LedgerCase, lesion_ledger
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.resampling import labels_like
from surgical_style_engine.volumes.volume import Volume


def account(case: TranslateCase, translated: TranslatedCase, lesions: VolumeOrPath) -> dict[str, Any]:
    """Account for the lesions of a case that was translated and has a reference.

    They are looked for where the case is judged (its mask or labels, else the body) and the reference has a body too.

    Args:
        case: What was asked for, with its volume, model, mask and labels.
        translated: What came of it, with the normalised arrays (that is, judged).
        lesions: Labelmap, or its file, on any grid in the volume's coordinates.

    Returns:
        As ``metrics.lesions.lesion_ledger`` gives it.

    Raises:
        InputError: Without a reference, and for labels that have no lesion there.
    """
    if translated.reference is None:
        raise InputError("Lesions are accounted for beside a real image: give a reference.")
    volume, mask, translation = read(case.volume), read_optional(case.mask), translated.translation
    judged = JudgeCase(volume, case.model, translation, case.direction, mask=mask, labels=read_optional(case.labels))
    region = region_of(judged) & body_mask(translated.reference)
    target = case.model.card.domain_to(case.direction)
    real = target.normalization.fit(translated.reference.array).forward(translated.reference.array)
    delivered = Delivered(volume, case.model, translation, case.direction, mask).image
    x, y, z = volume.spacing
    ledger = LedgerCase(delivered[0], real[0], lesion_labels(lesions, volume), region, (z, y, x), target.name)
    return lesion_ledger(ledger)


def lesion_labels(lesions: VolumeOrPath, volume: Volume) -> np.ndarray:
    """Lesions on a volume's grid, bool (z, y, x). Raises InputError where there are none."""
    labels = read(lesions)
    name = labels.name or "The labelmap of lesions"
    if labels.channels != 1:
        raise InputError(f"{name} has several channels; give a labelmap of lesions.")
    inside = np.nan_to_num(labels_like(labels, volume).array[0]) != 0
    if not inside.any():
        raise InputError(f"{name} has no lesion on the grid of {volume.name or 'the volume'}.")
    return inside
