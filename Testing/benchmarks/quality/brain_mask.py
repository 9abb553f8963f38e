"""Does an independent brain extraction find the same brain in a synthetic T1w as in the real one?

    pip install deepbet
    python -m Testing.benchmarks.quality.brain_mask

deepbet (MIT; Fisch et al., Computers in Biology and Medicine 2024) was trained on real T1w of whole heads alone and
knows nothing of this project. It extracts the brain of a check patient's real T1w, and of what the shipped T2w to
T1w style makes of the same patient's T2w, laid on the T1w's grid; floors are the T2w itself and its negative. Dice and
volumes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from .protocol import RESULTS

PATIENT = "patient04_study1"  # the only check patient with a whole head
MODEL, DIRECTION = "brain-mr-t1w-t2w", "backward"


def masks(images: dict[str, Path]) -> dict[str, np.ndarray]:
    """Brain masks by deepbet, bool."""
    import torch
    from deepbet.bet import BrainExtraction

    extraction = BrainExtraction(no_gpu=True)
    with torch.inference_mode():
        return {name: extraction.run(str(path))[1].get_fdata() > 0.5 for name, path in images.items()}


def candidates(data: Path, folder: Path) -> tuple[dict[str, Path], float]:
    """Files of the real T1w and of what is made of the T2w, on one grid, and a voxel's volume in ml."""
    from surgical_style_engine import load_model, read_volume, translate_volume, write_volume
    from surgical_style_engine.models.names import shipped_models_folder

    from .data import _laid_on

    real, other = (read_volume(data / f"open-ms/longitudinal/{PATIENT}_{name}.nii.gz") for name in ("T1W", "T2W"))
    source = _laid_on(real, other)[1]
    made = translate_volume(source, load_model(shipped_models_folder() / MODEL), direction=DIRECTION).volume
    values = source.array.astype(np.float32)
    negative = np.where(values > 0.1 * np.percentile(values, 99), values.max() - values, 0).astype(np.float32)
    volumes = {"real": real, "translation": made, "input": source, "negative": source.with_array(negative)}
    for name, volume in volumes.items():
        write_volume(replace(volume, name=name), folder / f"{name}.nii.gz")
    return {name: folder / f"{name}.nii.gz" for name in volumes}, float(np.prod(real.spacing)) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--result", type=Path, default=RESULTS / "brain-mask.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files, millilitres = candidates(arguments.data, Path(folder))
        found = masks(files)
    real = found.pop("real")
    entry: dict = {"patient": PATIENT, "model": MODEL, "direction": DIRECTION}
    entry["real_ml"] = round(float(real.sum()) * millilitres, 1)
    for name, mask in found.items():
        dice = 2 * np.count_nonzero(real & mask) / max(1, np.count_nonzero(real) + np.count_nonzero(mask))
        entry[name] = {"dice": round(float(dice), 4), "ml": round(float(mask.sum()) * millilitres, 1)}
    arguments.result.write_text(json.dumps(entry, indent=1) + "\n", encoding="utf-8")
    print(entry)


if __name__ == "__main__":
    main()
