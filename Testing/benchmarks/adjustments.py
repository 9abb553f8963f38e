"""The table of docs/adjust.md: what each adjustment does to the figures of one real translation.

    python Testing/benchmarks/adjustments.py T1.nii.gz T2.nii.gz [MODEL]

T1, T2: input and real target image of one head (aligned if need be). Prints rows of a Markdown table, and the strengths
that keep some consistencies.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from surgical_style_engine.adjust import Adjustments
from surgical_style_engine.app.align_reference import align_reference
from surgical_style_engine.app.judge_case import JudgeCase, judge_case
from surgical_style_engine.app.judging import Judging
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.readjust import readjust
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.geometry import PLANES

GUARDS = (1.0, 2.0, 4.0, 10.0)  # mm
CONSISTENCIES = (0.9, 0.7, 0.5)


def main(source: Path, target: Path, name: str) -> None:
    volume, model = read_volume(source), load_model(name)
    real, valid, _ = align_reference(volume, read_volume(target), target)
    translate_volume(volume, model)  # what is loaded at the first run does not count
    begun = time.process_time()
    plain = translate_volume(volume, model)
    alone = time.process_time() - begun

    def row(title: str, translation: Any, seconds: float | None) -> None:
        case = JudgeCase(volume, model, translation, reference=real, valid=valid, judging=Judging(cycle=False))
        quality = judge_case(case).quality
        paired = quality["reference"]
        figures = [f"{paired['psnr']:.2f}", *(f"{paired[key]:.3f}" for key in ("ssim", "ms_ssim"))]
        figures += [f"{quality['semantic_consistency']:.3f}", "" if seconds is None else f"{seconds:.1f}"]
        print(f"| {title} | {' | '.join(figures)} |", flush=True)

    def adjusted(title: str, **adjustments: Any) -> Any:
        begun = time.process_time()
        made = readjust(volume, model, plain, adjustments=Adjustments(**adjustments))
        seconds = time.process_time() - begun
        if title:
            row(title, made, seconds)
        return made

    def again(title: str, **options: Any) -> None:
        begun = time.process_time()
        made = translate_volume(volume, model, **options)
        row(title, made, time.process_time() - begun - alone)

    row("translation as it is", plain, None)
    for guard in GUARDS:
        adjusted(f"structure guard {guard:g} mm", structure_guard_mm=guard)
    adjusted("histogram matched to the real T2w", match=real)
    again("bias flattened first", adjustments=Adjustments(flatten_bias=True))
    again("ensemble, the model's plane", adjustments=Adjustments(ensemble=True))
    again("all three planes", planes=list(PLANES))
    again("ensemble, all three planes", planes=list(PLANES), adjustments=Adjustments(ensemble=True))
    for least in CONSISTENCIES:
        made = adjusted("", least_consistency=least)
        print(f"consistency {least}: strength {made.strength:.2f}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "brain-mr-t1w-t2w")
