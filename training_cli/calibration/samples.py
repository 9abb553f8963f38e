"""Errors of left-out patients with what was at hand when they were made: what a calibration is found from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from surgical_style_engine.metrics.structure import structure_agreement
from surgical_style_engine.metrics.uncertainty.features import slice_features

BODY_VOXELS, TUMOUR_VOXELS = 30_000, 6_000  # drawn of a scan
SEED = 0


@dataclass(frozen=True, eq=False)
class Voxels:
    """Voxels of a patient.

    Attributes:
        features: (n, features) float32, see ``metrics.uncertainty.features``.
        errors: (n,) float32, |translation - real image|, normalised units.
        weights: (n,) float32, so that scans of a patient count equally.
        tissues: (n,) int8, by the real image: 0 to 2 from dark to bright, as the caller names them.
        in_tumour: (n,) bool, by the labels.
    """

    features: np.ndarray
    errors: np.ndarray
    weights: np.ndarray
    tissues: np.ndarray
    in_tumour: np.ndarray

    @staticmethod
    def joined(parts: Sequence[Voxels]) -> Voxels:
        """All voxels of several."""
        names = [each.name for each in fields(Voxels)]
        return Voxels(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


@dataclass(frozen=True, eq=False)
class Scan:
    """A translated scan of a left-out patient, beside the real image.

    Attributes:
        body: Voxels drawn from the whole body.
        tumour: Voxels drawn from labelled tumours; None without.
        psnr: dB, range 2.
        grey: |real image - its median| of the body's voxels drawn, the error of one grey.
        consistency: Semantic Consistency of input and translation.
    """

    body: Voxels
    tumour: Voxels | None
    psnr: float
    grey: np.ndarray
    consistency: float


@dataclass(eq=False)
class Patient:
    """A patient whom the network that translated had not seen.

    Attributes:
        name: Of the patient.
        fold: Which network translated.
        hospital: Where the scans come from; error models are tried on one hospital's patients after the others'.
        scans: All of them.
    """

    name: str
    fold: str
    hospital: str
    scans: list[Scan] = field(default_factory=list)

    @property
    def body(self) -> Voxels:
        """Voxels of all scans, each scan with the same weight, 1 together."""
        return Voxels.joined([_weighted(scan.body, 1 / len(self.scans)) for scan in self.scans])

    @property
    def tumour(self) -> Voxels | None:
        """The same of tumours."""
        parts = [scan.tumour for scan in self.scans if scan.tumour is not None]
        return Voxels.joined([_weighted(part, 1 / len(parts)) for part in parts]) if parts else None

    @property
    def psnr(self) -> float:
        """Mean over the scans, dB."""
        return float(np.mean([scan.psnr for scan in self.scans]))


def scan_of(
    images: tuple[np.ndarray, np.ndarray, np.ndarray],
    body: np.ndarray,
    tumour: np.ndarray,
    tissue_image: np.ndarray,
    disagreement: np.ndarray | None = None,
    seed: int = SEED,
) -> Scan:
    """Draw a scan's voxels.

    Args:
        images: Input, translation and real image, (s, h, w) in [-1, 1], the model's pixels.
        body: Bool (s, h, w).
        tumour: Bool (s, h, w).
        tissue_image: Real image that tells the tissues, (s, h, w).
        disagreement: Standard deviation over turned variants, (s, h, w).
        seed: Of what is drawn.
    """
    source, output, real = images
    rng = np.random.default_rng(seed)
    parts = list(slice_features(source, output, body, disagreement))
    features = np.concatenate([part.values for part in parts])
    where = np.zeros(body.shape, bool)
    where[[part.index for part in parts]] = body[[part.index for part in parts]]
    errors, in_tumour = np.abs(output - real)[where], tumour[where]
    values = real[where]
    tissues = np.digitize(tissue_image[where], three_classes(tissue_image[where & ~tumour])).astype(np.int8)

    def draw(numbers: np.ndarray, most: int) -> Voxels:
        chosen = rng.choice(numbers, min(most, len(numbers)), replace=False)
        weights = np.full(len(chosen), 1 / len(chosen), np.float32)
        return Voxels(features[chosen], errors[chosen].astype(np.float32), weights, tissues[chosen], in_tumour[chosen])

    labelled = np.flatnonzero(in_tumour)
    return Scan(
        body=draw(np.arange(len(errors)), BODY_VOXELS),
        tumour=draw(labelled, TUMOUR_VOXELS) if len(labelled) else None,
        psnr=float(10 * np.log10(4 / np.mean(errors.astype(np.float64) ** 2))),
        grey=np.abs(values - np.median(values))[:: max(1, len(values) // BODY_VOXELS)],
        consistency=structure_agreement(source[None], output[None], body)[0],
    )


def three_classes(values: np.ndarray) -> tuple[float, float]:
    """The edges between the three classes that a k-means of intensities (n,) finds (Lloyd, 1982), ascending."""
    sample = np.sort(values[:: max(1, len(values) // 20_000)].astype(np.float64))
    centres = np.quantile(sample, (1 / 6, 1 / 2, 5 / 6))
    edges = (centres[:-1] + centres[1:]) / 2
    for _ in range(50):
        cuts = np.searchsorted(sample, edges)
        groups = np.split(sample, cuts)
        centres = np.array(
            [group.mean() if len(group) else centre for group, centre in zip(groups, centres, strict=True)]
        )
        moved = (centres[:-1] + centres[1:]) / 2
        if np.allclose(moved, edges):
            break
        edges = moved
    return float(edges[0]), float(edges[1])


def _weighted(voxels: Voxels, weight: float) -> Voxels:
    return replace(voxels, weights=voxels.weights * np.float32(weight))
