"""What `sst fuse` writes beside its volume: transforms, and pictures of how the inputs lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surgical_style_engine.volumes.registration import write_transform
from training_cli.pictures.comparison import save_comparison
from training_cli.pictures.overlay import save_overlay

from .all_or_nothing import Files
from .matching import stem

if TYPE_CHECKING:
    from surgical_style_engine.fusion import Fusion
    from surgical_style_engine.volumes.volume import Volume

SHOWN = {
    "normalized_mutual_information_lowest": "Mutual information with the worst-served input",
    "q_abf": "Edges kept (Q^AB/F)",
    "piella_weighted": "Structure kept (Piella Q_W)",
    "entropy": "Entropy (bit)",
}


def shown_lines(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The metrics of a fusion that people are shown, with their floors: (name, values)."""
    if not metrics:
        return []
    entries = (metrics, metrics["floors"]["reference"], metrics["floors"]["average"])
    form = "{:.3f} (reference alone {:.3f}, average {:.3f})"
    return [(label, form.format(*(entry[key] for entry in entries))) for key, label in SHOWN.items()]


def save_picture(
    path: Path, reference: Volume, fusions: Mapping[str, Fusion], metrics: Mapping[str, Any] | None = None
) -> None:
    """PNG with a row a slice: the inputs, then each fusion of them, by its heading."""
    first = next(iter(fusions.values()))
    headings = ["Reference", *(f"Input {number}" for number in range(2, len(first.inputs) + 1))]
    images = dict(zip(headings, first.inputs, strict=True))
    images.update({heading: fusion.fused for heading, fusion in fusions.items()})
    columns = {heading: array[None] * 2 - 1 for heading, array in images.items()}
    lines = [(label, values.replace(" (", "  (", 1)) for label, values in shown_lines(metrics or {})]
    save_comparison(path, reference, columns, figures=lines, title="Fusion of modalities")


def place_files(folder: Path | None, number: int, name: str) -> list[Path]:
    """Transform and picture of the volume that is the numberth beside the reference; none without a folder."""
    base = f"{number + 2}_{stem(Path(name))}"
    return [] if folder is None else [folder / f"{base}.tfm", folder / f"{base}.png"]


def write_places(folder: Path, reference: Volume, fusion: Fusion, files: Files) -> list[dict[str, Path]]:
    """Write the transform of every other volume and a picture of how it lies; the paths of each volume by name."""
    files.add(folder).mkdir(exist_ok=True)
    written = []
    for number, (entry, name) in enumerate(zip(fusion.aligned, fusion.names[1:], strict=True)):
        transform, overlay = place_files(folder, number, name)
        write_transform(entry.transform, files.add(transform))
        save_overlay(reference, entry.volume, files.add(overlay), title=f"{name} on the reference")
        written.append({"transform": transform, "overlay": overlay})
    return written


def registrations(fusion: Fusion, written: list[dict[str, Path]]) -> list[dict[str, Any]]:
    """What a report says of every other volume's place; the transform also as numbers."""
    entries = []
    for number, (entry, name) in enumerate(zip(fusion.aligned, fusion.names[1:], strict=True)):
        how = {"method": "scanner coordinates"} if entry.registration is None else entry.registration.figures()
        covered = float(entry.coverage[fusion.body].mean())
        files = written[number] if written else {}
        entries.append({"input": name, **how, "covered": covered, "matrix": _matrix(entry.transform), **files})
    return entries


def _matrix(transform: Any) -> list[list[float]]:
    """The affine or rigid transform as rows of a 3 x 4 matrix (LPS, mm)."""
    shift = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(transform.TransformPoint(tuple(unit))) - shift for unit in np.eye(3)]
    return np.column_stack([*columns, shift]).tolist()
