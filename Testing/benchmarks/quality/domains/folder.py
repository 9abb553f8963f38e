"""The model folder of a trained network for many contrasts.

    python -m Testing.benchmarks.quality.domains.folder --run runs/domains/many-24-begun --output FOLDER

Names, normalisation, units and the statistics of the training volumes are those of the shipped pair models, which were
trained on the same patients.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from surgical_style_engine.models.card import ModelCard, read_card
from surgical_style_engine.models.folder import save_model
from surgical_style_engine.models.names import shipped_models_folder
from training_cli.model_card import model_readme

from ..data import CONTRASTS, load_cohort
from ..protocol import left_out

NAME, TITLE = "brain-mr-any-contrast", "Brain MR, any contrast"
# A shipped pair model, and its side, that has the domain.
SIDES = {
    "T1w": ("brain-mr-t1w-t2w", "source"),
    "T1w-Gd": ("brain-mr-t1wgd-t1w", "source"),
    "T2w": ("brain-mr-t1w-t2w", "target"),
    "FLAIR": ("brain-mr-t1w-flair", "target"),
}
LIMITS = [
    "T1w-Gd made of other contrasts shows no enhancement that can be trusted: what takes up the agent is in none of "
    "them. Of T1w-Gd no whole head was seen.",
    "Not calibrated: how far it errs in an image is not known.",
]


def domains() -> list[dict[str, Any]]:
    """The domains of the card, in the network's order."""
    sides = [(read_card(shipped_models_folder() / SIDES[c][0]), SIDES[c][1]) for c in CONTRASTS]
    return [getattr(card.domains, side).model_dump() for card, side in sides]


def training(progress: dict[str, Any], pair: ModelCard, cache: Path, fold: str | None) -> dict[str, Any]:
    """What the card tells of the training."""
    scenes = [s for s in load_cohort(cache) if not (fold and left_out(s, fold))]
    volumes = {c: sorted({s.patient for s in scenes if c in s.images}) for c in CONTRASTS}
    together = sorted(
        {f"{s.patient}: {' + '.join(c for c in CONTRASTS if c in s.images)}" for s in scenes if len(s.contrasts) > 1}
    )
    return {
        "method": "multi-domain",
        "recipe": progress["recipe"],
        "steps": progress["steps"],
        "images": progress["images"],
        "minutes": round(progress["seconds"] / 60, 1),
        "settings": progress["settings"],
        "precision": "fp32",
        "torch": torch.__version__.split("+")[0],
        "processor": "x86_64, one thread",
        "date": date.today().isoformat(),
        "data": pair.training["data"],
        "notes": "Trained by Testing/benchmarks/quality/domains; begun with the features of brain-mr-t1w-t2w.",
        "volumes": volumes | {"pairs": together},
        "limits": [*pair.training["limits"], *LIMITS],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--fold")
    parser.add_argument("--limit", action="append", default=[], help="a sentence for the card on what it is unfit for")
    parser.add_argument("--output", type=Path, default=shipped_models_folder() / NAME)
    arguments = parser.parse_args()
    progress = json.loads((arguments.run / "progress.json").read_text(encoding="utf-8"))
    pair = read_card(shipped_models_folder() / SIDES["T1w"][0])
    told = training(progress, pair, arguments.cache, arguments.fold)
    card = ModelCard.model_validate(
        {
            "schema_version": 2,
            "name": NAME,
            "title": TITLE,
            "architecture": {
                "name": "domain_grid",
                "arguments": {"domains": len(CONTRASTS), **progress["settings"]["network"]},
            },
            "domains": domains(),
            "spacing_mm": pair.spacing_mm,
            "plane": pair.plane,
            "stack": pair.stack,
            "stack_spacing_mm": pair.stack_spacing_mm,
            "training": told | {"limits": [*arguments.limit, *told["limits"]]},
            "licence": pair.licence,
            "citation": pair.citation,
            "intended_use": pair.intended_use,
        }
    )
    weights = load_file(arguments.run / "averaged.safetensors")
    save_model(arguments.output, card, weights, readme=model_readme(card), overwrite=True)
    print(arguments.output)


if __name__ == "__main__":
    main()
