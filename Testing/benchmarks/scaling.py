"""Time from file to file over the number of slices, this engine beside the plain way; JSON and a chart.

python Testing/benchmarks/scaling.py [RESULT.json] [CHART.png]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

SLICES = (16, 32, 64, 128, 256, 512)
ROOT = Path(__file__).resolve().parents[2]


def main(result: Path, chart: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from surgical_style_engine.models.folder import load_model
    from training_cli.benchmark.measure import machine, whole_volumes

    model = load_model("brain-mr-t1w-t2w")
    found = []
    for count in SLICES:
        rows = {row["way"]: row for row in whole_volumes(model, "forward", 256, count, 1, "cpu", every=False)}
        found.append(
            {
                "slices": count,
                "plain": rows["plain"]["seconds"],
                "auto": rows["auto"]["seconds"],
                "is": rows["auto"]["is"],
            }
        )
        print(found[-1], flush=True)
    about = machine()
    result.write_text(json.dumps({"machine": about, "size": 256, "times": found}, indent=2), encoding="utf-8")
    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for way, label in (("plain", "plain: eager fp32, slice by slice"), ("auto", f"sst translate ({found[-1]['is']})")):
        axes.plot([row["slices"] for row in found], [row[way] for row in found], "o-", label=label)
    axes.set(
        xlabel="slices of 256 x 256",
        ylabel="seconds, file to file",
        title=f"{about['processor']}, {about['cores']} cores (AVX512-BF16)"
        if "avx512_bf16" in about["features"]
        else f"{about['processor']}, {about['cores']} cores",
    )
    axes.set_xlim(0)
    axes.set_ylim(0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(chart, dpi=120)


if __name__ == "__main__":
    names = [Path(name) for name in sys.argv[1:]]
    main(
        names[0] if names else ROOT / "Testing/benchmarks/results/scaling.json",
        names[1] if len(names) > 1 else ROOT / "docs/pictures/speed.png",
    )
