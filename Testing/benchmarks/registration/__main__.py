"""Do the tries that are missing, and print the table.

    python -m Testing.benchmarks.registration --models runs/registration/models --kind rigid
    python -m Testing.benchmarks.registration --models ... --kind deformable --methods "through translation"
    python -m Testing.benchmarks.registration --peers /path/to/python --methods ANTs elastix --count 40
    python -m Testing.benchmarks.registration --kind far turned --methods "mutual information" "through translation"
    python -m Testing.benchmarks.registration --table

``--models`` holds <fold>/<name>: the models of the folds with calibrations of other folds' patients, as
``python -m Testing.benchmarks.registration.calibrate`` puts them there. ``--checks`` takes the check patients, with the
shipped models. One row a try and method in results/registration.json; what is there is not done again.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.imageio.write import write_volume

from .methods import METHODS
from .table import tables
from .tries import COUNTS, Made, Try, make, tries_of

RESULT = Path(__file__).resolve().parents[1] / "results" / "registration.json"
PEERS = ("ANTs", "elastix")


def done(one: Try, made: Made, method: str, models: Path, peers: str) -> dict:
    """The row of a try by a method."""
    begun = time.process_time()
    notes: dict = {}
    try:
        if method in PEERS:
            found, seconds = _by_peer(one, made, method, peers)
            errors = np.linalg.norm(found - made.truth, axis=1)
        else:
            transform, notes = METHODS[method](one, made, models)
            seconds = time.process_time() - begun
            errors = made.errors(transform)
    except StyleTransferError as error:
        return _row(one, made, method) | {"failed": str(error), "seconds": round(time.process_time() - begun, 2)}
    numbers = {"mean": errors.mean(), "p95": np.percentile(errors, 95), "seconds": seconds}
    return _row(one, made, method) | {key: round(float(value), 3) for key, value in numbers.items()} | notes


def _row(one: Try, made: Made, method: str) -> dict:
    return {"key": one.key, **vars(one), "method": method, "moved": round(made.moved_mm, 2)}


def _by_peer(one: Try, made: Made, method: str, python: str) -> tuple[np.ndarray, float]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_volume(made.fixed, folder / "fixed.nii.gz")
        write_volume(made.moving, folder / "moving.nii.gz")
        np.save(folder / "points.npy", made.points)
        (folder / "kind").write_text(one.sought)
        one_thread = {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1", "OMP_NUM_THREADS": "1"}
        script = Path(__file__).with_name("peers.py")
        environment = {**os.environ, **one_thread, "PYTHONPATH": ""}
        subprocess.run([python, str(script), place, method], check=True, env=environment, capture_output=True)
        return np.load(folder / "found.npy"), float((folder / "seconds").read_text())


def record(row: dict, result: Path) -> None:
    """Add a row, whole or not at all; several processes may do so."""
    with result.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _add(row, result)


def _add(row: dict, result: Path) -> None:
    rows = json.loads(result.read_text(encoding="utf-8")) if result.exists() else []
    temporary = result.with_suffix(".part")
    temporary.write_text("[\n" + ",\n".join(json.dumps(each) for each in [*rows, row]) + "\n]\n", encoding="utf-8")
    temporary.replace(result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohort", type=Path, default=Path("runs/cohort"))
    parser.add_argument("--models", type=Path, default=Path("runs/registration/models"))
    parser.add_argument("--kind", choices=list(COUNTS), nargs="*", default=["rigid", "deformable"])
    parser.add_argument("--methods", nargs="*", default=list(METHODS)[:2])
    parser.add_argument("--count", type=int, help="only the first tries of a kind")
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("K", "N"), help="every Nth try from K on")
    parser.add_argument("--checks", action="store_true", help="check patients, shipped models")
    parser.add_argument("--peers", default="python", help="Python that has antspyx and itk-elastix")
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--table", action="store_true", help="nothing but the table")
    given = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    if not given.table:
        for kind in given.kind:
            count = given.count or COUNTS[kind]
            for one in tries_of(given.cohort, kind, count, given.checks)[given.part[0] :: given.part[1]]:
                _do(one, given)
    print(tables(json.loads(given.result.read_text(encoding="utf-8"))))


def _do(one: Try, given: argparse.Namespace) -> None:
    """What is missing of a try."""
    rows = json.loads(given.result.read_text(encoding="utf-8")) if given.result.exists() else []
    there = {row["method"] for row in rows if row["key"] == one.key and bool(row["fold"]) == bool(one.fold)}
    missing = [method for method in given.methods if method not in there]
    if not missing:
        return
    made = make(one, given.cohort)
    for method in missing:
        row = done(one, made, method, given.models, given.peers)
        record(row, given.result)
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
