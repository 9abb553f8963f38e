"""Whether an adapted style is better than the one that it was made of, on what was kept aside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surgical_style_engine.app.against_reference import ReferenceComparison
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.metrics.court.figures import sharpness
from surgical_style_engine.metrics.metric import JudgedCase
from surgical_style_engine.models.card import Direction
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.volume import Volume
from training_cli.training.config import TrainingConfig
from training_cli.training.data.grid import resampled_onto
from training_cli.training.data.items import TrainingData
from training_cli.training.state.unpaired_score import unpaired_score

from .split import Aside

# With pairs. Chance alone moves the figures of a few slices by less.
LEAST_PSNR_GAIN = 0.1  # dB
MOST_SSIM_LOSS = 0.005
MOST_BLUR = 0.05  # of sharpness, 1 being the real image's
# Without pairs.
LEAST_AGREEMENT_GAIN = 0.005  # of SSIM at 4 mm
LEAST_PLACED_GAIN = 0.005  # of intensities, out of 2
MOST_STRUCTURE_LOSS = 0.02
PAIRED_KEYS = ("psnr", "ssim", "mae_normalised", "sharpness")
UNPAIRED_KEYS = ("agreement", "placed", "structure")

Figures = dict[str, float]


class NotBetterError(StyleTransferError):
    """The adapted style is not better on what was kept aside; nothing was written."""

    code = "not_better"


@dataclass(frozen=True)
class Proof:
    """Figures of both styles on what was kept aside, in one direction.

    Attributes:
        original: of the style to begin with. With pairs psnr (dB), ssim, mae_normalised (out of 2) and sharpness (1 is
            the real image's); without, what ``unpaired_score`` gives.
        adapted: of the adapted one.
    """

    original: Figures
    adapted: Figures

    @property
    def why_not(self) -> str:
        """Why the adapted style is not better, as the end of a sentence; "" where it is."""
        return _why_not_paired(self) if "psnr" in self.original else _why_not_unpaired(self)

    def gain(self, key: str) -> float:
        """Adapted minus original."""
        return self.adapted[key] - self.original[key]

    def text(self) -> str:
        """'PSNR 17.1 dB instead of 16.2, SSIM 0.612 instead of 0.580, ...'."""
        parts = [
            f"{_TITLES[key].format(self.adapted[key])} instead of {_NUMBERS[key].format(self.original[key])}"
            for key in (*PAIRED_KEYS, *UNPAIRED_KEYS)
            if key in self.original and key in self.adapted
        ]
        return ", ".join(parts)


_TITLES = {
    "psnr": "PSNR {:.2f} dB",
    "ssim": "SSIM {:.3f}",
    "mae_normalised": "mean error {:.3f}",
    "sharpness": "sharpness {:.2f}",
    "agreement": "agreement with other patients {:.3f}",
    "placed": "distance of intensities by place {:.3f}",
    "structure": "likeness to the input {:.3f}",
}
_NUMBERS = {key: "{:.2f}" if key in ("psnr", "sharpness") else "{:.3f}" for key in _TITLES}


def _why_not_paired(proof: Proof) -> str:
    if not all(map(math.isfinite, (*proof.original.values(), *proof.adapted.values()))):
        return "its figures cannot be told"
    if proof.gain("psnr") < LEAST_PSNR_GAIN or proof.gain("mae_normalised") >= 0:
        return "it is not closer to the real image"
    if proof.gain("ssim") < -MOST_SSIM_LOSS:
        return "its structure is less like the real image's"
    blur = [abs(math.log(max(figures["sharpness"], 1e-6))) for figures in (proof.original, proof.adapted)]
    return "it is blurred or too sharp" if blur[1] > blur[0] + MOST_BLUR else ""


def _why_not_unpaired(proof: Proof) -> str:
    if proof.gain("structure") < -MOST_STRUCTURE_LOSS:
        return "less of the input's structure is kept"
    if "agreement" in proof.original and proof.gain("agreement") < LEAST_AGREEMENT_GAIN:
        return "it is not more like the volumes of the scanner, place by place"
    if proof.gain("placed") > (-LEAST_PLACED_GAIN if "agreement" not in proof.original else LEAST_PLACED_GAIN):
        return "its intensities are not more like those of the scanner"
    return ""


@dataclass(frozen=True, eq=False)
class JudgedPair:
    """A pair on one grid, and where it is judged.

    Attributes:
        source: of the style's source domain, along the patient's axes.
        target: of its target domain, on that grid.
        region: bool (z, y, x).
    """

    source: Volume
    target: Volume
    region: np.ndarray


def judged_pair(source: Volume, target: Volume, places: np.ndarray, plane: str) -> JudgedPair:
    """Lay a pair on one grid, and mark the slices kept aside.

    Args:
        source: along the patient's axes; gives the grid.
        target: in its space.
        places: numbers of the slices of ``plane`` that are judged.
        plane: of the style.

    Raises:
        InputError: where nothing is left to judge.
    """
    valid = np.ones(source.array.shape[1:], bool)
    if not source.same_grid(target):
        target, valid = resampled_onto(source, target, None, "of source and target")
    first = geometry.plane_first(np.zeros((1, *valid.shape), bool), plane)
    inside = np.zeros(first.shape, bool)
    inside[:, places] = True
    region = geometry.plane_first_undo(inside, plane)[0] & valid & body_mask(source)
    if not region.any():
        raise InputError("Where slices are kept aside, source and target have no body in common.")
    return JudgedPair(source, target, region)


def paired_figures(
    model: StyleModel, direction: Direction, pairs: Sequence[JudgedPair], options: RunOptions | None = None
) -> Figures:
    """Mean figures of a style's translations against the real images of the same patient.

    Args:
        model: the style.
        direction: in which it translates.
        pairs: what is judged.
        options: how the network is run.

    Returns:
        Means over the pairs, by ``PAIRED_KEYS``.

    Raises:
        InputError, Cancelled: as ``translate_volume`` does.
    """
    rows = [_figures_of(model, direction, pair, options or RunOptions()) for pair in pairs]
    return {key: float(np.mean([row[key] for row in rows])) for key in PAIRED_KEYS}


def _figures_of(model: StyleModel, direction: Direction, pair: JudgedPair, options: RunOptions) -> Figures:
    volume, reference = (pair.source, pair.target) if direction == "forward" else (pair.target, pair.source)
    translation = translate_volume(volume, model, direction=direction, options=options)
    axis = geometry.coarsest_axis(volume)
    comparison = ReferenceComparison(reference, model.card.domain_to(direction), pair.region, axis)
    figures: Mapping[str, float] = comparison.metrics(translation.normalized_output)
    case = JudgedCase(
        source=translation.normalized_input,
        delivered=translation.normalized_output,
        region=pair.region,
        reference=comparison.normalized,
        slice_axis=axis,
        spacing=volume.spacing[::-1],
    )
    sharp = sharpness(case)
    return {
        **{key: float(figures[key]) for key in ("psnr", "ssim", "mae_normalised")},
        "sharpness": math.nan if sharp is None else sharp,
    }


def unpaired_figures(model: StyleModel, direction: Direction, aside: Aside, config: TrainingConfig) -> Figures:
    """Figures of a style without pairs: how far its translations look like the scanner's volumes, place by place.

    Args:
        model: the style.
        direction: in which it translates.
        aside: what was kept aside.
        config: of the training, which says how the network is fed.
    """
    data, network = aside.data, model.generator(direction)
    if direction == "backward":
        data = TrainingData(data.target, data.source, [])
    figures = unpaired_score(network, TrainingData(data.source, data.target, []), config)
    if data.pseudo_pairs:
        figures |= unpaired_score(network, data, config)
    return {key: float(figures[key]) for key in UNPAIRED_KEYS if key in figures}
