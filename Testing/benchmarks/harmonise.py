"""Harmonising without training beside what others do: real sites, and pseudo-sites whose truth is known.

    python -m Testing.benchmarks.harmonise DATA RESULT.json [--contrasts T1w T1w-Gd T2w FLAIR]

DATA holds ``brats`` and ``open-ms``. Check patients are left out. Prints the tables of docs/harmonise.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.harmonise.curve import curve_between
from surgical_style_engine.harmonise.harmonise import kind_to_harmonise
from surgical_style_engine.harmonise.look import look_of
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.filters import gaussian
from surgical_style_engine.volumes.histogram_matching import histogram_match
from surgical_style_engine.volumes.tissues.landmarks import EXPECTED, Landmarks, measure
from surgical_style_engine.volumes.tissues.mixture import fit_expected, histogram_of
from surgical_style_engine.volumes.volume import Volume
from Testing.benchmarks.quality.data import CHECK_PATIENTS, site_of

FILES = {
    "T1w": ("brats/*_T1.nii.gz", "open-ms/longitudinal/*_T1W.nii.gz", "open-ms/mni/*_T1.nii.gz"),
    "T1w-Gd": ("brats/*_T1C.nii.gz", "open-ms/mni/*_T1POST.nii.gz"),
    "T2w": ("brats/*_T2.nii.gz", "open-ms/longitudinal/*_T2W.nii.gz", "open-ms/mni/*_T2.nii.gz"),
    "FLAIR": ("brats/*_FLAIR.nii.gz", "open-ms/longitudinal/*_FLAIR.nii.gz", "open-ms/mni/*_FLAIR.nii.gz"),
}
# Gamma of the contrast, height of the bias field, noise (of white matter), blur in mm, units.
PSEUDO_SITES = {
    "soft": (0.75, 0.0, 0.01, 1.2, 3.7),
    "steep": (1.35, 0.15, 0.01, 0.0, 0.4),
    "shaded": (1.0, 0.35, 0.02, 0.6, 11.0),
    "noisy": (0.9, 0.15, 0.05, 0.0, 1.6),
}
LEVELS = 24  # quantiles of grey values, the first of a scan's features
RIDGE = 1e-2


@dataclass(eq=False)
class Scan:
    """One scan, measured once: white matter at 1 in ``flat`` and ``raw``, no signal at 0."""

    name: str
    patient: str
    site: str
    kind: str
    extracted: bool
    volume: Volume
    landmarks: Landmarks
    flat: np.ndarray
    brain: np.ndarray
    tumour: np.ndarray | None

    @property
    def raw(self) -> np.ndarray:
        """The scan as it came, (z, y, x)."""
        return self.volume.array[0].astype(np.float32)


def load(path: Path) -> Scan:
    """Read and measure one scan."""
    volume = read_volume(path)
    kind, extracted = kind_to_harmonise(volume)
    landmarks, flat, brain = measure(volume, kind, extracted)
    patient = path.name.rsplit("_", 1)[0]
    site = "mni" if "mni" in str(path) else site_of(patient)
    labels = path.with_name(f"{patient}_tumour.nii.gz")
    tumour = read_volume(labels).array[0] > 0 if labels.exists() else None
    return Scan(path.name, patient, site, kind, extracted, volume, landmarks, flat.array[0], brain, tumour)


Method = Callable[[Scan, Scan | list[Scan]], np.ndarray]


def _as_list(like: Scan | list[Scan]) -> list[Scan]:
    return like if isinstance(like, list) else [like]


def ours(scan: Scan, like: Scan | list[Scan]) -> np.ndarray:
    """Bias field removed, tissues to the look's levels."""
    look = look_of([one.landmarks for one in _as_list(like)], scan.kind, "reference")
    curve, _ = curve_between(scan.landmarks.levels, look.levels, EXPECTED[scan.kind].anchor, scan.landmarks.floor)
    return curve(scan.flat)


def as_it_came(scan: Scan, like: Scan | list[Scan]) -> np.ndarray:
    """Nothing but the same unit: the body's mean to the reference's."""
    mean = np.median([one.raw[one.raw > 0.1 * one.raw.max()].mean() for one in _as_list(like)])
    return scan.raw * float(mean / scan.raw[scan.raw > 0.1 * scan.raw.max()].mean())


def percentile(scan: Scan, like: Scan | list[Scan]) -> np.ndarray:
    """1st and 99th percentile of what is not air to the reference's (median over its scans)."""
    bounds = np.median([np.percentile(one.raw[one.raw > 0], (1, 99)) for one in _as_list(like)], axis=0)
    low, high = np.percentile(scan.raw[scan.raw > 0], (1, 99))
    return (scan.raw - low) / (high - low) * (bounds[1] - bounds[0]) + bounds[0]


def nyul(scan: Scan, like: Scan | list[Scan]) -> np.ndarray:
    """Histogram matched to the first scan of the reference (Nyul and Udupa's idea with every quantile a landmark)."""
    reference = _as_list(like)[0]
    return histogram_match(scan.raw, reference.raw, scan.raw > 0, reference.raw > 0)


def white_score(scan: Scan, like: Scan | list[Scan]) -> np.ndarray:
    """White matter's mean and deviation to the reference's (z-score by white matter, as WhiteStripe does)."""
    anchor = EXPECTED[scan.kind].anchor

    def stripe(one: Scan) -> tuple[float, float]:
        return float(one.landmarks.levels[anchor]), float(one.landmarks.deviations[anchor])

    mean, deviation = np.median([stripe(one) for one in _as_list(like)], axis=0)
    own_mean, own_deviation = stripe(scan)
    return (scan.raw - own_mean) / own_deviation * deviation + mean


METHODS: dict[str, Method] = {
    "as it came": as_it_came,
    "percentiles": percentile,
    "histogram match": nyul,
    "z-score of white matter": white_score,
    "tissues (`sst harmonise`)": ours,
}


def real_sites(scans: list[Scan]) -> dict:
    """Every scan brought to the first site's look; the site itself by its own other scans."""
    reference = [scan for scan in scans if scan.site == "TCIA01"]
    rows: dict[str, dict] = {}
    classes = {scan.name: tissues_of(scan, scan.flat) for scan in scans}
    for name, method in METHODS.items():
        done = {scan.name: method(scan, [one for one in reference if one is not scan]) for scan in scans}
        means = np.array([[_mean(done[s.name][classes[s.name] == k]) for k in (1, 2, 3)] for s in scans])
        white = means[:, EXPECTED[scans[0].kind].anchor, None]
        order = [_order_kept(scan, done[scan.name]) for scan in scans]
        rows[name] = {
            "variation": _variation(means),
            "variation_to_white": _variation(means / white),
            "tumour_contrast_changed": [
                _contrast(scan, done[scan.name]) - _contrast(scan, scan.flat)
                for scan in scans
                if scan.tumour is not None
            ],
            "volumes_kept": [_volumes_kept(scan, done[scan.name], classes[scan.name]) for scan in scans],
            "order_kept": order,
        }
    return rows


def tissues_of(scan: Scan, image: np.ndarray) -> np.ndarray:
    """uint8 (z, y, x): 1 to 3 from dark to bright by the mixture fitted to this image, 0 outside of the brain."""
    values = image[scan.brain].astype(np.float64)
    air = image[scan.flat <= scan.landmarks.floor]
    floor = float(np.median(air)) if air.size else 0.0
    borders, weights = histogram_of(values - floor)
    found = fit_expected((borders[:-1] + borders[1:]) / 2, weights, EXPECTED[scan.kind])
    result = np.zeros(image.shape, np.uint8)
    result[scan.brain] = found.joint(values - floor).argmax(0) + 1
    return result


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _variation(means: np.ndarray) -> list[float]:
    """(3,) coefficient of variation over scans; a class that a scan lacks counts not."""
    return (np.nanstd(means, 0) / np.nanmean(means, 0)).tolist()


def _contrast(scan: Scan, image: np.ndarray) -> float:
    """Of tumour against the rest of the brain, relative to white matter's level in that image."""
    assert scan.tumour is not None
    rest = image[scan.brain & ~scan.tumour]
    return float(image[scan.tumour].mean() - rest.mean()) / float(np.median(rest))


def _volumes_kept(scan: Scan, image: np.ndarray, classes: np.ndarray) -> float:
    """Largest change of a tissue's volume by the same segmenter, as a share of the brain."""
    after = tissues_of(scan, image)
    total = np.count_nonzero(scan.brain)
    return max(abs(np.count_nonzero(after == k) - np.count_nonzero(classes == k)) / total for k in (1, 2, 3))


def _order_kept(scan: Scan, image: np.ndarray) -> float:
    """Rank correlation of 20,000 voxels of the brain with the scan without its bias field."""
    places = np.flatnonzero(scan.brain)
    chosen = places[np.linspace(0, len(places) - 1, 20_000).astype(int)]
    ranks = [np.argsort(np.argsort(one.ravel()[chosen])) for one in (image, scan.flat)]
    return float(np.corrcoef(*ranks)[0, 1])


def altered(scan: Scan, site: str, seed: int) -> Volume:
    """The scan as another scanner might have taken it."""
    gamma, height, noise, blur, units = PSEUDO_SITES[site]
    random = np.random.default_rng(seed)
    white = float(scan.landmarks.levels[EXPECTED[scan.kind].anchor])
    image = np.maximum(scan.flat, 0) / white
    image = np.where(image > 0, image, 0) ** gamma
    axes = [np.linspace(-1, 1, n) for n in image.shape]
    direction, centre = random.normal(size=3), random.uniform(-0.5, 0.5, 3)
    place = sum(
        d * (a - c).reshape([-1 if i == k else 1 for i in range(3)])
        for k, (a, c, d) in enumerate(zip(axes, centre, direction / np.linalg.norm(direction), strict=True))
    )
    image = image * np.exp(height * np.sin(1.5 * place))
    if blur:
        image = gaussian(image.astype(np.float32), blur, scan.volume.spacing[::-1])
    air = scan.flat <= 0
    real, imaginary = random.normal(scale=noise, size=(2, *image.shape))
    image = np.hypot(image + real, imaginary)
    image[air & (scan.extracted)] = 0
    return scan.volume.with_array((image * units * 100)[None].astype(np.float32))


def pseudo_sites(scans: list[Scan]) -> dict:
    """PSNR to the truth (of 0 to the 99.5th percentile in the brain), and whether a classifier still tells the site."""
    psnr: dict[str, list[float]] = {name: [] for name in METHODS}
    features: dict[str, list[np.ndarray]] = {name: [] for name in METHODS}
    sites: list[int] = []
    patients: list[str] = []
    refused: list[str] = []
    reference = scans[0]
    for number, scan in enumerate(scans):
        for place, site in enumerate(PSEUDO_SITES):
            volume = altered(scan, site, 10 * number + place)
            try:
                landmarks, flat, brain = measure(volume, scan.kind, scan.extracted)
            except InputError as error:
                refused.append(f"{scan.name}, {site}: {error}")
                continue
            other = Scan(
                scan.name, scan.patient, site, scan.kind, scan.extracted, volume, landmarks, flat.array[0], brain, None
            )
            sites.append(place)
            patients.append(scan.patient)
            top = float(np.percentile(scan.flat[scan.brain], 99.5))
            for name, method in METHODS.items():
                error = (method(other, scan) - scan.flat)[scan.brain] / top
                psnr[name].append(float(-10 * np.log10(np.mean(error**2))))
                features[name].append(_features(method(other, reference), scan.brain))
    return {
        name: {
            "psnr": psnr[name],
            "refused": refused,
            "told": _told(np.array(features[name])[:, :LEVELS], np.array(sites), np.array(patients)),
            "told_by_texture_too": _told(np.array(features[name]), np.array(sites), np.array(patients)),
        }
        for name in METHODS
    }


def _features(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """(40,) of the brain: quantiles of intensity and of the steps between neighbours."""
    values = image[brain]
    steps = np.abs(np.diff(image, axis=2))[brain[:, :, 1:] & brain[:, :, :-1]]
    return np.concatenate(
        [np.quantile(values, np.linspace(0.02, 0.98, LEVELS)), np.quantile(steps, np.linspace(0.1, 0.99, 16))]
    )


def _told(features: np.ndarray, sites: np.ndarray, patients: np.ndarray) -> float:
    """Share of scans whose site a linear classifier tells that was fitted to the other patients' scans."""
    right = 0
    for patient in sorted(set(patients)):
        rest = patients != patient
        mean, deviation = features[rest].mean(0), features[rest].std(0) + 1e-9
        x, x_out = (features[rest] - mean) / deviation, (features[~rest] - mean) / deviation
        x, x_out = (np.column_stack([one, np.ones(len(one))]) for one in (x, x_out))
        targets = np.eye(sites.max() + 1)[sites[rest]]
        weights = np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]), x.T @ targets)
        right += int((np.argmax(x_out @ weights, 1) == sites[~rest]).sum())
    return right / len(sites)


def table(results: dict) -> str:
    """Markdown, a table a contrast."""
    lines = []
    for contrast, found in results.items():
        lines += ["", f"{contrast}, {found['scans']} scans of {found['sites']} sites", ""]
        lines += [
            "| | PSNR to the truth (dB) | site told by grey values (chance 25 %) | ... and texture "
            "| tissues to white matter vary by "
            "| tumour contrast changes by | tissue volumes change by | order of voxels |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for name in METHODS:
            real, pseudo = found["real"][name], found["pseudo"][name]
            psnr, kept = np.array(pseudo["psnr"]), np.array(real["tumour_contrast_changed"])
            to_white = [f"{100 * share:.0f}" for share in real["variation_to_white"] if share > 1e-6]
            told = f"{100 * pseudo['told']:.0f} % | {100 * pseudo['told_by_texture_too']:.0f} %"
            changed = f"{np.median(np.abs(kept)):.2f} (at most {np.abs(kept).max():.2f})"
            lines.append(
                f"| {name} | {psnr.mean():.1f} ± {psnr.std():.1f} | {told} "
                f"| {', '.join(to_white)} % | {changed} "
                f"| {100 * np.median(real['volumes_kept']):.1f} % | {np.median(real['order_kept']):.3f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure, print the tables, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--contrasts", nargs="*", default=list(FILES))
    given = parser.parse_args()
    results = json.loads(given.result.read_text()) if given.result.exists() else {}
    for contrast in given.contrasts:
        begun = time.process_time()
        paths = [path for pattern in FILES[contrast] for path in sorted(given.data.glob(pattern))]
        names = tuple(patient.removeprefix("mni-") for patient in CHECK_PATIENTS)
        scans = [load(path) for path in paths if not path.name.startswith(names)]
        results[contrast] = {
            "scans": len(scans),
            "sites": len({scan.site for scan in scans}),
            "real": real_sites(scans),
            "pseudo": pseudo_sites(scans[:12]),
        }
        results[contrast]["seconds"] = time.process_time() - begun
        given.result.write_text(json.dumps(results, indent=1))
        print(contrast, round(results[contrast]["seconds"]), "s", flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
