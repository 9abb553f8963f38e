"""How unusual an image is: what the shipped models' cards keep, and whether its limit holds for sites left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.inference.fit.usual import unusual_distance, usual_statistics
from surgical_style_engine.models.card import CARD_NAME, read_card, write_card
from surgical_style_engine.models.names import shipped_models_folder
from surgical_style_engine.volumes.recognise.kinds import CONTRASTS, kind_of_domain
from surgical_style_engine.volumes.recognise.network import shipped

from .cohort import CHECK, FOLDS, Image, images, same_person
from .table import load_networks, look

AS_IT_IS = "as it is"
# The shipped networks have seen the training patients, whose features lie closer together than those of new ones: so
# many times the limit, by sites left out (`coverage`).
MARGIN = 1.0


def embedding(networks: list, image: Image, runs: Path, variant: str = AS_IT_IS) -> np.ndarray | None:
    """The features (n,) of an image, the mean over its patches."""
    with np.load(runs / "variants" / f"{image.name}.npz") as stored:
        patches = stored[variant] if variant in stored.files else np.empty(0)
    return look(networks, patches)[1].mean(axis=0) if len(patches) else None


def _statistics(networks: list, members: list[Image], runs: Path, digest: str, margin: float) -> dict | None:
    pairs = [(embedding(networks, image, runs), same_person(image.patient)) for image in members]
    kept = [(values, patient) for values, patient in pairs if values is not None]
    return usual_statistics([values for values, _ in kept], [patient for _, patient in kept], digest, margin)


def coverage(runs: Path, data: Path, margin: float = MARGIN) -> dict[str, Any]:
    """Of images of sites that neither network nor statistics have seen: how many are usual for their own contrast, and
    how many for another.
    """
    everything = [image for image in images(data) if image.truth in CONTRASTS and image.patient not in CHECK]
    own: list[bool] = []
    other: list[bool] = []
    ratios: dict[str, float] = {}
    for fold, left in FOLDS.items():
        networks = load_networks(runs, fold)
        unseen = [image for image in everything if {image.site, image.patient} & set(left)]
        for kind in CONTRASTS:
            seen = [image for image in everything if image not in unseen and image.truth == kind]
            statistics = _statistics(networks, seen, runs, "", margin)
            if statistics is None:
                continue
            for image in unseen:
                values = embedding(networks, image, runs)
                compared = None if values is None else unusual_distance(values, statistics, "")
                if compared is None:
                    continue
                (own if image.truth == kind else other).append(compared[0] <= compared[1])
                if image.truth == kind:
                    ratios[f"{image.name}"] = round(compared[0] / compared[1], 2)
    return {
        "margin": margin,
        "usual for their own contrast": round(float(np.mean(own)), 3),
        "images": len(own),
        "usual for another contrast": round(float(np.mean(other)), 3),
        "distance over limit": ratios,
        "margin for 95 %": round(float(np.quantile(list(ratios.values()), 0.95)), 2),
    }


def write_usual(runs: Path, data: Path, folder: Path | None = None) -> list[str]:
    """Write the statistics into the cards of the shipped models; run it anew after models or recogniser change."""
    networks, digest = load_networks(runs, "all"), shipped().digest
    everything = [image for image in images(data) if image.patient not in CHECK]
    by_kind = {
        kind: _statistics(networks, [image for image in everything if image.truth == kind], runs, digest, MARGIN)
        for kind in CONTRASTS
    }
    written = []
    for path in sorted((folder or shipped_models_folder()).glob(f"*/{CARD_NAME}")):
        card = read_card(path.parent)
        for domain in (card.domains.source, card.domains.target):
            statistics = by_kind.get(kind_of_domain(domain.name, domain.modality, domain.units))
            if statistics is not None:
                domain.statistics["usual"] = statistics
        write_card(path.parent, card)
        written.append(f"{path.parent.name}: {json.dumps({k: v['limit'] for k, v in by_kind.items() if v})}")
    return written
