"""Seconds and memory of each fusion method, on volumes of two usual sizes.

    python Testing/benchmarks/fusion_speed.py

Three inputs on one grid (no registration). Every case runs in a process of its own, so that its peak memory is its own.
Processor seconds (all cores together) are given too: they suffer less from what else the machine does.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

CASES = {"256x256x48, 0.9x0.9x3 mm": ((48, 256, 256), (0.9, 0.9, 3.0)), "192^3, 1 mm": ((192, 192, 192), (1.0,) * 3)}
METHODS = ("weighted", "pyramid", "guided", "detail")


def measure(case: str, method: str) -> None:
    """Print one row: seconds of the fusion, of its figures, and peak memory beyond what loading took."""
    import numpy as np
    import SimpleITK as sitk

    from surgical_style_engine.fusion import fuse_volumes, fusion_quality
    from surgical_style_engine.volumes.volume import Volume

    shape, spacing = CASES[case]
    rng = np.random.default_rng(0)
    grid = np.meshgrid(*(np.linspace(-1.2, 1.2, n, dtype=np.float32) for n in shape), indexing="ij")
    inside = sum(axis * axis for axis in grid) < 1
    volumes = []
    for _ in range(3):
        noise = sitk.GetImageFromArray(rng.standard_normal(shape, dtype=np.float32))
        texture = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, 3.0))
        volumes.append(Volume(np.where(inside, 1000 + 8000 * texture, 0)[None].astype(np.float32), spacing))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    processor = time.process_time()
    fusion = fuse_volumes(volumes, method=method)
    processor, judged = time.process_time() - processor, time.process_time()
    fused_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    start = time.perf_counter()
    fusion_quality(fusion)
    figures, judged = time.perf_counter() - start, time.process_time() - judged
    all_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        f"{case:26} {method:9} {fusion.seconds:6.1f} s ({processor:.1f} processor)  "
        f"figures {figures:5.1f} s ({judged:.1f} processor)  "
        f"memory {fused_memory / 1e6:.2f} GB, with figures {all_memory / 1e6:.2f} GB"
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(*sys.argv[1:])
    else:
        for case in CASES:
            for method in METHODS:
                subprocess.run([sys.executable, __file__, case, method], check=True)
