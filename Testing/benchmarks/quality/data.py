"""The cohort: every patient's contrasts on one grid, normalised as the engine does it, cached on disk.

``python -m Testing.benchmarks.quality.data --data ../shared/data --cache runs/cohort`` makes the cache and, beside it,
one picture a scene to look at. Images stay out of the repository.

A *scene* is one grid of one patient's study with all contrasts that could be laid on it: brain-extracted volumes of one
grid are one scene each; a raw study is one scene for each of its contrasts, whose own slices then are the grid, so that
this contrast is as sharp as it was scanned. Raw scenes come twice, as whole heads and with the brain alone.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

CONTRASTS = ("T1w", "T1w-Gd", "T2w", "FLAIR")
CHECK_PATIENTS = ("patient04", "mni-patient07", "TCIA02_370_1", "CBICA_AQN_1")  # judged once, never chosen by
BRATS_NAMES = {"T1w": "T1", "T1w-Gd": "T1C", "T2w": "T2", "FLAIR": "FLAIR"}
MNI_NAMES = {"T1w": "T1", "T1w-Gd": "T1POST", "T2w": "T2", "FLAIR": "FLAIR"}
RAW_NAMES = {"T1w": "T1W", "T2w": "T2W", "FLAIR": "FLAIR"}
# Their brain masks do not fit the scans (seen in the pictures: by a centimetre and more): whole heads only.
UNFIT_MASKS = ("patient03", "patient19")
MARGIN = 8  # pixels kept around the body, as ``sst translate`` keeps them
PIXEL_MM = 1.0


@dataclass
class Scene:
    """One grid of one study.

    images: contrast name to (s, h, w) float16 in [-1, 1], axial, PIXEL_MM in plane. body: (s, h, w) bool, union of the
    contrasts' bodies within all fields of view. labels: (s, h, w) uint8 of tumour or lesions, or None. own: the
    contrasts that lie on their own grid (all, or the one that the others were moved to). whole: with skull and scalp.
    """

    name: str
    patient: str
    site: str
    slice_mm: float
    whole: bool
    own: tuple[str, ...]
    images: dict[str, np.ndarray]
    body: np.ndarray
    labels: np.ndarray | None = None
    notes: dict = field(default_factory=dict)

    @property
    def contrasts(self) -> tuple[str, ...]:
        return tuple(self.images)

    def save(self, folder: Path) -> None:
        arrays = {f"image_{key}": value.astype(np.float16) for key, value in self.images.items()}
        if self.labels is not None:
            arrays["labels"] = self.labels
        info = {
            "name": self.name,
            "patient": self.patient,
            "site": self.site,
            "slice_mm": self.slice_mm,
            "whole": self.whole,
            "own": list(self.own),
            "notes": self.notes,
        }
        np.savez(folder / f"{self.name}.npz", body=self.body, info=json.dumps(info), **arrays)

    @staticmethod
    def load(path: Path) -> Scene:
        with np.load(path) as stored:
            info = json.loads(str(stored["info"]))
            images = {key[6:]: stored[key] for key in stored.files if key.startswith("image_")}
            labels = stored["labels"] if "labels" in stored.files else None
            return Scene(images=images, body=stored["body"], labels=labels, **{**info, "own": tuple(info["own"])})


def load_cohort(cache: Path, checks: bool = False) -> list[Scene]:
    """All training scenes, or all check scenes, from the cache."""
    scenes = [Scene.load(path) for path in sorted(cache.glob("*.npz"))]
    return [scene for scene in scenes if (scene.patient in CHECK_PATIENTS) == checks]


def site_of(patient: str) -> str:
    """The hospital: of BraTS the number behind TCIA or CBICA, else Ljubljana."""
    return patient.split("_")[0] if patient.startswith(("TCIA", "CBICA")) else "Ljubljana"


def build(data: Path, cache: Path, only: str = "") -> None:
    """Read, register, normalise and store every scene that the cache lacks."""
    cache.mkdir(parents=True, exist_ok=True)
    for patient, build_scenes in _patients(data).items():
        if only and only not in patient:
            continue
        marker = cache / f"{patient}.done"
        if marker.exists():
            continue
        for scene in build_scenes():
            scene.save(cache)
            montage(scene, cache / f"{scene.name}.png")
            print(scene.name, scene.body.shape, scene.contrasts, scene.notes, flush=True)
        marker.touch()


def _patients(data: Path) -> dict:
    found = {}
    for path in sorted((data / "brats").glob("*_T1.nii.gz")):
        patient = path.name.removesuffix("_T1.nii.gz")
        found[patient] = lambda patient=patient: _registered(
            patient, data / "brats", f"{patient}_", BRATS_NAMES, f"{patient}_tumour.nii.gz"
        )
    for number in ("07", "19"):
        found[f"mni-patient{number}"] = lambda number=number: _registered(
            f"mni-patient{number}",
            data / "open-ms" / "mni",
            f"patient{number}_",
            MNI_NAMES,
            f"patient{number}_lesions.nii.gz",
        )
    raw = data / "open-ms" / "longitudinal"
    for patient in sorted({path.name.split("_")[0] for path in raw.glob("patient*_study*")}):
        found[patient] = lambda patient=patient: _raw(patient, raw)
    return found


def _registered(patient: str, folder: Path, prefix: str, names: dict, labels_name: str) -> list[Scene]:
    """The one scene of a patient whose contrasts share a grid."""
    from surgical_style_engine.imageio.read import read_volume
    from surgical_style_engine.volumes.body_mask import body_mask

    volumes = {contrast: read_volume(folder / f"{prefix}{name}.nii.gz") for contrast, name in names.items()}
    body = np.zeros(next(iter(volumes.values())).array.shape[1:], bool)
    for volume in volumes.values():
        body |= body_mask(volume)
    labels = read_volume(folder / labels_name).array[0]
    images, slice_mm = {}, 1.0
    for contrast, volume in volumes.items():
        images[contrast], slice_mm = _axial(volume, _landmarks(volume))
    scene = Scene(
        patient,
        patient,
        site_of(patient),
        slice_mm,
        False,
        tuple(images),
        images,
        _axial_labels(next(iter(volumes.values())), body) > 0.5,
        np.round(_axial_labels(next(iter(volumes.values())), labels, nearest=True)).astype(np.uint8),
    )
    return [_cut(scene)]


def _raw(patient: str, folder: Path) -> list[Scene]:
    """Scenes of a patient's raw studies: whole and brain, on the grid of each contrast."""
    from surgical_style_engine.imageio.read import read_volume
    from surgical_style_engine.volumes.resampling import labels_like

    brain = read_volume(folder / f"{patient}_brainmask.nii.gz")
    studies = sorted({path.name.split("_")[1] for path in folder.glob(f"{patient}_study*")})
    volumes = {
        (study, contrast): read_volume(path)
        for study in studies
        for contrast, name in RAW_NAMES.items()
        if (path := folder / f"{patient}_{study}_{name}.nii.gz").exists()
    }
    scenes = []
    for (study, own), fixed in volumes.items():
        moved, notes = {own: (fixed, np.ones(fixed.array.shape[1:], bool), _landmarks(fixed))}, {}
        for contrast in RAW_NAMES:
            # A contrast that this study lacks comes from the other one: the same head, some months apart.
            others = [key for key in volumes if key[1] == contrast]
            if contrast == own or not others:
                continue
            key = (study, contrast) if (study, contrast) in others else others[0]
            moving = volumes[key]
            result, image, covered = _laid_on(fixed, moving)
            notes[contrast] = {
                "study": key[0],
                "rotation_deg": round(result.rotation_deg, 2),
                "mm": round(result.translation_mm, 2),
                "metric": round(result.metric, 3),
                "chance": round(result.chance, 3),
                "start": result.initializer,
            }
            if result.found_common:
                moved[contrast] = (image, covered, _landmarks(moving))
        if len(moved) == 1:
            continue
        inside = labels_like(brain, fixed).array[0] > 0
        for whole in (True,) if patient in UNFIT_MASKS else (True, False):
            scenes.append(_raw_scene(patient, study, own, moved, notes, None if whole else inside))
    return scenes


def _raw_scene(patient, study, own, moved, notes, inside) -> Scene:
    from surgical_style_engine.volumes.body_mask import body_mask

    fixed = moved[own][0]
    body, valid, images, slice_mm = np.zeros(fixed.array.shape[1:], bool), None, {}, 1.0
    for contrast, (volume, covered, landmarks) in moved.items():
        if inside is not None:
            volume = volume.with_array(np.where(inside, volume.array, 0).astype(volume.array.dtype))
            landmarks = _landmarks(volume)
        body |= body_mask(volume) if inside is None else inside
        valid = covered if valid is None else valid & covered
        images[contrast], slice_mm = _axial(volume, landmarks)
    body = _axial_labels(fixed, body & valid) > 0.5
    kind = "head" if inside is None else "brain"
    return _cut(
        Scene(
            f"{patient}_{study}_{own}_{kind}",
            patient,
            site_of(patient),
            slice_mm,
            inside is None,
            (own,),
            images,
            body,
            notes=notes,
        )
    )


def _laid_on(fixed, moving):
    """(registration, moving volume on the fixed grid by cubic splines, where it has voxels)."""
    import SimpleITK as sitk

    from surgical_style_engine.volumes.registration import register_rigid
    from surgical_style_engine.volumes.volume import Volume

    background = float(np.percentile(moving.array, 0.1))
    result = register_rigid(fixed, moving, default=background)
    source = sitk.Cast(moving.to_sitk(), sitk.sitkFloat32)
    image = sitk.Resample(source, fixed.to_sitk(), result.transform, sitk.sitkBSpline, background)
    volume = Volume.from_sitk(image)
    low, high = float(moving.array.min()), float(moving.array.max())
    return result, volume.with_array(np.clip(volume.array, low, high)), result.coverage


def _landmarks(volume):
    from surgical_style_engine.volumes.normalization import RobustPercentile

    return RobustPercentile().fit(volume.array)


def _axial(volume, landmarks) -> tuple[np.ndarray, float]:
    """((s, h, w) float32 normalised axial slices at PIXEL_MM, distance of slices in mm), as ``sst translate`` does."""
    from surgical_style_engine.volumes import geometry
    from surgical_style_engine.volumes.resampling import model_size, resize_in_plane

    canonical, _ = geometry.to_canonical(volume)
    array = landmarks.forward(geometry.plane_first(canonical.array, "axial"))
    slice_mm, *pixel = geometry.plane_spacing(canonical.spacing, "axial")
    size = model_size(array.shape[-2:], tuple(pixel), PIXEL_MM)
    if size != array.shape[-2:]:
        array = resize_in_plane(array, size)
    return np.clip(array[0], -1, 1), float(slice_mm)


def _axial_labels(like, labels: np.ndarray, nearest: bool = False) -> np.ndarray:
    """Labels or a mask (z, y, x) as axial slices at PIXEL_MM."""
    from surgical_style_engine.volumes import geometry
    from surgical_style_engine.volumes.resampling import model_size, resize_in_plane

    canonical, _ = geometry.to_canonical(like.with_array(labels[None].astype(np.float32)))
    array = geometry.plane_first(canonical.array, "axial")
    _, *pixel = geometry.plane_spacing(canonical.spacing, "axial")
    size = model_size(array.shape[-2:], tuple(pixel), PIXEL_MM)
    if size != array.shape[-2:]:
        array = resize_in_plane(array, size)
    return array[0]


def _cut(scene: Scene) -> Scene:
    """The scene cut to its body with MARGIN in plane, and to the slices that hold one."""
    kept = np.flatnonzero(scene.body.any(axis=(1, 2)))
    rows, columns = (np.flatnonzero(scene.body.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    h, w = scene.body.shape[1:]
    box = (
        slice(int(kept[0]), int(kept[-1]) + 1),
        slice(max(0, int(rows[0]) - MARGIN), min(h, int(rows[-1]) + 1 + MARGIN)),
        slice(max(0, int(columns[0]) - MARGIN), min(w, int(columns[-1]) + 1 + MARGIN)),
    )
    scene.images = {key: value[box] for key, value in scene.images.items()}
    scene.body = scene.body[box]
    scene.labels = None if scene.labels is None else scene.labels[box]
    return scene


def montage(scene: Scene, path: Path) -> None:
    """A picture of a scene: five slices of every contrast, the body's edge in the first row."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    chosen = np.linspace(0.12, 0.92, 6) * (len(scene.body) - 1)
    figure, axes = plt.subplots(len(scene.images), 6, figsize=(12, 2.2 * len(scene.images)), squeeze=False)
    for row, (contrast, array) in enumerate(scene.images.items()):
        for axis, index in zip(axes[row], chosen.astype(int), strict=True):
            axis.imshow(array[index].astype(np.float32), cmap="gray", vmin=-1, vmax=1)
            if row == 0:
                axis.contour(scene.body[index], [0.5], colors="r", linewidths=0.4)
            else:
                first = next(iter(scene.images.values()))[index].astype(np.float32)
                axis.contour(first, [0.0], colors="y", linewidths=0.3)
            if scene.labels is not None and scene.labels[index].any() and row == len(scene.images) - 1:
                axis.contour(scene.labels[index] > 0, [0.5], colors="c", linewidths=0.4)
            axis.axis("off")
        axes[row][0].set_title(f"{scene.name} {contrast}", fontsize=7)
    figure.subplots_adjust(0, 0, 1, 0.95, 0.01, 0.06)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    build(arguments.data, arguments.cache, arguments.only)


if __name__ == "__main__":
    main()
