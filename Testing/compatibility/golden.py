"""What is computed, case by case, from the fixtures of a version: the same calls make and check golden.json.

A case is an array, or numbers and words as JSON. Of an array are kept its shape, type, digest, mean, deviation and some
voxels: with the same libraries on the same kind of processor the digest has to be the same, elsewhere the values within
a tolerance that is relative to the largest of them.

The results of "register" are not those of then: 0.1.0 compared images half a voxel beside their places, and turned by
5.807 degrees what had been turned by 5.825 (5.830 since).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import entry_points as engine
import numpy as np

KEPT = 96  # voxels of an array
TOLERANCE = 1e-5
# Where small differences grow: an optimisation, a training's steps, ranks and bins of nearly equal values.
TOLERANCES = {
    "stylize": 2e-3,
    "train": 1e-3,
    "register": 1e-3,
    "translate/matched": 1e-3,
    "translate/flattened": 1e-3,
    "body/N4": 1e-3,
    "quality": 1e-4,
    "fuse": 1e-4,
}
STYLE = {"steps": 6, "neighbour_steps": 3, "features": "random"}
TRAINING = {
    "max_steps": 3,
    "patch_size": 32,
    "ngf": 4,
    "n_blocks": 1,
    "ndf": 4,
    "n_layers": 2,
    "precision": "fp32",
    "device": "cpu",
    "sample_every": 0,
    "checkpoint_every": 3,
    "trackers": ["csv"],
    "pool_size": 2,
    "threads": 1,
}
METHODS = {
    "cyclegan": {"stack": 3},
    "cut": {"nce_patches": 16, "nce_features": 16},
    "fastcut": {"nce_patches": 16, "nce_features": 16},
    "paired": {"pairs": "pairs.csv"},
    "perceptual": {"target": "style", "target_modality": "ART", "features": "random"},
}


def tolerance_of(case: str) -> float:
    """Largest difference of a case, as part of its largest value."""
    return next((value for start, value in TOLERANCES.items() if case.startswith(start)), TOLERANCE)


def environment() -> dict[str, str]:
    """What decides the last bit of a result."""
    text = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        text = "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
    return {
        **{name: version(name) for name in ("torch", "numpy", "SimpleITK")},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": hashlib.sha256((text or platform.processor()).encode()).hexdigest()[:16],
    }


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Within it, torch and ITK compute in one thread, in single precision throughout."""
    import SimpleITK as sitk
    import torch

    before = torch.get_num_threads(), sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before[1])


def described(value: Any) -> dict:
    """A result as golden.json keeps it."""
    if not isinstance(value, np.ndarray):
        text = json.dumps(value, sort_keys=True)
        return {"values": json.loads(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    flat = value.ravel()
    # A stride that shares no factor with the sides, so that all rows, columns and slices are met.
    places = np.arange(KEPT) * 7919 % flat.size
    return {
        "shape": list(value.shape),
        "dtype": str(value.dtype),
        "sha256": hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest(),
        "values": [float(flat.mean(dtype=np.float64)), float(flat.std(dtype=np.float64)), *map(float, flat[places])],
    }


def compute(group: str, folder: Path, scratch: Path) -> dict[str, Any]:
    """The results of a group's cases, by GROUP/CASE, from the fixtures in ``folder``; ``scratch`` takes files."""
    with one_thread():
        return {f"{group}/{name}": value for name, value in GROUPS[group](folder, scratch).items()}


def differences(old: Any, new: Any, tolerance: float, where: str = "") -> list[str]:
    """What of an old result, as ``described`` gives it, is missing from a new one or differs from it.

    Keys that are new are no difference. Numbers may differ by the tolerance, relative to the largest of their list.
    """
    if isinstance(old, dict):
        if not isinstance(new, dict):
            return [f"{where}: {new!r} is no table"]
        lacking = [f"{where}: there is no {key}" for key in old if key not in new]
        shared = [key for key in old if key in new and key != "sha256"]
        return lacking + [
            text for key in shared for text in differences(old[key], new[key], tolerance, f"{where}.{key}")
        ]
    if isinstance(old, list):
        if not isinstance(new, list) or len(old) != len(new):
            return [f"{where}: {new!r}, before {old!r}"]
        numbers = [abs(value) for value in old if type(value) in (int, float)]
        largest = max(numbers, default=0.0)
        return [
            text
            for place, (before, now) in enumerate(zip(old, new, strict=True))
            for text in _difference(before, now, tolerance, f"{where}[{place}]", largest)
        ]
    return _difference(old, new, tolerance, where, 0.0)


def _difference(old: Any, new: Any, tolerance: float, where: str, largest: float) -> list[str]:
    if isinstance(old, (dict, list)):
        return differences(old, new, tolerance, where)
    if type(old) in (int, float) and type(new) in (int, float):
        same = abs(old - new) <= tolerance * max(abs(old), largest, 1e-3)
    else:
        same = old == new
    return [] if same else [f"{where}: {new!r}, before {old!r}"]


def _heads(folder: Path) -> tuple[Any, Any, Any]:
    """T1, the T2 of the same head on the same grid, and a labelmap."""
    return tuple(engine.read_volume(folder / "data" / f"{name}.nii.gz") for name in ("head_T1", "head_T2", "mask"))


def _network(folder: Path, scratch: Path) -> dict[str, Any]:
    import torch

    results = {}
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, 32, 40)).astype(np.float32)
    for name, channels, directions in (
        ("tiny", 1, ("forward", "backward")),
        ("tiny-colour", 3, ("forward",)),
        ("tiny-fusion", 2, ("forward",)),
        ("reference", 1, ("forward", "backward")),
    ):
        model = engine.load_model(folder / "models" / name)
        for direction in directions:
            with torch.no_grad():
                output = engine.network(model, direction)(torch.from_numpy(images[:, :channels].copy()))
            results[f"{name} {direction}"] = output.numpy()
    return results


def _translate(folder: Path, scratch: Path) -> dict[str, Any]:
    head, other, mask = _heads(folder)
    model = engine.load_model(folder / "models" / "tiny")
    cases: dict[str, dict] = {
        "plain": {},
        "half": {"strength": 0.5},
        "mask": {"mask": mask},
        "half in mask": {"mask": mask, "strength": 0.5},
        "all planes": {"planes": ["axial", "coronal", "sagittal"]},
        "coronal": {"planes": ["coronal"]},
        "backward": {"direction": "backward"},
        "two at a time": {"batch_size": 2},
        "guarded": {"adjustments": {"structure_guard_mm": 5.0}},
        "matched": {"adjustments": {"match": other}},
        "matched by moments": {"adjustments": {"match": other, "match_by": "moments"}},
        "flattened": {"adjustments": {"flatten_bias": True}},
        "automatic": {"adjustments": {"least_consistency": 0.9}},
        "ensemble": {"adjustments": {"ensemble": True}},
        "matched, guarded, mixed": {
            "adjustments": {"structure_guard_mm": 5.0, "match": other},
            "strength": 0.7,
            "mask": mask,
        },
    }
    results = {}
    for name, options in cases.items():
        translation = engine.translate(head, model, **options)
        results[name] = translation.volume.array
        results[f"{name}: facts"] = {
            "slices": translation.slices,
            "strength": translation.strength,
            "mixed": translation.mixed,
            "consistency": translation.consistency,
            "backend": translation.backend,
            "device": translation.device,
            "precision": translation.precision,
            # That an image's contrast is another than the style's is told since 0.2.0.
            "warnings": len([w for w in translation.warnings if w not in translation.misfit.warnings]),
        }
        if translation.disagreement is not None:
            results[f"{name}: disagreement"] = translation.disagreement.array
    translation = engine.translate(head, model)
    results["plain, normalised input"] = translation.normalized_input
    results["plain, normalised output"] = translation.normalized_output
    results["readjusted"] = engine.readjusted(head, model, translation, 0.5).volume.array
    results["not kept"] = engine.translate(head, model, keep_normalized=False).volume.array
    with engine.everything_is_large():
        results["large"] = engine.translate(head, model, keep_normalized=False).volume.array
    results["imported"] = engine.translate(head, engine.load_model(folder / "models" / "reference")).volume.array
    rng = np.random.default_rng(4)
    picture = engine.volume(rng.integers(0, 256, (3, 1, 40, 36)).astype(np.uint8), is_2d=True)
    colour = engine.load_model(folder / "models" / "tiny-colour")
    results["picture"] = engine.translate(picture, colour).volume.array
    return results


def _onnx(folder: Path, scratch: Path) -> dict[str, Any]:
    """By itself, because it needs a package that not everybody has."""
    head, *_ = _heads(folder)
    return {"translate": engine.translate(head, engine.load_model(folder / "models" / "onnx")).volume.array}


def _normalize(folder: Path, scratch: Path) -> dict[str, Any]:
    head, *_ = _heads(folder)
    noisy = head.array + np.random.default_rng(0).normal(0, 30, head.array.shape).astype(np.float32)
    results = {}
    for name, specification in {
        "HU window": {"kind": "hu_window", "lower": -100, "upper": 700},
        "z-score": {"kind": "zscore"},
        "robust percentiles": {"kind": "robust_percentile"},
        "RGB": {"kind": "rgb"},
    }.items():
        results[name], results[f"{name}, back"] = engine.normalized(noisy, specification)
    ramp = np.linspace(-1, 1, 201, dtype=np.float32)
    landmarks = {"kind": "robust_percentile", "low": 0.0, "high": 900.0, "maximum": 1000.0}
    results["range of a card"] = engine.from_units(ramp, landmarks)
    return results


def _geometry(folder: Path, scratch: Path) -> dict[str, Any]:
    head, _, mask = _heads(folder)
    grid = engine.volume(np.zeros((1, 14, 30, 34), np.float32), (2.2, 2.0, 3.7), head.origin, np.eye(3))
    canonical = engine.to_canonical(head)
    return {
        "smaller": engine.resize_in_plane(head.array, (23, 19)),
        "larger": engine.resize_in_plane(head.array, (61, 70)),
        "linear": engine.resample_like(head, grid, "linear").array,
        "nearest": engine.resample_like(mask, grid, "nearest").array,
        "canonical": np.ascontiguousarray(canonical.array),
        "canonical grid": [*map(float, canonical.spacing), *map(float, canonical.origin)],
    }


def _body(folder: Path, scratch: Path) -> dict[str, Any]:
    head, other, _ = _heads(folder)
    return {"T1": engine.body_mask(head), "T2": engine.body_mask(other), "N4": engine.flatten_bias(head).array}


def _register(folder: Path, scratch: Path) -> dict[str, Any]:
    fixed = engine.read_volume(folder / "data" / "head_T1.nii.gz")
    moving = engine.read_volume(folder / "data" / "moved_T2.nii.gz")
    results = {}
    for kind in ("rigid", "affine"):
        found = engine.register(fixed, moving, kind)
        # The count of iterations is no result: another processor may take one more.
        results[kind] = {name: value for name, value in found.figures().items() if name != "iterations"}
        points = [(0.0, 0.0, 0.0), (20.0, 0.0, 0.0), (0.0, 20.0, 0.0), (0.0, 0.0, 20.0)]
        results[f"{kind}: points"] = [list(found.transform.TransformPoint(point)) for point in points]
    return results


def _fuse(folder: Path, scratch: Path) -> dict[str, Any]:
    head, other, _ = _heads(folder)
    results = {}
    for method in ("weighted", "pyramid", "guided", "detail"):
        fusion = engine.fuse([head, other], method)
        results[method] = fusion.volume.array
        results[f"{method}: figures"] = engine.fusion_quality(fusion)
    results["learned"] = engine.fuse(
        [head, other], "learned", engine.load_model(folder / "models" / "tiny-fusion")
    ).volume.array
    return results


def _quality(folder: Path, scratch: Path) -> dict[str, Any]:
    head, other, _ = _heads(folder)
    model = engine.load_model(folder / "models" / "tiny")
    figures = engine.quality(head, model, engine.translate(head, model), other)
    rng = np.random.default_rng(2)
    first, second = (np.clip(rng.normal(mean, 0.4, (9, 32, 32)), -1, 1).astype(np.float32) for mean in (0.0, 0.2))
    return {"summary": figures, "kernel MMD of slices": list(engine.kid(first, second))}


def _dicom(folder: Path, scratch: Path) -> dict[str, Any]:
    import pydicom

    source, output = folder / "data" / "dicom", scratch / "series"
    series = engine.read_volume(source)
    model = engine.load_model(folder / "models" / "tiny")
    values = series.array.astype(np.float32) * 0.5 + 10
    engine.write_dicom(series.with_array(values), source, output, model, "forward", 0.8)
    results = {}
    for path in sorted(output.iterdir()):
        tags = {}
        for element in pydicom.dcmread(path):
            times = element.VR in ("UI", "DA", "TM", "DT", "OW", "OB", "SQ")
            if not times and "Software" not in element.keyword and element.keyword:
                # The program names its version, which is not the one of then.
                tags[element.keyword] = str(element.value).replace(f" {engine.version()}.", " 0.1.0.")
        results[f"tags of {path.name}"] = tags
    results["voxels"] = engine.read_volume(output).array
    return results


def _stylize(folder: Path, scratch: Path) -> dict[str, Any]:
    head, *_ = _heads(folder)
    thin = engine.volume(head.array[:, 4:7], head.spacing, head.origin, head.direction)
    picture = engine.read_picture(folder / "data" / "style" / "waves.png")
    results = {}
    for name, more in {"lbfgs": {}, "adam": {"optimizer": "adam", "colour": "luminance"}}.items():
        results[name] = engine.stylize(thin, picture, STYLE | more).volume.array
    results["model"] = engine.translate(thin, engine.load_model(folder / "models" / "picture")).volume.array
    return results


def _train(folder: Path, scratch: Path) -> dict[str, Any]:
    results = {}
    for method, more in METHODS.items():
        settings = {"source": "source", "target": "target", **TRAINING, **more, "method": method}
        for key in ("source", "target", "pairs"):
            if key in settings:
                settings[key] = folder / "data" / settings[key]
        losses = engine.train_losses(settings | {"output": scratch / f"run-{method}"})
        results[method] = losses
    return results


GROUPS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "network": _network,
    "translate": _translate,
    "onnx": _onnx,
    "normalize": _normalize,
    "geometry": _geometry,
    "body": _body,
    "register": _register,
    "fuse": _fuse,
    "quality": _quality,
    "dicom": _dicom,
    "stylize": _stylize,
    "train": _train,
}


def write(folder: Path, scratch: Path) -> None:
    """golden.json of the fixtures in a folder."""
    results = {name: value for group in GROUPS for name, value in compute(group, folder, scratch).items()}
    cases = {name: described(value) for name, value in results.items()}
    lines = [f"  {json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items()]
    text = ",\n".join(lines)
    head = json.dumps(environment())
    (folder / "golden.json").write_text(f'{{"environment": {head},\n "cases": {{\n{text}\n}}}}\n', encoding="utf-8")
