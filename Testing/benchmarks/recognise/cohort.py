"""The real images that the recogniser learns from and is judged on, with what each shows and where it was taken."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.recognise.patches import working_grid
from surgical_style_engine.volumes.volume import Volume

CHECK = ("patient04", "mni-patient07", "TCIA02_370_1", "CBICA_AQN_1")  # no part in any choice
CONTRASTS = {
    "T1": "T1w",
    "T1W": "T1w",
    "T1C": "T1w-Gd",
    "T1POST": "T1w-Gd",
    "T2": "T2w",
    "T2W": "T2w",
    "FLAIR": "FLAIR",
}
# Sites (of pictures and radiographs, of which there is one collection each, images) that are left out together, so that
# four trainings judge all. Without either CT, radiographs or pictures nothing would be left to learn them from.
FOLDS = {
    "a": ("TCIA01", "ct-body", "starry_night"),
    "b": ("CBICA", "TCIA10", "ICBM", "the_scream"),
    "c": ("TCIA02", "TCIA03", "TCIA13", "London", "ct-brain", "shipwreck", "nih_00000001_000"),
    "d": ("Ljubljana", "nih_00027426_000"),
}


@dataclass(frozen=True, eq=False)
class Image:
    """One image.

    Attributes:
        name: for people.
        truth: T1w, T1w-Gd, T2w, FLAIR, CT, radiograph or picture.
        site: where it was taken.
        patient: of whom.
        extracted: whether only the brain is left.
        path: of its file; None for the template that the package nilearn carries.
    """

    name: str
    truth: str
    site: str
    patient: str
    extracted: bool
    path: Path | None

    def read(self) -> Volume:
        """The volume, in grey."""
        if self.path is None:
            from training_cli.pictures.demo_volume import icbm152

            return icbm152()[0]
        volume = read_volume(self.path)
        return volume if volume.channels == 1 else volume.with_array(volume.array.mean(axis=0, keepdims=True))


def images(data: Path) -> list[Image]:
    """All images of the folder of real data, the check patients' too."""
    found = []
    for path in sorted(data.glob("brats/*.nii.gz")):
        patient, _, kind = path.name.removesuffix(".nii.gz").rpartition("_")
        if kind in CONTRASTS:
            found.append(Image(path.stem, CONTRASTS[kind], patient.split("_")[0], patient, True, path))
    for path in sorted(data.glob("open-ms/*/*.nii.gz")):
        parts = path.name.removesuffix(".nii.gz").split("_")
        extracted = path.parent.name == "mni"
        if parts[-1] in CONTRASTS:
            patient = f"mni-{parts[0]}" if extracted else parts[0]
            found.append(Image(path.stem, CONTRASTS[parts[-1]], "Ljubljana", patient, extracted, path))
    found.append(Image("vs-seg-001", "T1w-Gd", "London", "vs-seg-001", False, data / "dicom" / "vs-seg-001"))
    found.append(Image("icbm152", "T1w", "ICBM", "icbm152", True, None))
    found.append(Image("ct-body", "CT", "ct-body", "ct-body", False, data / "ct" / "totalseg_example_ct.nii.gz"))
    found.append(Image("ct-brain", "CT", "ct-brain", "ct-brain", True, data / "ct" / "ct_brain_atlas_1mm.nii.gz"))
    found += [Image(path.stem, "radiograph", "NIH", path.stem, False, path) for path in (data / "xray").glob("*.png")]
    found += [Image(path.stem, "picture", "art", path.stem, False, path) for path in (data / "art").glob("*.jpg")]
    return found


def same_person(patient: str) -> str:
    """Patients of one hospital keep their number in another preprocessing."""
    return re.sub("^mni-", "", patient)


@dataclass(eq=False)
class Grid:
    """What training takes patches from.

    Attributes:
        values: (z, y, x) float16 in [0, 1] between the 0.5 and 99.5 percentiles of the body.
        depth: (z, y, x) float16, share of the largest depth.
        body: bool (z, y, x).
        planes: axes that slices are taken across.
        spacing: (x, y, z) in mm.
        least: depth from which on patches are taken; 0 for pictures and radiographs, of which any place will do.
    """

    values: np.ndarray
    depth: np.ndarray
    body: np.ndarray
    planes: tuple[int, ...]
    spacing: tuple[float, float, float]
    least: float = 0.5
    _places: dict[int, list] = field(default_factory=dict)

    def places(self, axis: int) -> list[tuple[int, tuple]]:
        """Slices across an axis that hold something deep: their number, and the middle, rows and columns of that."""
        if axis not in self._places:
            depth = np.moveaxis(self.depth, axis, 0)
            places = []
            for index in np.flatnonzero((depth >= self.least).any(axis=(1, 2))).tolist():
                rows, columns = (part.astype(np.int16) for part in np.nonzero(depth[index] >= self.least))
                places.append((index, ((float(rows.mean()), float(columns.mean())), rows, columns)))
            self._places[axis] = places
        return self._places[axis]


def grid_of(volume: Volume) -> Grid:
    """A volume as training wants it."""
    working = working_grid(volume)
    values = working.volume.array[0]
    low, high = np.percentile(values[working.body], (0.5, 99.5))
    deepest = max(float(working.depth.max()), 1e-6)
    scaled = np.clip((values - low) / max(high - low, 1e-6), -1, 3)
    depth = (working.depth / deepest).astype(np.float16)
    values = scaled.astype(np.float16)
    return Grid(values, depth, working.body, working.planes, working.volume.spacing, _least(values))


def _least(values: np.ndarray) -> float:
    return 0.0 if 1 in values.shape else 0.5


def _kept(path: Path, make: Callable[[], Grid]) -> Grid:
    """A grid that is kept in a file, and made where there is none."""
    if not path.exists():
        grid = make()
        np.savez(
            path,
            values=grid.values,
            depth=grid.depth,
            body=grid.body,
            planes=np.array(grid.planes),
            spacing=np.array(grid.spacing),
        )
    with np.load(path) as stored:
        planes, spacing = tuple(stored["planes"].tolist()), tuple(stored["spacing"].tolist())
        values = stored["values"]
        return Grid(values, stored["depth"], stored["body"], planes, spacing, _least(values))


def healed(image: Image, volume: Volume) -> Volume | None:
    """The volume with the tumour replaced by the other side of the head: gliomas must not tell FLAIR from T2w.

    The cases lie straight in their boxes, so that the other side is the mirrored one. None where no tumour is drawn.
    """
    if image.path is None or image.path.parent.name != "brats":
        return None
    labels = read_volume(image.path.with_name(f"{image.patient}_tumour.nii.gz")).array[0] > 0
    if not labels.any():
        return None
    array = volume.array.copy()
    mirrored = array[..., ::-1]
    inside = binary_dilation(labels, iterations=3)[None] & (mirrored > 0)
    array[inside] = mirrored[inside]
    return volume.with_array(array)


def load_healed(data: Path, cache: Path) -> list[tuple[Image, Grid]]:
    """The grids of images whose tumour was replaced, kept in a folder."""
    cache.mkdir(parents=True, exist_ok=True)
    loaded = []
    for image in images(data):
        path = cache / f"{image.name}.npz"
        if image.patient in CHECK or image.path is None or image.path.parent.name != "brats":
            continue
        volume = None if path.exists() else healed(image, image.read())
        if path.exists() or volume is not None:
            loaded.append((image, _kept(path, lambda volume=volume: grid_of(volume))))
    return loaded


def load(data: Path, cache: Path) -> list[tuple[Image, Grid]]:
    """All images with their grids, which are kept in a folder."""
    cache.mkdir(parents=True, exist_ok=True)
    loaded = []
    for image in images(data):
        path = cache / f"{image.name}.npz"
        loaded.append((image, _kept(path, lambda image=image: grid_of(image.read()))))
    return loaded
