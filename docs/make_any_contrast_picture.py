"""The picture of docs/domains.md: T2w made from T1w alone and from T1w and FLAIR, beside the real one.

python docs/make_any_contrast_picture.py T1W FLAIR T2W [PICTURE]
"""

from __future__ import annotations

import sys
from pathlib import Path

from surgical_style_engine.app.several.beside import beside_first
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.normalization import RobustPercentile
from training_cli.pictures.comparison import save_comparison

STYLE = "brain-mr-any-contrast"
CREDIT = "MR: BraTS-TCGA (Bakas et al., Scientific Data 2017), CC BY 3.0; a patient in no training."


def main(t1w: Path, flair: Path, t2w: Path, picture: Path) -> None:
    """Make the picture."""
    first, other, real = (read_volume(path) for path in (t1w, flair, t2w))
    model, both = load_model(STYLE), "T1w+FLAIR>T2w"
    beside, _ = beside_first(first, [other], model, both)
    columns = {name: RobustPercentile().fit(v.array).forward(v.array) for name, v in (("T1w", first), ("FLAIR", other))}
    options = {"keep_normalized": True}
    columns["T2w from T1w"] = translate_volume(first, model, direction="T1w>T2w", **options).normalized_output
    columns["T2w from T1w and FLAIR"] = translate_volume(
        first, model, direction=both, beside=beside, **options
    ).normalized_output
    columns["real T2w"] = RobustPercentile().fit(real.array).forward(real.array)
    save_comparison(picture, first, columns, title="One contrast, or two", footer=CREDIT)


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:]]
    main(*given[:3], given[3] if len(given) > 3 else Path(__file__).parent / "pictures" / "any-contrast.png")
