"""Left-out patients of a direction, translated by the models of their folds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.inference.ensemble import variants_of
from surgical_style_engine.inference.plane_job import MULTIPLE
from surgical_style_engine.volumes.slices import pad_to_multiple
from training_cli.calibration.samples import Patient, Scan, scan_of

from ..data import Scene
from ..protocol import left_out
from ..sampling import STACK_MM
from ..ship import all_of

SLICES = 12  # of a scan
TELLING = ("T1w", "T2w", "FLAIR", "T1w-Gd")  # which contrast tells the tissues, the best first


@dataclass(frozen=True)
class FoldModel:
    """A network that was trained without the patients of a fold."""

    fold: str
    network: torch.nn.Module
    stack: int


def fold_models(folder: Path, source: str, target: str) -> list[FoldModel]:
    """The models of a direction in ``folder/<fold>/.../<source>_<target>``: of each fold the one trained longest.

    Each is a folder of ``ship`` (``progress.json`` and ``averaged.safetensors``).
    """
    models = []
    for fold in sorted(path for path in folder.iterdir() if path.is_dir()):
        ended = []
        for path in fold.glob(f"**/{source}_{target}/progress.json".lower()):
            progress = json.loads(path.read_text(encoding="utf-8"))
            if (progress["source"], progress["target"]) == (source, target) and progress["seconds"] >= 0.95 * progress[
                "budget"
            ]:
                ended.append((all_of(progress)["seconds"], path.parent, progress["settings"]))
        if ended:
            _, place, settings = max(ended, key=lambda entry: entry[:2])
            models.append(FoldModel(fold.name, _network(place, settings), settings["sampler"].get("stack", 3)))
    return models


def _network(folder: Path, settings: dict) -> torch.nn.Module:
    from safetensors.torch import load_file

    from surgical_style_engine.networks import build_generator

    network = build_generator(settings["generator"], **settings["network"]).eval().requires_grad_(False)
    network.load_state_dict({key: value.float() for key, value in load_file(folder / "averaged.safetensors").items()})
    return network


def patients_of(scenes: list[Scene], models: list[FoldModel], source: str, target: str, full: bool) -> list[Patient]:
    """Every patient that a model leaves out and that has both contrasts, translated by that model."""
    patients: dict[str, Patient] = {}
    for model in models:
        for scene in scenes:
            if source in scene.own and target in scene.images and left_out(scene, model.fold):
                patient = patients.setdefault(scene.patient, Patient(scene.patient, model.fold, scene.site))
                patient.scans.append(scan(model.network, scene, source, target, model.stack, full))
    return list(patients.values())


def scan(network: torch.nn.Module, scene: Scene, source: str, target: str, stack: int, full: bool):
    """The voxels of a scene's chosen slices."""
    usable = np.flatnonzero(scene.body.mean(axis=(1, 2)) > 0.03)
    chosen = usable[np.linspace(0, len(usable) - 1, min(SLICES, len(usable))).astype(int)]
    variants = translated(network, scene, source, chosen, stack, full)
    disagreement = np.std(variants, axis=0, dtype=np.float32) if full else None
    return scan_of_slices(scene, chosen, (source, target), variants[0], disagreement)


def scan_of_slices(
    scene: Scene,
    chosen: np.ndarray,
    ways: tuple[str, str],
    output: np.ndarray,
    disagreement: np.ndarray | None = None,
) -> Scan:
    """The voxels of chosen slices (n,) and their translation (n, h, w) between two contrasts."""
    own, real = (scene.images[name][chosen].astype(np.float32) for name in ways)
    body = scene.body[chosen]
    tumour = np.zeros(body.shape, bool)
    if scene.labels is not None and scene.site != "Ljubljana":
        tumour = (scene.labels[chosen] > 0) & body
    telling = next(name for name in TELLING if name in scene.images)
    tissue_image = scene.images[telling][chosen].astype(np.float32)
    return scan_of((own, output, real), body, tumour, tissue_image, disagreement)


def translated(
    network: torch.nn.Module, scene: Scene, source: str, chosen: np.ndarray, stack: int, full: bool
) -> np.ndarray:
    """(variants, n, h, w) float32: the chosen slices as they are, and with ``full`` in an ensemble's variants."""
    step = max(1, round(STACK_MM / scene.slice_mm))
    variants = variants_of("axial", ensemble=full)
    images = np.empty((len(variants), len(chosen), *scene.body.shape[1:]), np.float32)
    with torch.inference_mode():
        for place, z in enumerate(chosen):
            slices = np.clip(z + (np.arange(stack) - stack // 2) * step, 0, len(scene.body) - 1)
            image = scene.images[source][slices].astype(np.float32)[None]
            for number, variant in enumerate(variants):
                padded, crop = pad_to_multiple(variant.apply(image), MULTIPLE)
                out = network(torch.from_numpy(padded))
                middle = out[:, out.shape[1] // 2 : out.shape[1] // 2 + 1].numpy()[crop]
                images[number, place] = variant.undo(middle, image.shape[-2:])[0, 0]
    return np.clip(images, -1, 1)
