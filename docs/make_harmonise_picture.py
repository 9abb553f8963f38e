"""Makes docs/pictures/harmonise.png: scans of several scanners before and after `sst harmonise`, on one grey scale.

python docs/make_harmonise_picture.py REFERENCE_FOLDER SCAN SCAN SCAN [--output PICTURE]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

PLACE = 0.55  # of the slices with body, counted from the feet
CREDIT = (
    "MR: Open MS Data (Lesjak et al., Neuroinformatics 2016), CC-BY; "
    "BraTS (Bakas et al., Scientific Data 2017), CC BY 3.0 and 4.0."
)


def main() -> int:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", type=Path)
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "pictures" / "harmonise.png")
    given = parser.parse_args()

    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from surgical_style_engine.app.harmonise_case import harmonise_case, measure_look
    from surgical_style_engine.volumes.body_mask import body_mask

    look = measure_look(sorted(given.reference.iterdir()), given.reference.name)
    cases = [harmonise_case(path, look) for path in given.scans]
    top = 1.35 * float(look.levels[-1])
    figure, axes = plt.subplots(2, len(cases), figsize=(3.2 * len(cases), 7.2), facecolor="black")
    # Before: all scans on the one grey scale that makes the first one look right.
    first = 1.35 * float(cases[0].harmonised.before.levels[-1])
    for column, (path, case) in enumerate(zip(given.scans, cases, strict=True)):
        number = _slice(body_mask(case.source))
        for row, (image, white) in enumerate(((case.source.array, first), (case.harmonised.volume.array, top))):
            axis = axes[row, column]
            picture = np.flipud(image[0][number]) if case.source.direction[1, 1] < 0 else image[0][number]
            axis.imshow(np.clip(picture / white, 0, 1), cmap="gray", vmin=0, vmax=1)
            axis.set_title(f"{path.name.split('_')[0]}, {'as it came' if row == 0 else 'harmonised'}", color="white")
            axis.axis("off")
    figure.text(0.5, 0.01, CREDIT, color="white", ha="center", fontsize=6)
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    figure.savefig(given.output, dpi=100, facecolor="black")
    print(f"{given.output}: {given.output.stat().st_size / 1000:.0f} kB")
    return 0


def _slice(body: np.ndarray) -> int:
    """The slice at PLACE of those with body."""
    numbers = np.flatnonzero(body.any((1, 2)))
    return int(numbers[int(PLACE * (len(numbers) - 1))])


if __name__ == "__main__":
    sys.exit(main())
