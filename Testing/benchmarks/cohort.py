"""What it costs a volume to be translated by a worker process instead of in `sst translate` itself.

    python Testing/benchmarks/cohort.py [--volumes 30] [--few 6] [--result FILE]

Processor time of all processes together, so that what else the machine does counts little; the starts are taken off by
a run over fewer volumes. One thing grows with the clock: what a cluster's processes use while they wait for each other,
which is measured by itself and counted for as long as a volume takes where nobody else computes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tiny_models import oblique_head

from surgical_style_engine.imageio.write import write_volume

MODEL = "brain-mr-t1w-t2w"
IDLE_SECONDS = 20
IDLE = """
import sys, time
import psutil
from training_cli.cohort.cluster.connect import ClusterOptions, connected

def used():
    return sum(sum(process.cpu_times()[:2]) for process in processes)

if __name__ == "__main__":
    with connected(ClusterOptions(workers=int(sys.argv[1]))) as client:
        client.submit(sum, [1]).result()
        time.sleep(3)
        own = psutil.Process()
        processes = [own, *own.children(recursive=True)]
        before, begun = used(), time.perf_counter()
        time.sleep(float(sys.argv[2]))
        print((used() - before) / (time.perf_counter() - begun))
"""
WAYS = {"here": [], "one worker": ["--workers", "1"], "two workers": ["--workers", "2"]}


def measured(folder: Path, count: int, options: list[str]) -> dict[str, float]:
    """Seconds of a run over the first volumes: of the processors, and on the clock."""
    shutil.rmtree(folder / f"out-{count}-{'-'.join(options)}", ignore_errors=True)
    fixed = ["--backend", "torch", "--precision", "fp32", "--device", "cpu", "--no-quality", "--progress", "none"]
    names = folder / f"first{count}"
    output = folder / f"out-{count}-{'-'.join(options)}"
    command = [
        sys.executable,
        "-m",
        "training_cli.main",
        "translate",
        names,
        output,
        "--model",
        MODEL,
        *fixed,
        *options,
    ]
    return _used(command)


def idle_share(folder: Path, workers: int) -> float:
    """Processors that a cluster uses that does nothing, such as 0.01."""
    script = folder / "idle.py"
    script.write_text(IDLE)
    command = [sys.executable, str(script), str(workers), str(IDLE_SECONDS)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _used(command: list[object]) -> dict[str, float]:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"processor": round(used, 2), "clock": round(time.perf_counter() - begun, 2)}


def main() -> None:
    """Measure and print; into a file, too, if one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=30)
    parser.add_argument("--few", type=int, default=6, help="volumes of the run that is taken off")
    parser.add_argument("--shape", type=int, nargs=3, default=(48, 256, 256), help="z y x")
    parser.add_argument("--result", type=Path)
    options = parser.parse_args()
    result: dict[str, object] = {"volumes": options.volumes, "shape": list(options.shape), "model": MODEL}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(options.volumes):
            for count in (options.few, options.volumes):
                if number < count:
                    path = folder / f"first{count}" / f"p{number:02}_T1.nii.gz"
                    path.parent.mkdir(exist_ok=True)
                    write_volume(oblique_head(number, tuple(options.shape)), path)
        here = 0.0
        for workers, (way, more) in enumerate(WAYS.items()):
            few, all_of_them = (measured(folder, count, more) for count in (options.few, options.volumes))
            used, clock = (
                (all_of_them[what] - few[what]) / (options.volumes - options.few) for what in ("processor", "clock")
            )
            known = {"few": few, "all": all_of_them, "processor a volume": round(used, 4)}
            if not workers:
                here = used
            else:
                idle = idle_share(folder, workers)
                own = used - idle * clock
                known |= {"idle": round(idle, 4), "overhead here": round(used / here - 1, 4)}
                known["overhead"] = round(own * (1 + idle / workers) / here - 1, 4)
            result[way] = known
            print(way, known, flush=True)
    print(json.dumps(result, indent=1))
    if options.result is not None:
        options.result.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
