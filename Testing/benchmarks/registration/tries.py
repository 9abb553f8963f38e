"""The tries: which patient, which two contrasts, and the known motion or deformation between them.

Patients are those that the model of a fold left out. The moving contrast is brought to a grid of its own by the known
transform, so that neither grid nor header gives the motion away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.volumes.volume import Volume

from ..quality.data import CHECK_PATIENTS, Scene, site_of
from ..quality.protocol import FOLDS

PAIRS = (("T1w", "T2w"), ("T2w", "T1w"), ("T1w", "FLAIR"), ("FLAIR", "T1w"))  # (fixed, moving)
COUNTS = {"rigid": 200, "deformable": 50, "far": 20, "turned": 20}  # tries of a kind
SEEDS = {"deformable": 0, "rigid": 1, "far": 2, "turned": 3}  # beside the number
MOTIONS = {  # (mm, degrees), from and to
    "rigid": ((0.0, 30.0), (0.0, 25.0)),
    "far": ((30.0, 60.0), (25.0, 60.0)),
    "turned": ((0.0, 30.0), (60.0, 120.0)),
}
LEAST_DEFORMED_MM, MOST_DEFORMED_MM = 3.0, 8.0  # largest displacement in the body
SMOOTH_MM = (14.0, 26.0)  # Gaussian of the noise that displacements are made of
FIELD_MM = 4.0  # grid of a displacement field
MARGIN_MM, FAR_MARGIN_MM = 20.0, 60.0  # around the fixed grid, of the moving one
THICK_MM = 3.0  # slices of every other moving volume
UNITS = 500.0  # of the volumes for each normalised one
POINTS = 3000  # in the brain, where errors are measured
HEADS = ("patient01", "patient03")  # left-out patients with whole heads
Points = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Try:
    """A registration to be done.

    Attributes:
        number: It is its seed, too.
        kind: "rigid", "far" or "turned" (rigid as well, but further), or "deformable".
        scene: Name of the file in the cohort.
        fold: Whose model left the patient out; "" for check patients and shipped models.
        fixed: Contrast.
        moving: Contrast.
    """

    number: int
    kind: str
    scene: str
    fold: str
    fixed: str
    moving: str

    @property
    def key(self) -> str:
        """Names it in the results."""
        return f"{self.kind}-{self.number:03d}"

    @property
    def sought(self) -> str:
        """The kind of transform."""
        return "deformable" if self.kind == "deformable" else "rigid"


@dataclass(frozen=True, eq=False)
class Made:
    """What a try gives to the methods, and what they are judged by.

    Attributes:
        fixed: Volume.
        moving: Volume.
        points: (n, 3) mm LPS in the fixed volume's brain.
        truth: (n, 3) where they lie in the moving volume.
        moved_mm: Mean distance between both.
    """

    fixed: Volume
    moving: Volume
    points: np.ndarray
    truth: np.ndarray

    @property
    def moved_mm(self) -> float:
        return float(np.linalg.norm(self.truth - self.points, axis=1).mean())

    def errors(self, transform: Points) -> np.ndarray:
        """(n,) mm, of a transform from points of the fixed volume to points of the moving one."""
        return np.linalg.norm(transform(self.points) - self.truth, axis=1)


def fold_of(patient: str) -> str:
    """The fold whose models left a patient out; "" for none."""
    return next((fold for fold, names in FOLDS.items() if site_of(patient) in names or patient in names), "")


def scenes_of(cohort: Path, checks: bool) -> list[tuple[str, str]]:
    """(scene, fold) of all that can be tried: one a brain-extracted patient, one a raw study with its T1w grid."""
    found = []
    for path in sorted(cohort.glob("*.npz")):
        patient = path.stem.split("_study")[0]
        raw = "_study" in path.stem
        if (patient in CHECK_PATIENTS) != checks or (raw and not path.stem.endswith("T1w_head")):
            continue
        fold = "" if checks else fold_of(patient)
        if checks or fold:
            found.append((path.stem, fold))
    return found


def tries_of(cohort: Path, kind: str, count: int, checks: bool = False) -> list[Try]:
    """Scene after scene, pair after pair, so that the first ones are a fair sample."""
    scenes = scenes_of(cohort, checks)
    if kind == "deformable":  # whole heads were laid over each other by mutual information: no truth to a millimetre
        scenes = [entry for entry in scenes if "_head" not in entry[0]]
    order = [(scene, fold, pair) for pair in PAIRS for scene, fold in scenes]
    tries = []
    for number in range(count):
        scene, fold, pair = order[(number + number // len(order)) % len(order)]
        tries.append(Try(number, kind, scene, fold, *pair))
    return tries


def make(one: Try, cohort: Path) -> Made:
    """The volumes of a try and its truth."""
    scene = Scene.load(cohort / f"{one.scene}.npz")
    random = np.random.default_rng([one.number, SEEDS[one.kind]])
    spacing = (1.0, 1.0, scene.slice_mm)
    fixed, source = (_volume(scene.images[name], spacing) for name in (one.fixed, one.moving))
    points = _points(scene.body, spacing, random)
    if one.sought == "rigid":
        transform = _rigid(random, points.mean(0), *MOTIONS[one.kind])
        truth = np.array([transform.TransformPoint(point.tolist()) for point in points])
        back = transform.GetInverse()
    else:
        back, truth = _deformed(random, scene.body, spacing, points)
    thick = THICK_MM if one.number % 2 and scene.slice_mm < THICK_MM else scene.slice_mm
    margin = FAR_MARGIN_MM if one.kind in ("far", "turned") else MARGIN_MM
    return Made(fixed, _moved(source, back, thick, margin), points, truth)


def _volume(image: np.ndarray, spacing: tuple[float, float, float]) -> Volume:
    return Volume(((image.astype(np.float32) + 1) * UNITS)[None], spacing)


def _points(body: np.ndarray, spacing: tuple[float, float, float], random: np.random.Generator) -> np.ndarray:
    places = np.argwhere(body)
    chosen = places[random.choice(len(places), min(POINTS, len(places)), replace=False)]
    return chosen[:, ::-1] * np.asarray(spacing)


def _rigid(
    random: np.random.Generator, centre: np.ndarray, mm: tuple[float, float], degrees: tuple[float, float]
) -> sitk.VersorRigid3DTransform:
    """Uniform in angle and distance, about any axis and in any direction."""
    axis, direction = (vector / np.linalg.norm(vector) for vector in random.normal(size=(2, 3)))
    versor = sitk.VersorRigid3DTransform()
    versor.SetCenter(centre.tolist())
    versor.SetRotation(axis.tolist(), float(np.radians(random.uniform(*degrees))))
    versor.SetTranslation((direction * random.uniform(*mm)).tolist())
    return versor


def _deformed(
    random: np.random.Generator, body: np.ndarray, spacing: tuple[float, float, float], points: np.ndarray
) -> tuple[sitk.Transform, np.ndarray]:
    """(points of the moving volume -> points of the source, where the points of the fixed one lie in the moving)."""
    extent = np.array(body.shape[::-1]) * spacing + 2 * MARGIN_MM
    size = np.ceil(extent / FIELD_MM).astype(int) + 1
    smooth = random.uniform(*SMOOTH_MM)
    noise = sitk.GetImageFromArray(random.normal(size=(*size[::-1], 3)), isVector=True)
    noise.SetSpacing([FIELD_MM] * 3)
    noise.SetOrigin([-MARGIN_MM] * 3)
    parts = [sitk.SmoothingRecursiveGaussian(sitk.VectorIndexSelectionCast(noise, k), smooth) for k in range(3)]
    array = np.stack([sitk.GetArrayFromImage(part) for part in parts], -1)
    inside = np.argwhere(body)[::50, ::-1] * np.asarray(spacing)
    index = np.round((inside + MARGIN_MM) / FIELD_MM).astype(int)
    largest = np.linalg.norm(array[index[:, 2], index[:, 1], index[:, 0]], axis=1).max()
    array *= random.uniform(LEAST_DEFORMED_MM, MOST_DEFORMED_MM) / largest
    field = sitk.GetImageFromArray(array.astype(np.float64), isVector=True)
    field.CopyInformation(noise)
    back = sitk.DisplacementFieldTransform(field)
    truth = points.copy()
    for _ in range(30):  # the inverse, as the fixed point of y = x - u(y)
        moved = np.array([back.TransformPoint(point.tolist()) for point in truth])
        truth += points - moved
    return back, truth


def _moved(source: Volume, back: sitk.Transform, thick_mm: float, margin_mm: float) -> Volume:
    """The source where a transform takes it, on a grid of its own; back: its points -> points of the source."""
    image = source.to_sitk()
    spacing = (*source.spacing[:2], thick_mm)
    size = [
        int(np.ceil((n * mm + 2 * margin_mm) / new))
        for n, mm, new in zip(source.size, source.spacing, spacing, strict=True)
    ]
    if thick_mm > source.spacing[2]:  # a thick slice is a mean
        image = sitk.RecursiveGaussian(image, 0.4 * thick_mm, direction=2)
    frame = sitk.Image(size, sitk.sitkFloat32)
    frame.SetSpacing(spacing)
    frame.SetOrigin([-margin_mm] * 3)
    moved = sitk.GetArrayFromImage(sitk.Resample(image, frame, back, sitk.sitkLinear, 0.0))
    return Volume(np.maximum(moved, 0)[None], spacing, (-margin_mm,) * 3)
