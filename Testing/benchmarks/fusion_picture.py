"""The picture and the table of docs/fusion.md, from the registered and unregistered patients of the open MS data.

    python Testing/benchmarks/fusion_picture.py DATA [PICTURE]

DATA: folder with open-ms/longitudinal and open-ms/mni (Lesjak et al. 2016 and 2017, CC-BY). Prints the figures of all
methods as rows of a Markdown table and writes the picture (docs/pictures/fusion.png by default).
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from surgical_style_engine.fusion import METHODS, fuse_volumes, fusion_quality
from surgical_style_engine.imageio.read import read_volume
from training_cli.pictures.comparison import save_comparison

ROOT = Path(__file__).resolve().parents[2]
CASES = {
    "patient04, 3 mm slices": [f"longitudinal/patient04_study1_{name}.nii.gz" for name in ("T1W", "T2W", "FLAIR")],
    "patient07, 1 mm": [f"mni/patient07_{name}.nii.gz" for name in ("T1", "T2", "FLAIR")],
}
KEYS = ("q_abf", "piella_weighted", "piella_edge", "normalized_mutual_information_lowest", "entropy")
CREDIT = "Images: Lesjak et al., Neuroinformatics 2016 (patient04, study 1), CC-BY; fused by this project."
WIDTH = 1700  # pixels
SHOWN = {"weighted": "Average", "guided": "Guided filter", "detail": "Maximum detail", "pyramid": "Laplacian pyramid"}


def main(data: Path, picture: Path) -> None:
    print("| volumes | fusion | " + " | ".join(KEYS) + " |")
    for case, names in CASES.items():
        volumes = [read_volume(data / "open-ms" / name) for name in names]
        fusions = {}
        for method in METHODS:
            fusions[method] = fuse_volumes(volumes, method=method)
            found = fusion_quality(fusions[method])
            rows = {method: found}
            if method == "weighted":
                rows = {"reference alone": found["floors"]["reference"], "weighted (plain average)": found}
            for label, figures in rows.items():
                print(f"| {case} | {label} | " + " | ".join(f"{figures[key]:.3f}" for key in KEYS) + " |")
        if case == next(iter(CASES)):
            first = fusions["pyramid"]
            columns = dict(zip(("T1w (reference)", "T2w", "FLAIR"), first.inputs, strict=True))
            columns.update({SHOWN[method]: fusions[method].fused for method in SHOWN})
            save_comparison(
                picture,
                volumes[0],
                {heading: array[None] * 2 - 1 for heading, array in columns.items()},
                title="T1w, T2w and FLAIR of one patient, registered and fused",
                footer=CREDIT,
            )
            for_the_page(picture)


def for_the_page(picture: Path) -> None:
    """Make the picture as wide as a page shows it, in 64 greys."""
    with Image.open(picture) as image:
        small = image.convert("L").resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    small.quantize(64).save(picture, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("Use: fusion_picture.py DATA [PICTURE]")
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else ROOT / "docs" / "pictures" / "fusion.png")
