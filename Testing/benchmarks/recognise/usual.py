"""How unusual an image is: what the shipped models' cards keep, and whether its limit holds for sites left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.inference.fit.usual import unusual_distance, usual_statistics
from surgical_style_engine.models.card import CARD_NAME, read_card, write_card
from surgical_style_engine.models.names import shipped_models_folder
from surgical_style_engine.volumes.recognise.kinds import CONTRASTS, kind_of_domain
from surgical_style_engine.volumes.recognise.network import shipped

from .cohort import CHECK, FOLDS, Image, images, same_person
from .drawn import Drawn
from .linear import Linear, fit, stored_features

AS_IT_IS = "as it is"
# Patients of one site are more alike than those of another: so many times the limit, by sites left out (`coverage`).
MARGIN = 1.25


def _statistics(
    linear: Linear, features: dict, members: list[Image], digest: str, margin: float
) -> dict[str, Any] | None:
    """Of the images as they are; a person in two preprocessings is one patient."""
    kept = [(features[image.name, AS_IT_IS], image) for image in members if (image.name, AS_IT_IS) in features]
    scaled = [linear.scaled(row) for row, _ in kept]
    return usual_statistics(scaled, [same_person(image.patient) for _, image in kept], digest, margin)


def coverage(runs: Path, data: Path, drawn: Drawn, margin: float = MARGIN) -> dict[str, Any]:
    """Of images of sites that the statistics have not seen: how many are usual for their contrast, and for others."""
    everything = images(data)
    features = stored_features(everything, runs)
    known = [image for image in everything if image.truth in CONTRASTS and image.patient not in CHECK]
    own: dict[str, float] = {}
    other: list[float] = []
    for left in FOLDS.values():
        unseen = [image for image in known if {image.site, image.patient} & set(left)]
        seen = [image for image in known if image not in unseen]
        linear = fit(seen, features, drawn)
        for kind in CONTRASTS:
            statistics = _statistics(linear, features, [image for image in seen if image.truth == kind], "", margin)
            for image in unseen if statistics else []:
                compared = unusual_distance(linear.scaled(features[image.name, AS_IT_IS]), statistics, "")
                if compared is not None and image.truth == kind:
                    own[image.name] = round(compared[0] / compared[1], 2)
                elif compared is not None:
                    other.append(compared[0] / compared[1])
    return {
        "margin": margin,
        "images": len(own),
        "usual for their own contrast": round(float(np.mean(np.array(list(own.values())) <= 1)), 3),
        "usual for another contrast": round(float(np.mean(np.array(other) <= 1)), 3),
        "distance over limit": own,
        "its 95th percentile": round(float(np.quantile(list(own.values()), 0.95)), 2),
    }


def write_usual(data: Path, runs: Path, folder: Path | None = None) -> list[str]:
    """Write the statistics into the cards of the shipped models; run it anew after models or recogniser change."""
    recogniser = shipped()
    linear = Linear(**recogniser.linear)
    everything = images(data)
    features = stored_features(everything, runs)
    known = [image for image in everything if image.patient not in CHECK]
    by_kind = {
        kind: _statistics(linear, features, [i for i in known if i.truth == kind], recogniser.digest, MARGIN)
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
        written.append(path.parent.name)
    return written
