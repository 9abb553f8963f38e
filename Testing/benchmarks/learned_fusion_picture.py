"""The picture and the table of "Learned fusion" in docs/fusion.md.

    python Testing/benchmarks/learned_fusion_picture.py DATA MODEL [PICTURE]

DATA: folder with open-ms/longitudinal (Lesjak et al. 2016, CC-BY). MODEL: a model T1w + FLAIR -> T2w. Fuses T1w and
FLAIR of patient04, compares with the real T2w inside the brain mask, and prints the figures beside those of the input,
of a flawed fusion (FLAIR replaced by the T1w itself), and of the shipped model that sees the T1w alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from surgical_style_engine.app.align_reference import align_reference
from surgical_style_engine.fusion import fuse_learned
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.metrics.reference import reference_metrics
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.normalization import RobustPercentile
from surgical_style_engine.volumes.resampling import resample_like
from training_cli.pictures.comparison import save_comparison

ROOT = Path(__file__).resolve().parents[2]
CREDIT = "Images: Lesjak et al., Neuroinformatics 2016 (patient04, study 1), CC-BY. Learned and translated: synthetic."


def main(data: Path, model: str, picture: Path) -> None:
    folder = data / "open-ms" / "longitudinal"
    t1, flair, t2 = (read_volume(folder / f"patient04_study1_{name}.nii.gz") for name in ("T1W", "FLAIR", "T2W"))
    brain = resample_like(read_volume(folder / "patient04_brainmask.nii.gz"), t1, "nearest", default=0).array[0] > 0
    truth, valid, _ = align_reference(t1, t2, folder / "patient04_study1_T2W.nii.gz")
    region = brain if valid is None else brain & valid
    target = RobustPercentile().fit(truth.array).forward(truth.array)
    style = load_model(model)
    both, wrong = fuse_learned([t1, flair], style), fuse_learned([t1, t1], style, register="none")
    shipped = translate_volume(t1, load_model("brain-mr-t1w-t2w"))
    columns = {
        "T1w": both.inputs[0][None] * 2 - 1,
        "FLAIR, registered": both.inputs[1][None] * 2 - 1,
        "Learned: T2w of both": both.fused[None] * 2 - 1,
        "Shipped model: T2w of T1w": shipped.normalized_output,
        "Real T2w": target,
    }
    print("| | MAE (of 2) | PSNR (dB) | SSIM |")
    rows = {"the T1w itself": columns["T1w"], "learned, T1w + FLAIR": columns["Learned: T2w of both"]}
    rows["learned, FLAIR replaced by T1w"] = wrong.fused[None] * 2 - 1
    rows["shipped model, T1w alone"] = shipped.normalized_output
    for name, array in rows.items():
        found = reference_metrics(array, target, region)
        print(f"| {name} | {found['mae']:.3f} | {found['psnr']:.1f} | {found['ssim']:.3f} |")
    save_comparison(picture, t1, columns, title="Learned fusion: T2w made of T1w and FLAIR", footer=CREDIT)
    print(*both.warnings, sep="\n")


if __name__ == "__main__":
    default = ROOT / "docs" / "pictures" / "learned_fusion.png"
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]) if len(sys.argv) > 3 else default)
