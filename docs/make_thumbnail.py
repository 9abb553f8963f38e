"""The thumbnail of a model: one slice of the ICBM152 template, left as it is, right as the model translates it.

    python docs/make_thumbnail.py SurgicalStyleTransfer/Resources/Models/brain-mr-t1w-t2w
    python docs/make_thumbnail.py SurgicalStyleTransfer/Resources/Models/brain-mr-t2w-flair brain-mr-t1w-t2w

Writes thumbnail.png into the model's folder. The template is a T1w image; for a model that takes another contrast, a
second model makes that of it first.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes import geometry
from training_cli.pictures.demo_volume import icbm152

HEIGHT_MM, SIDE = 18.0, 192


def grey(slice_: np.ndarray) -> np.ndarray:
    """(y, x) -> 8 bit, the darkest and brightest 0.5 % clipped, anterior up."""
    low, high = np.percentile(slice_, (0.5, 99.5))
    return (np.clip((slice_ - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def main(folder: Path, through: str = "") -> None:
    """Make the picture."""
    volume, _ = icbm152()
    if through:
        volume = translate_volume(volume, load_model(through)).volume
    model = load_model(str(folder))
    done = translate_volume(volume, model, direction="T1w>T2w" if model.card.is_many else "forward")
    halves = []
    for image in (volume, done.volume):
        canonical, _ = geometry.to_canonical(image)
        index = round((HEIGHT_MM - canonical.origin[2]) / canonical.spacing[2])
        halves.append(grey(canonical.array[0, index]))
    middle = halves[0].shape[1] // 2
    picture = np.concatenate([halves[0][:, :middle], halves[1][:, middle:]], axis=1)
    picture[:, middle] = 255
    side = max(picture.shape)
    square = np.zeros((side, side), np.uint8)
    top, left = (side - picture.shape[0]) // 2, (side - picture.shape[1]) // 2
    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(folder / "thumbnail.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
