"""Deformable registration by mutual information: cubic B-splines on a rigid transform (Rueckert et al., TMI 1999).

Not part of the product: on many tries it was worse than no registration at all.
"""

from __future__ import annotations

import SimpleITK as sitk

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.volumes.registration.search import Cancel
from surgical_style_engine.volumes.registration.similarity import matching

MESH_MM = 32.0  # between control points
GRIDS = (0, 1)  # levels of the pyramid that it is refined on, coarse to fine
STEPS = 15  # of the optimiser on each


def refine_bspline(
    fixed: list[sitk.Image],
    moving: list[sitk.Image],
    start: sitk.Transform,
    mask: sitk.Image | None,
    cancelled: Cancel = None,
) -> tuple[sitk.CompositeTransform, int]:
    """Find a B-spline displacement before ``start``, coarse to fine; also return the number of iterations.

    Args:
        fixed: A pyramid.
        moving: The same of the other volume.
        start: Points of the fixed volume -> points of the moving one, mm LPS.
        mask: Where voxels of the fixed volume count.
        cancelled: Asked at every iteration.

    Raises:
        InputError: Where the volumes do not overlap enough.
        Cancelled: Once ``cancelled`` says so.
    """
    extent = [size * mm for size, mm in zip(fixed[0].GetSize(), fixed[0].GetSpacing(), strict=True)]
    mesh = [max(1, round(mm / MESH_MM)) for mm in extent]
    spline, iterations = sitk.BSplineTransformInitializer(fixed[0], mesh, 3), 0
    for number in GRIDS:
        method = matching(fixed[number], mask)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsLBFGSB(
            gradientConvergenceTolerance=1e-6, numberOfIterations=STEPS, maximumNumberOfFunctionEvaluations=2 * STEPS
        )
        method.SetMovingInitialTransform(start)
        method.SetInitialTransform(spline, inPlace=True)
        stopped: list[bool] = []

        def ask(method: sitk.ImageRegistrationMethod = method, stopped: list[bool] = stopped) -> None:
            if cancelled is not None and cancelled():
                stopped.append(True)
                method.StopRegistration()

        method.AddCommand(sitk.sitkIterationEvent, ask)
        try:
            method.Execute(fixed[number], moving[number])
        except RuntimeError as error:
            if not stopped:
                raise InputError("The registration failed: the two volumes do not overlap enough.") from error
        if stopped:
            raise Cancelled("The registration was cancelled.")
        iterations += method.GetOptimizerIteration()
    return sitk.CompositeTransform([start, spline]), iterations
