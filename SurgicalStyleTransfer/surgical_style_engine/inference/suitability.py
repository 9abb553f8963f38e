"""Whether a volume is what a model takes: what is certain is refused, what can only be guessed is a warning."""

from __future__ import annotations

from typing import Any

from surgical_style_engine.common.thresholds import HU_BELOW
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.histogram_distance import body_histogram, nearest_distance
from surgical_style_engine.volumes.volume import Volume

LEAST_UNUSUAL = 0.1  # distance of intensity histograms below which no volume stands out
MOST_USUAL = 1.25  # times the largest distance among the training data, up to which a volume does not stand out
_COMPARED_SLICES = 48
# Radiographs come under several names.
_SAME_MODALITY = {"CR": "DX", "DR": "DX", "RG": "DX"}
_MODALITIES = {"MR", "CT", "PT", "NM", "US", "DX", "XA", "MG"}


def check_suitable(volume: Volume, model: StyleModel, direction: str) -> None:
    """Refuse a volume that certainly is not what the model takes.

    Raises:
        InputError: for other channels, or a modality that the volume's DICOM header states.
    """
    card, domain = model.card, model.card.domain_from(direction)
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
    stated, expected = (_modality(text) for text in (volume.metadata.get("Modality", ""), domain.modality))
    if stated in _MODALITIES and expected in _MODALITIES and stated != expected:
        raise InputError(
            f"{name} is {stated} by its header, but the model {card.name} takes {expected} ({domain.name})."
        )


def suitability_warnings(volume: Volume, model: StyleModel, direction: str, landmarks: Any) -> list[str]:
    """Why a volume may not be what the model was trained on.

    The histogram of its normalised foreground is compared with the training data's by the earth mover's distance.

    Args:
        volume: as it was read.
        model: that is to translate it.
        direction: forward or backward.
        landmarks: of the volume's normalisation.

    Returns:
        Sentences; an empty list if nothing stands out.
    """
    domain = model.card.domain_from(direction)
    expected = _modality(domain.modality)
    sentences = [volume.metadata["Warning"]] if volume.metadata.get("Warning") else []
    lowest = float(volume.array.min())
    if _modality(volume.metadata.get("Modality", "")) not in _MODALITIES:
        if expected == "MR" and lowest < HU_BELOW:
            sentences.append(f"The volume has values below {HU_BELOW:g}, like CT in HU; the model expects MR.")
        elif expected == "CT" and lowest >= 0:
            sentences.append("The volume has no negative values; the model expects CT in HU.")
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


def _modality(text: str) -> str:
    code = text.strip().upper()
    return _SAME_MODALITY.get(code, code)
