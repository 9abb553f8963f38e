"""The picture of docs/artwork.md: T1w, its translation into a painting's look, and the way back.

    python docs/make_artwork_picture.py T1W PAINTED BACK [PICTURE]

T1W: a volume; PAINTED: what `sst translate` made of it; BACK: what it made of that with --direction backward.
"""

from __future__ import annotations

import sys
from pathlib import Path

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.normalization import RobustPercentile
from training_cli.pictures.comparison import save_comparison

CREDIT = "MR: Lesjak et al., Neuroinformatics 2016 (patient04), CC-BY. Painting: V. van Gogh, The Starry Night, 1889."


def main(source: Path, painted: Path, back: Path, picture: Path) -> None:
    """Make the picture."""
    first, last = read_volume(source), read_volume(back)
    columns = {
        "T1w": RobustPercentile().fit(first.array).forward(first.array),
        "In the painting's look": read_volume(painted).array / 127.5 - 1,
        "Back to T1w": RobustPercentile().fit(last.array).forward(last.array),
    }
    save_comparison(picture, first, columns, title="Brain MR as The Starry Night, and back", footer=CREDIT)


if __name__ == "__main__":
    default = Path(__file__).parent / "pictures" / "artwork.png"
    main(*(Path(name) for name in sys.argv[1:4]), Path(sys.argv[4]) if len(sys.argv) > 4 else default)
