"""Makes docs/pictures/adjust.png: what the adjustments do to the translation of one real head.

    python docs/make_adjust_picture.py T1.nii.gz T2.nii.gz [--model NAME] [--guard MM] [--output PICTURE]

T1, T2: input and real target image of one head (aligned if need be).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

PLACE = 0.62  # of the slices with body, counted from the feet: through the ventricles
SPREAD = 0.15  # of 2: disagreement drawn brightest


def main() -> int:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--model", default="brain-mr-t1w-t2w")
    parser.add_argument("--guard", type=float, default=2.0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "pictures" / "adjust.png")
    given = parser.parse_args()

    from surgical_style_engine.adjust import Adjustments
    from surgical_style_engine.app.align_reference import align_reference
    from surgical_style_engine.app.judge_case import JudgeCase, judge_case
    from surgical_style_engine.app.judging import Judging
    from surgical_style_engine.imageio.read import read_volume
    from surgical_style_engine.inference.readjust import readjust
    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.volumes.body_mask import body_mask

    volume, model = read_volume(given.source), load_model(given.model)
    real, valid, _ = align_reference(volume, read_volume(given.reference), given.reference)
    body = body_mask(volume)
    plain = translate_volume(volume, model)
    guarded = readjust(volume, model, plain, adjustments=Adjustments(structure_guard_mm=given.guard))
    matched = readjust(volume, model, plain, adjustments=Adjustments(structure_guard_mm=given.guard, match=real))
    ensemble = translate_volume(volume, model, adjustments=Adjustments(ensemble=True))

    def figures(translation) -> str:
        case = JudgeCase(volume, model, translation, reference=real, valid=valid, judging=Judging(cycle=False))
        quality = judge_case(case).quality
        paired = quality["reference"]
        text = f"PSNR {paired['psnr']:.2f} dB, SSIM {paired['ssim']:.3f}"
        text += f"\nconsistency {quality['semantic_consistency']:.3f}"
        print(text)
        return text

    used = np.flatnonzero(body.any((1, 2)))
    index = int(used[round(PLACE * (len(used) - 1))])
    panels = [
        ("T1w input", volume.array, ""),
        ("translation into T2w", plain.volume.array, figures(plain)),
        (f"structure guard {given.guard:g} mm", guarded.volume.array, figures(guarded)),
        ("real T2w (registered)", real.array, ""),
        ("guard, then matched to the real T2w", matched.volume.array, figures(matched)),
        ("disagreement of the ensemble", ensemble.disagreement.array, "mean of it: " + figures(ensemble)),
    ]
    draw(panels, index, body, volume.spacing, given.output)
    print(f"{given.output}: {given.output.stat().st_size / 1000:.0f} kB")
    return 0


def draw(panels: list[tuple[str, np.ndarray, str]], index: int, body: np.ndarray, spacing, output: Path) -> None:
    """Two rows of three: the slice of each (c,z,y,x) array, cut to the body."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows, columns = np.flatnonzero(body.any((0, 2))), np.flatnonzero(body.any((0, 1)))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    figure, axes = pyplot.subplots(2, 3, figsize=(10.5, 9.2), facecolor="black", layout="constrained")
    for axis, (title, array, text) in zip(axes.ravel(), panels, strict=True):
        axis.set_axis_off()
        if title.startswith("disagreement"):
            axis.imshow(array[0, index][window], cmap="inferno", vmin=0, vmax=SPREAD, aspect=spacing[1] / spacing[0])
            title += f" (0 to {SPREAD:g} of 2)"
        else:
            low, high = np.percentile(array[0][body], (1, 99.3))
            axis.imshow(array[0, index][window], cmap="gray", vmin=low, vmax=high, aspect=spacing[1] / spacing[0])
        axis.set_title(f"{title}\n{text}" if text else title, color="white", fontsize=10)
    figure.get_layout_engine().set(rect=(0, 0, 1, 0.985))
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=110, facecolor="black")
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
