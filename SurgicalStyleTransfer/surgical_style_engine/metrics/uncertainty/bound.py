"""The calibrated bound of a translation's error.

A small network gives the width at which nine of ten errors would end (quantile regression, Koenker & Bassett,
Econometrica 1978). Conformal calibration on patients that neither the translating network nor this one had seen
multiplies it (normalised scores, Lei et al., JASA 2018), by a factor of its own for each tissue class of the
translation, ordinary or abnormal (Mondrian groups, Vovk et al., 2003). Abnormal is what the same network, which has
seen labelled tumours, takes for most like one. Patients, not voxels, are what is exchangeable: scores of patients are
pooled with equal weight (Dunn et al., JASA 2023).
"""

from __future__ import annotations

import numpy as np

from surgical_style_engine.models.calibration import ErrorModel, arrays_of

from .features import ASYMMETRIES, OUTPUT_MEAN, slice_features

CLASSES = ("dark", "middle", "bright")  # tissue of the translation
FARTHEST = np.float32(4)  # standard deviations up to which a feature counts
LOG_LEAST, LOG_MOST = np.float32(-6), np.float32(0.7)  # of a bound; 2 is the whole range
NOT_BOUNDED = np.float32(-1)  # in a map, where there is no bound: formats for volumes hold no NaN


def bounds_of(model: ErrorModel, features: np.ndarray) -> np.ndarray:
    """The calibrated bounds of voxels.

    Args:
        model: Calibrated.
        features: (n, features) as the model names them.

    Returns:
        (n,) float32, half widths in normalised units (range [-1, 1]).
    """
    raw, groups = raw_bounds_and_groups(model, features)
    return raw * np.asarray(model.factors, np.float32)[groups]


def raw_bounds_and_groups(model: ErrorModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bounds before calibration, (n,) float32, and the group of each voxel, (n,) int.

    Groups are 0 to 2 for the tissue classes of the translation, 3 to 5 for the same where abnormal.
    """
    outputs = _outputs(model, features)
    classes = np.digitize(features[:, OUTPUT_MEAN], model.edges)
    groups = classes + 3 * (_likeness(outputs, features) >= model.unlike)
    return np.exp(np.clip(outputs[:, 0], LOG_LEAST, LOG_MOST)), groups


def raw_bounds(model: ErrorModel, features: np.ndarray) -> np.ndarray:
    """The bounds before calibration, (n,) float32."""
    return raw_bounds_and_groups(model, features)[0]


def groups_of(model: ErrorModel, features: np.ndarray) -> np.ndarray:
    """The group of each voxel, (n,) int, see `raw_bounds_and_groups`."""
    return raw_bounds_and_groups(model, features)[1]


def likeness(model: ErrorModel, features: np.ndarray) -> np.ndarray:
    """How much voxels look like those of tumours, (n,) float32: what `ErrorModel.unlike` is compared with."""
    return _likeness(_outputs(model, features), features)


def asymmetry(features: np.ndarray) -> np.ndarray:
    """How much a voxel's region differs from that on the other side, (n,) float32; tumours' do."""
    return np.abs(features[:, ASYMMETRIES[0]]) + np.abs(features[:, ASYMMETRIES[1]])


def _likeness(outputs: np.ndarray, features: np.ndarray) -> np.ndarray:
    return outputs[:, 1] if outputs.shape[1] > 1 else asymmetry(features)


def _outputs(model: ErrorModel, features: np.ndarray) -> np.ndarray:
    """What the network gives of each voxel, (n, 1 or 2) float32."""
    values = (features - np.asarray(model.centre, np.float32)) / np.asarray(model.scale, np.float32)
    np.clip(values, -FARTHEST, FARTHEST, out=values)
    layers = arrays_of(model.layers)
    for number, (weights, bias) in enumerate(layers):
        values = values @ weights.T + bias
        if number < len(layers) - 1:
            np.maximum(values, 0, out=values)
    return values


def bound_map(
    model: ErrorModel,
    source: np.ndarray,
    output: np.ndarray,
    body: np.ndarray,
    disagreement: np.ndarray | None = None,
) -> np.ndarray:
    """The bound of every voxel of the body, `NOT_BOUNDED` elsewhere.

    Args:
        model: Calibrated.
        source: The input, (s, h, w) in [-1, 1], the model's pixels.
        output: Its translation, the same.
        body: Bool (s, h, w).
        disagreement: Standard deviation over turned variants, (s, h, w), where the model looks at it.

    Returns:
        (s, h, w) float32, normalised units.
    """
    bounds = np.full(output.shape, NOT_BOUNDED, np.float32)
    for part in slice_features(source, output, body, disagreement):
        bounds[part.index][part.inside] = bounds_of(model, part.values)
    return bounds
