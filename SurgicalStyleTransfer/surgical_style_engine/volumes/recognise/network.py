"""The recogniser's networks and its linear classifier, evaluated by numpy: no torch is loaded for a look."""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import StyleTransferError

FILE_NAME = "recogniser.npz"
FINE = "fine"  # what the keys of the slices' classifiers begin with
CONTRADICTED = 0.15  # what the measures at 2 mm find less likely, those of slices do not say alone
MOST_LOOKS = 16  # a few patches are also looked at turned and mirrored, up to so many in all
_STRIDE = 2  # where the weights name no other
_FARTHEST = 6.0
_FARTHEST_FINE = 5.0


@dataclass(frozen=True)
class Recogniser:
    """Several networks of one layout, and what was found out about their answers.

    Attributes:
        networks: weights by name, as ``Testing/benchmarks/recognise`` writes them: float32.
        linear: the multinomial logistic regression on ``features.features_of``: mean, scale, weight, bias.
        constants: thresholds by name.
        digest: that statistics of the embedding go with.
        fine: of several classifiers of the families of contrasts on ``fine_features.fine_features`` of single slices:
            mean, scale, weight0, bias0, weight1 and so on; without them slices are judged as volumes are.
    """

    networks: tuple[Mapping[str, np.ndarray], ...]
    linear: Mapping[str, np.ndarray]
    constants: Mapping[str, float]
    digest: str
    fine: tuple[Mapping[str, np.ndarray], ...] = ()

    def look(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Look at patches.

        Args:
            patches: (n, 2, h, w) float32, standardised.

        Returns:
            (n, kinds) logarithms of probabilities, means over networks and views, and (n, features) the embedding of
            all networks side by side.
        """
        logs, embeddings = [], []
        for view in turned(patches):
            outputs, embedded = zip(*(_forward(network, view) for network in self.networks), strict=True)
            logs += [_log_softmax(output) for output in outputs]
            embeddings.append(np.concatenate(embedded, axis=1))
        return np.mean(logs, axis=0), embeddings[0]

    def slice_contrasts(self, looks: list[np.ndarray], contrasts: np.ndarray) -> np.ndarray:
        """The contrasts' probabilities of single slices.

        T1w with and without contrast agent are one to the classifiers of slices: which of them it is, the other
        measures say.

        Args:
            looks: (fine features,) of every slice, as ``fine.fine_looks`` gives them.
            contrasts: (contrasts,) logarithms of probabilities by the other measures.

        Returns:
            (contrasts,) logarithms of probabilities by both; the given ones where no slice holds enough.
        """
        if not looks:
            return contrasts
        t1w = np.logaddexp(contrasts[0], contrasts[1])
        fine = np.mean([_layers(weights, np.stack(looks)) for weights in self.fine], axis=(0, 1))
        coarse = np.array([t1w, *contrasts[2:]])
        families = _log_softmax((fine + coarse)[None])[0]
        if coarse[families.argmax()] < np.log(CONTRADICTED):  # neither is believed
            families = np.log((np.exp(families) + np.exp(coarse)) / 2)
        return np.array([families[0] + contrasts[0] - t1w, families[0] + contrasts[1] - t1w, *families[1:]])

    def scaled(self, features: np.ndarray) -> np.ndarray:
        """Features (n,) in units of their spread over the training images, far outliers drawn in."""
        return np.clip((features - self.linear["mean"]) / self.linear["scale"], -_FARTHEST, _FARTHEST)

    def contrasts(self, features: np.ndarray) -> np.ndarray:
        """Logarithms of the probabilities of CONTRASTS (4,) by the features (n,) of a volume."""
        output = self.linear["weight"] @ self.scaled(features) + self.linear["bias"]
        return _log_softmax(output[None])[0]


def turned(patches: np.ndarray) -> list[np.ndarray]:
    """Patches (n, 2, h, h) as they are, and the fewer they are, the more often turned by right angles and mirrored."""
    views = [np.rot90(patches, turns, (2, 3)) for turns in range(4)]
    views = [view for pair in zip(views, [view[..., ::-1] for view in views], strict=True) for view in pair]
    ordered = [views[number] for number in (0, 1, 4, 5, 2, 3, 6, 7)]  # half turns before quarter turns
    return ordered[: max(1, min(len(ordered), MOST_LOOKS // max(len(patches), 1)))]


def resource() -> Path:
    """The weights' file: of a clone, of the installed Slicer module, or inside an installed wheel."""
    package = Path(__file__).resolve().parents[2]
    clone = package.parent / "Resources" / "Recogniser"
    return (clone if clone.is_dir() else package / "recogniser") / FILE_NAME


@functools.lru_cache(maxsize=1)
def shipped() -> Recogniser:
    """The recogniser that comes with the program. Raises StyleTransferError where its file is missing or damaged."""
    return load(resource())


def load(path: Path) -> Recogniser:
    """Read a recogniser. Raises StyleTransferError where the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        names = [str(name) for name in arrays.pop("constant_names")]
        values = arrays.pop("constants").astype(float).tolist()
        digest = str(arrays.pop("digest"))
        networks: dict[str, dict[str, np.ndarray]] = {}
        for name, array in arrays.items():
            number, _, part = name.partition(".")
            networks.setdefault(number, {})[part] = array.astype(np.float32)
        linear = networks.pop("linear")
        fine = tuple(networks.pop(key) for key in sorted(networks) if key.startswith(FINE))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise StyleTransferError(f"The recogniser's weights {path} are missing or damaged.") from error
    constants = dict(zip(names, values, strict=True))
    return Recogniser(tuple(networks[key] for key in sorted(networks)), linear, constants, digest, fine)


def _forward(weights: Mapping[str, np.ndarray], patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, kinds) outputs and (n, features) embedding of one network; normalisation is folded into its weights."""
    features = np.ascontiguousarray(np.moveaxis(patches, 1, -1), dtype=np.float32)
    layer = 0
    while f"conv{layer}.weight" in weights:
        stride = int(weights.get(f"conv{layer}.stride", _STRIDE))
        features = _convolved(features, weights[f"conv{layer}.weight"], weights[f"conv{layer}.bias"], stride)
        layer += 1
    pooled = np.concatenate([features.mean(axis=(1, 2)), features.max(axis=(1, 2))], axis=1)
    embedding = np.maximum(pooled @ weights["embed.weight"].T + weights["embed.bias"], 0)
    return embedding @ weights["classify.weight"].T + weights["classify.bias"], embedding


def _layers(weights: Mapping[str, np.ndarray], looks: np.ndarray) -> np.ndarray:
    """(n, families) logarithms of probabilities by one classifier of slices; the last layer is linear."""
    values = np.clip((looks - weights["mean"]) / weights["scale"], -_FARTHEST_FINE, _FARTHEST_FINE)
    layer = 0
    while f"weight{layer}" in weights:
        values = (values if layer == 0 else np.maximum(values, 0)) @ weights[f"weight{layer}"] + weights[f"bias{layer}"]
        layer += 1
    return _log_softmax(values)


def _convolved(features: np.ndarray, kernel: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """A convolution (o, i, k, k) with zeros around, then what is positive; features are (n, h, w, i)."""
    side = kernel.shape[-1]
    around = side // 2
    padded = np.pad(features, ((0, 0), (around, around), (around, around), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))[:, ::stride, ::stride]
    count, height, width = views.shape[:3]
    columns = views.reshape(count * height * width, -1)  # (i, k, k) a row, as the kernel has them
    result = columns @ kernel.reshape(len(kernel), -1).T + bias
    return np.maximum(result, 0).reshape(count, height, width, -1)


def _log_softmax(outputs: np.ndarray) -> np.ndarray:
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
