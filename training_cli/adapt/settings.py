"""How a style is fine-tuned: the settings of ``sst train --init`` that are the same for every adaptation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surgical_style_engine.models.card import ModelCard
from training_cli.training.config import TrainingConfig

from .request import AdaptRequest
from .volumes import SOURCE, TARGET

# What does not depend on the style. The terms are those that the shipped styles were trained with; the rate is small,
# for the weights are nearly right.
_COMMON: dict[str, Any] = {
    "preset": "none",
    "beta1": 0.9,
    "beta2": 0.99,
    "weight_decay": 0.01,
    "constant_fraction": 0.3,
    "lambda_ssim": 0.3,
    "lambda_sharpness": 1.2,
    "ema_decay": 0.998,
    "precision": "fp32",
    "sample_every": 0,
    "check_every": 0,
    "checkpoint_every": 10**9,
    "trackers": [],
    "min_body_fraction": 0.02,
}
_PAIRED: dict[str, Any] = {"method": "paired", "lambda_adversarial": 0.0}
_UNPAIRED: dict[str, Any] = {"method": "cyclegan", "pseudo_pairs": "auto", "pseudo_alone": 1.0, "pairs_fraction": 1.0}
_SMALL = {"patch_size": 160, "batch_size": 2, "learning_rate": 3e-4}  # of the generator of tone curves
_LARGE = {"patch_size": 128, "batch_size": 1, "learning_rate": 1e-4}  # of all others


def settings(request: AdaptRequest, data: Path, run: Path) -> TrainingConfig:
    """The configuration of the training.

    Args:
        request: checked.
        data: folder that ``write_volumes`` has filled.
        run: of the training; it goes when the style is written.
    """
    card = request.model.card
    forward = request.direction == "forward"
    first, second = (data / side for side in ((SOURCE, TARGET) if forward else (TARGET, SOURCE)))
    values: dict[str, Any] = {
        **_COMMON,
        **(_PAIRED if request.paired else _UNPAIRED),
        **(_SMALL if card.architecture.name == "bilateral" else _LARGE),
        **({"randomise": "mild"} if _is_mr(card) else {}),
        "source": first,
        "target": second,
        "output": run,
        "pairs": _pairs_file(request, data) if request.paired else None,
        "init": str(request.model.folder),
        "name": request.name,
        "title": request.shown_title,
        **({"max_minutes": request.minutes} if request.steps is None else {"max_steps": request.steps}),
        "device": request.device,
        "seed": request.seed,
        "licence": card.licence,
        "citation": card.citation,
        "intended_use": card.intended_use,
    }
    for side in ("source", "target"):
        domain = getattr(card.domains, side)
        values |= {f"{side}_name": domain.name, f"{side}_modality": domain.modality, f"{side}_units": domain.units}
    return TrainingConfig(**values)


def _is_mr(card: ModelCard) -> bool:
    return card.domains.source.modality == card.domains.target.modality == "MR"


def _pairs_file(request: AdaptRequest, data: Path) -> Path:
    """The list of pairs in the style's own direction."""
    sides = (SOURCE, TARGET) if request.direction == "forward" else (TARGET, SOURCE)
    rows = [",".join(f"{side}/volume-{number}.mha" for side in sides) for number in range(1, len(request.sources) + 1)]
    path = data / "pairs.csv"
    path.write_text("\n".join(["source,target", *rows]) + "\n", encoding="ascii")
    return path
