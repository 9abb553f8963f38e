"""Whether a volume is what a model takes: what is certain is refused, what can only be guessed is a warning."""

from __future__ import annotations

from typing import Any

from surgical_style_engine.common.thresholds import HU_BELOW
from surgical_style_engine.errors import InputError, MisfitError
from surgical_style_engine.models.card import Domain
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.histogram_distance import body_histogram, nearest_distance
from surgical_style_engine.volumes.recognise.kinds import CT, plain_modality
from surgical_style_engine.volumes.recognise.network import shipped
from surgical_style_engine.volumes.recognise.verdict import recognise
from surgical_style_engine.volumes.volume import Volume

from .fit.misfit import Misfit, misfit
from .fit.usual import unusual_distance

LEAST_UNUSUAL = 0.1  # distance of intensity histograms below which no volume stands out
MOST_USUAL = 1.25  # times the largest distance among the training data, up to which a volume does not stand out
_COMPARED_SLICES = 48


def check_suitable(
    volume: Volume, model: StyleModel, direction: str, force: bool = False, strict: bool = False
) -> Misfit:
    """Refuse a volume that certainly is not what the model takes.

    Args:
        volume: as it was read.
        model: that is to translate it.
        direction: forward or backward.
        force: whether another modality is taken nevertheless.
        strict: whether another contrast is refused too, as it is in a folder of which only some volumes fit.

    Returns:
        What does not fit: why it would have been refused without ``force``, and what stands out.

    Raises:
        InputError: for other channels.
        MisfitError: for another modality, by the volume's DICOM header or by values such as Hounsfield units.
    """
    card, domain = model.card, model.card.first_domain(direction)
    name = volume.name or "The volume"
    if domain.inputs:
        listed = ", ".join(part.name for part in domain.inputs)
        raise InputError(
            f"The model {card.name} makes {card.domain_to(direction).name} of {len(domain.inputs)} registered volumes "
            f"({listed}); use it with sst fuse --method learned."
        )
    if volume.channels != domain.channels:
        kinds = {1: "scalar", 3: "colour"}
        raise InputError(
            f"{name} is {kinds[volume.channels]}, but the model {card.name} takes {kinds[domain.channels]} volumes."
        )
    unfit = misfit(recognise(volume), card, domain, name)
    if unfit.refusal and not force:
        raise MisfitError(unfit.refusal)
    if strict and unfit.contrast and not unfit.by_name and not force:
        raise MisfitError(unfit.contrast)
    return unfit


def suitability_warnings(volume: Volume, model: StyleModel, direction: str, landmarks: Any) -> list[str]:
    """Why a volume may not be what the model was trained on.

    Its modality and contrast are recognised. Then, the histogram of its normalised foreground is compared with the
    training data's by the earth mover's distance, and the recogniser's features with those of the training volumes.

    Args:
        volume: as it was read.
        model: that is to translate it.
        direction: forward or backward.
        landmarks: of the volume's normalisation.

    Returns:
        Sentences; an empty list if nothing stands out.
    """
    domain = model.card.first_domain(direction)
    sentences = [volume.metadata["Warning"]] if volume.metadata.get("Warning") else []
    verdict = recognise(volume)
    unfit = misfit(verdict, model.card, domain, volume.name or "The volume")
    sentences += unfit.warnings
    expected, lowest = plain_modality(domain.modality), float(volume.array.min())
    if not verdict.modality and expected == "MR" and lowest < HU_BELOW:
        sentences.append(f"The volume has values below {HU_BELOW:g}, like CT in HU; the model expects MR.")
    elif not verdict.modality and expected == CT and lowest >= 0:
        sentences.append("The volume has no negative values; the model expects CT in HU.")
    if not unfit.warnings and not unfit.refusal:
        sentences += _unusual(volume, domain)
    trained = domain.statistics.get("histograms")
    if trained:
        part = volume.array[:, :: max(1, volume.array.shape[1] // _COMPARED_SLICES)]
        shares = body_histogram(landmarks.forward(part), bins=len(trained[0]))
        limit = max(LEAST_UNUSUAL, MOST_USUAL * float(domain.statistics.get("usual_distance", 0)))
        distance = 0.0 if shares is None else nearest_distance(shares.tolist(), trained)
        if distance > limit:
            sentences.append(
                f"The distribution of intensities differs from the training data "
                f"(distance {distance:.2f}, usual up to {limit:.2f})."
            )
    return sentences


def _unusual(volume: Volume, domain: Domain) -> list[str]:
    """A sentence where the recogniser's features are outside of those of the domain's training volumes."""
    embedding, statistics = recognise(volume).look.embedding, domain.statistics.get("usual")
    if embedding is None or not isinstance(statistics, dict):
        return []
    compared = unusual_distance(embedding, statistics, shipped().digest)
    if compared is None or compared[0] <= compared[1]:
        return []
    return [
        f"The image is unusual for {domain.name}: it lies outside of 95 % of patients like those of the training "
        f"(distance {compared[0]:.1f}, usual up to {compared[1]:.1f})."
    ]
