"""The picture of docs/training.md: one T1w by several models, beside the registered T2w.

python docs/make_methods_picture.py T1W T2W PICTURE NAME=MODEL [NAME=MODEL ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.normalization import RobustPercentile
from surgical_style_engine.volumes.registration import register_rigid
from surgical_style_engine.volumes.resampling import resample_like
from training_cli.pictures.comparison import save_comparison

CREDIT = "MR: Lesjak et al., Neuroinformatics 2016 (patient04, in no training), CC-BY."


def main(source: Path, target: Path, picture: Path, models: dict[str, str]) -> None:
    """Make the picture."""
    first, real = read_volume(source), read_volume(target)
    moved = resample_like(real, first, transform=register_rigid(first, real).transform)
    columns = {"T1w": RobustPercentile().fit(first.array).forward(first.array)}
    for name, model in models.items():
        columns[name] = translate_volume(first, load_model(model)).normalized_output
    columns["real T2w (registered)"] = RobustPercentile().fit(moved.array).forward(moved.array)
    save_comparison(picture, first, columns, title="T1w to T2w by training method", footer=CREDIT)
    with Image.open(picture) as drawn:
        grey = drawn.convert("L")  # a third of the bytes
    grey.save(picture, optimize=True)


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:4]), dict(entry.split("=", 1) for entry in sys.argv[4:]))
