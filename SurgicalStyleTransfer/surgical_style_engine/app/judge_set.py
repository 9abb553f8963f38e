"""Judge a set of translations against a set of references, paired or not, by statistics of their slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.inference.result import Translation
from surgical_style_engine.metrics.set_distance import kernel_mmd, slice_features
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.histogram_matching import histogram_match
from surgical_style_engine.volumes.resampling import model_size, resize_in_plane
from surgical_style_engine.volumes.volume import Volume, check_volume

from .delivered import Delivered
from .inputs import read

FEATURE_SPACING_MM = 1.0
SAMPLED = 50_000  # intensities of a reference that the histogram of all is made of


class TargetSet:
    """The slices of all references, and those of the translations to be judged against them."""

    def __init__(self, model: StyleModel, paths: Sequence[Path], direction: str) -> None:
        """Read the references.

        Args:
            model: what the translations are made by.
            paths: the references' files.
            direction: "forward" or "backward".

        Raises:
            InputError: for a file that is no usable volume.
        """
        self._model, self._direction, self._count = model, direction, len(paths)
        features, values = [], []
        for path in paths:
            volume = read(path)
            check_volume(volume, path.name)
            array = model.card.domain_to(direction).normalization.fit(volume.array).forward(volume.array)
            region = body_mask(volume)
            features.append(set_features(volume, array, region))
            inside = array[:, region].ravel()
            values.append(inside[:: max(1, inside.size // SAMPLED)])
        self._real, self._values = np.concatenate(features), np.concatenate(values)
        self._sets: dict[str, list[np.ndarray]] = {"translated": [], "input": [], "histogram_matched": []}

    def add(self, volume: Volume, translation: Translation, region: np.ndarray, mask: Volume | None = None) -> None:
        """Take in a translated volume.

        Args:
            volume: the input.
            translation: of it, with its normalised arrays.
            region: where it is judged, bool (z, y, x).
            mask: the labelmap outside of which the input stayed.
        """
        delivered = Delivered(volume, self._model, translation, self._direction, mask)
        images = {
            "translated": delivered.image,
            "input": delivered.input,
            "histogram_matched": histogram_match(delivered.input, self._values, region),
        }
        for name, array in images.items():
            self._sets[name].append(set_features(volume, array, region))

    def take(self) -> dict[str, np.ndarray]:
        """Give the statistics of the slices that were taken in, (slices, features) by what they are of, and forget."""
        taken = {name: np.concatenate(rows) for name, rows in self._sets.items()}
        self.clear()
        return taken

    def clear(self) -> None:
        """Forget the translations that were taken in; the references stay."""
        self._sets = {name: [] for name in self._sets}

    def put(self, features: Mapping[str, np.ndarray]) -> None:
        """Take in what ``take`` gave, here or in another process."""
        for name, rows in self._sets.items():
            rows.append(features[name])

    def distances(self) -> dict[str, Any]:
        """The kernel MMD of slice statistics of the translations and of the two floors to the references."""
        distances = {name: kernel_mmd(np.concatenate(rows), self._real) for name, rows in self._sets.items()}
        value, deviation = distances["translated"]
        return {
            "value": value,
            "deviation": deviation,
            "floors": {name: distances[name][0] for name in ("input", "histogram_matched")},
            "translated_slices": sum(map(len, self._sets["translated"])),
            "reference_slices": len(self._real),
            "reference_volumes": self._count,
            "features": "slice statistics (no Inception network): comparable between runs of this program only",
        }


def set_features(volume: Volume, array: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Statistics of a volume's axial slices at 1 mm pixels.

    Args:
        volume: whose grid the array lies on.
        array: normalised voxels (c, z, y, x).
        region: bool (z, y, x), what counts.

    Returns:
        (slices, features) float.
    """
    both = np.stack([np.asarray(array, np.float32).mean(0), region.astype(np.float32)])
    if not volume.is_2d:
        canonical, _ = geometry.to_canonical(volume.with_array(both))
        both = canonical.array
        _, height_mm, width_mm = geometry.plane_spacing(canonical.spacing, "axial")
        size = model_size(both.shape[-2:], (height_mm, width_mm), FEATURE_SPACING_MM)
        if size != both.shape[-2:]:
            both = resize_in_plane(np.ascontiguousarray(both), size)
    return slice_features(both[0], both[1] > 0.5)
