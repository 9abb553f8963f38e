"""What a model folder knows of its own errors: ``calibration.json``, an optional file beside the card.

It was found on patients that the measured networks had not been trained on. A folder without it is a whole model, of
which no error can be stated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.common.plain_reasons import first_fault
from surgical_style_engine.errors import InputError

from .card import Direction, ModelCard

CALIBRATION_NAME = "calibration.json"
LARGEST_CALIBRATION = 4 << 20  # bytes; they hold some ten kilobytes
MOST_FEATURES, MOST_UNITS = 64, 256
Quickness = Literal["quick", "full"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Layer(_Strict):
    """A layer of a small network: outputs = weights @ inputs + bias, rectified in all layers but the last."""

    weights: list[list[float]]
    bias: list[float]

    @model_validator(mode="after")
    def _rectangular(self) -> Layer:
        widths = {len(row) for row in self.weights}
        if len(self.weights) != len(self.bias) or len(widths) != 1 or not 0 < len(self.bias) <= MOST_UNITS:
            raise ValueError("a layer has as many rows of equal length as biases")
        return self


class ErrorModel(_Strict):
    """How wide the bound of a voxel is.

    Attributes:
        features: Names of what it looks at, see ``metrics.uncertainty.features``.
        centre: Subtracted from the features.
        scale: What they are divided by then.
        layers: Of the network that gives the logarithm of the bound, normalised units, and, as a second number, how
            much a voxel looks like one of a tumour; models of earlier versions give no second one.
        edges: Of the smoothed translation, which part its three tissue classes, ascending.
        unlike: Second number from which a voxel is taken for abnormal; without that the same of asymmetry.
        factors: What the bound is multiplied by, found by conformal calibration: of the three classes where they are
            ordinary, then of the same where they are abnormal.
    """

    features: list[str] = Field(min_length=1, max_length=MOST_FEATURES)
    centre: list[float]
    scale: list[float]
    layers: list[Layer] = Field(min_length=1, max_length=6)
    edges: tuple[float, float]
    unlike: float
    factors: list[float] = Field(min_length=6, max_length=6)

    @model_validator(mode="after")
    def _fits(self) -> ErrorModel:
        width = len(self.features)
        if not len(self.centre) == len(self.scale) == width:
            raise ValueError("centre and scale need a number for each feature")
        if min(self.scale) <= 0 or min(self.factors) <= 0 or self.edges[0] > self.edges[1]:
            raise ValueError("scales and factors are above 0, and edges ascend")
        for layer in self.layers:
            if len(layer.weights[0]) != width:
                raise ValueError("a layer takes as many numbers as the one before it gives")
            width = len(layer.bias)
        if width not in (1, 2):
            raise ValueError("the last layer gives one number or two")
        return self


class Range(_Strict):
    """What a metric was among the left-out patients."""

    low: float
    high: float


class ExpectedPsnr(_Strict):
    """The PSNR (dB) that goes with a volume's mean squared bound, and by how much it was wrong.

    Attributes:
        intercept: Expected PSNR = intercept + slope * 10 log10(4 / mean squared bound).
        slope: See there.
        below: How far below it nine of ten left-out patients were at most, dB.
        above: The same above it.
        spearman: Rank correlation of expected and true PSNR over patients of left-out hospitals; 0 without a slope.
    """

    intercept: float
    slope: float
    below: float = Field(ge=0)
    above: float = Field(ge=0)
    spearman: float = Field(ge=-1, le=1)


class Coverage(_Strict):
    """Share of voxels within the bound, over left-out patients."""

    mean: float
    deviation: float
    worst: float
    patients: int


class DirectionCalibration(_Strict):
    """What was found for one direction.

    Attributes:
        quick: The error model of what is at hand after a translation.
        full: The one that also knows the disagreement of turned variants; None where it was not found.
        level: Share of voxels that the bound is made to cover.
        psnr: Expected PSNR; None where it was not found.
        uninformed: The bound, normalised units, that one grey for the whole body would have: where a bound is
            larger, the translation says nothing.
        ranges: Of metrics among left-out patients, by their names.
        coverage: By "all", the tissue classes and "tumour", of the quick error model.
        patients: How many there were.
        hospitals: How many they came from.
    """

    quick: ErrorModel
    full: ErrorModel | None = None
    level: float = Field(gt=0, lt=1)
    psnr: ExpectedPsnr | None = None
    uninformed: float = Field(gt=0)
    ranges: dict[str, Range] = {}
    coverage: dict[str, Coverage] = {}
    patients: int = Field(ge=1)
    hospitals: int = Field(ge=1)

    def error_model(self, quickness: Quickness) -> ErrorModel:
        """The error model that was asked for, or the quick one where there is no other."""
        return self.full if quickness == "full" and self.full is not None else self.quick


class Calibration(_Strict):
    """Everything in ``calibration.json``.

    Attributes:
        weights_sha256: Of the weights that it belongs to.
        directions: forward, backward or both.
        data: On which patients, in a sentence or two.
    """

    schema_version: Literal[1] = 1
    weights_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    directions: dict[Direction, DirectionCalibration]
    data: str = ""


def read_calibration(folder: Path, card: ModelCard) -> Calibration | None:
    """Read a model folder's calibration.

    Args:
        folder: The model's.
        card: The model's.

    Returns:
        The calibration; None where the folder has none, or one that belongs to other weights.

    Raises:
        InputError: For a file that is no calibration of this program's.
    """
    path = Path(folder) / CALIBRATION_NAME
    if card.weights is None or not path.is_file():
        return None
    try:
        if path.stat().st_size > LARGEST_CALIBRATION:
            raise InputError(f"The calibration {path} is too large to be one.")
        values = json.loads(path.read_text(encoding="utf-8"))
        calibration = Calibration.model_validate(values)
    except (OSError, RecursionError):
        raise InputError(f"The calibration {path} cannot be read.") from None
    except ValidationError as error:
        place, reason = first_fault(error)
        raise InputError(f"The calibration {path} is wrong at '{place}': {reason}.") from None
    except ValueError:
        raise InputError(f"The calibration {path} is not valid JSON.") from None
    return calibration if calibration.weights_sha256 == card.weights.sha256 else None


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Write ``calibration.json`` into a model folder, whole or not at all. Raises OSError."""
    with replacing(Path(folder) / CALIBRATION_NAME) as temporary:
        temporary.write_text(calibration.model_dump_json() + "\n", encoding="utf-8")


def arrays_of(layers: list[Layer]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weights, bias) of each layer, float32."""
    return [(np.asarray(layer.weights, np.float32), np.asarray(layer.bias, np.float32)) for layer in layers]
