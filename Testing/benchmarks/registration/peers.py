"""ANTs and elastix from PyPI on the same tries, in an environment of their own: ``python peers.py FOLDER METHOD``.

FOLDER holds ``fixed.nii.gz``, ``moving.nii.gz``, ``points.npy`` (n, 3) mm LPS and ``kind``; ``found.npy`` is written
with where the points lie in the moving volume, and ``seconds`` with the processor time of the registration alone.
Needs antspyx or itk-elastix; the rest of the benchmark runs without.
"""

import sys
import time
from pathlib import Path

import numpy as np


def ants_found(folder: Path, kind: str) -> tuple[np.ndarray, float]:
    """By ANTs with its Mattes mutual information: rigid, or SyN on top."""
    import ants
    import pandas

    fixed, moving = (ants.image_read(str(folder / f"{name}.nii.gz")) for name in ("fixed", "moving"))
    points = np.load(folder / "points.npy")
    begun = time.process_time()
    how = "Rigid" if kind == "rigid" else "SyN"
    result = ants.registration(fixed, moving, type_of_transform=how, random_seed=1)
    seconds = time.process_time() - begun
    table = pandas.DataFrame(points, columns=["x", "y", "z"])
    # Points go the other way than images: by the transforms that pull the moving image onto the fixed one.
    found = ants.apply_transforms_to_points(3, table, result["fwdtransforms"])
    return found[["x", "y", "z"]].to_numpy(), seconds


def elastix_found(folder: Path, kind: str) -> tuple[np.ndarray, float]:
    """By elastix with its default parameter maps: rigid, or rigid and B-splines."""
    import itk

    fixed, moving = (itk.imread(str(folder / f"{name}.nii.gz"), itk.F) for name in ("fixed", "moving"))
    points = np.load(folder / "points.npy")
    parameters = itk.ParameterObject.New()
    for name in ("rigid",) if kind == "rigid" else ("rigid", "bspline"):
        chosen = parameters.GetDefaultParameterMap(name)
        chosen["AutomaticTransformInitialization"] = ["true"]
        chosen["RandomSeed"] = ["1"]
        parameters.AddParameterMap(chosen)
    begun = time.process_time()
    _, found = itk.elastix_registration_method(
        fixed, moving, parameter_object=parameters, log_to_console=False, number_of_threads=1
    )
    seconds = time.process_time() - begun
    listed = folder / "points.txt"
    rows = [" ".join(f"{value:.6f}" for value in point) for point in points]
    listed.write_text("point\n" + f"{len(points)}\n" + "\n".join(rows) + "\n")
    itk.transformix_pointset(
        moving, found, fixed_point_set_file_name=str(listed), output_directory=str(folder), log_to_console=False
    )
    lines = (folder / "outputpoints.txt").read_text().splitlines()
    places = [line.split("OutputPoint = [")[1].split("]")[0].split() for line in lines]
    return np.array(places, float), seconds


def main() -> None:
    """Register, and write where the points went."""
    folder, method = Path(sys.argv[1]), sys.argv[2]
    kind = (folder / "kind").read_text()
    found, seconds = {"ANTs": ants_found, "elastix": elastix_found}[method](folder, kind)
    np.save(folder / "found.npy", found)
    (folder / "seconds").write_text(f"{seconds:.2f}")


if __name__ == "__main__":
    main()
