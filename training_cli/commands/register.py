"""`sst register`: lay one volume over another of the same patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    from surgical_style_engine.volumes.volume import Volume


def register(
    fixed: Annotated[Path, typer.Argument(help="volume (file or DICOM folder) whose grid the result gets")],
    moving: Annotated[Path, typer.Argument(help="volume to move; any contrast and grid")],
    output: Annotated[Path, typer.Argument(help="the moved volume (.nii.gz, .nrrd, .mha ...)")],
    overlay: Annotated[
        Optional[Path], typer.Option("--overlay", help="PNG to check by eye: edges and checkerboard in three planes")
    ] = None,
    transform: Annotated[
        Optional[Path], typer.Option("--transform", help="also write the transform (.tfm; Slicer reads it)")
    ] = None,
    mask: Annotated[
        Optional[Path], typer.Option("--mask", help="mask of the fixed volume; only what is inside counts")
    ] = None,
    report: Annotated[Optional[Path], typer.Option("--report", help="JSON report")] = None,
) -> None:
    """Register MOVING rigidly to FIXED (mutual information, any two contrasts of one patient) and resample it there.

    The fixed volume's grid is kept exactly. Nothing is written unless everything succeeds up to the writing; a
    registration that found nothing common to both is a failure.
    """
    import time

    from surgical_style_engine.app.inputs import left_out
    from surgical_style_engine.errors import InputError
    from surgical_style_engine.imageio.write import write_volume
    from surgical_style_engine.volumes.file_warnings import file_warnings
    from surgical_style_engine.volumes.geometry import resample_like
    from surgical_style_engine.volumes.registration import NOTHING_COMMON, register_rigid, write_transform
    from training_cli.cohort.checks import told_warnings

    _check([fixed, moving, mask], output, transform, overlay, report)
    start = time.perf_counter()
    fixed_volume, moving_volume, mask_volume = _read(fixed, moving, mask, output)
    region = None
    if mask_volume is not None:
        region = resample_like(mask_volume, fixed_volume, "nearest", default=0).array[0] > 0
    result = register_rigid(fixed_volume, moving_volume, region)
    if not result.found_common:
        raise InputError(f"{moving.name} cannot be laid over {fixed.name}: {NOTHING_COMMON}.")
    warnings = [*left_out(fixed), *left_out(moving), *file_warnings(fixed_volume, moving_volume, mask_volume)]
    write_volume(result.moved, output)
    if transform is not None:
        write_transform(result.transform, transform)
    if overlay is not None:
        from training_cli.pictures.overlay import save_overlay

        save_overlay(fixed_volume, result.moved, overlay, title=f"{moving.name} on {fixed.name}")
    seconds = time.perf_counter() - start
    if report is not None:
        _report(
            report,
            inputs=[fixed, moving],
            output=output,
            seconds=seconds,
            slices=fixed_volume.array.shape[1],
            warnings=warnings,
            registration=result.figures() | {"transform": transform, "overlay": overlay},
        )
    typer.echo(
        f"Moved by {result.translation_mm:.1f} mm and {result.rotation_deg:.1f} degrees in {seconds:.1f} s; mutual "
        f"information {result.metric_before:.3f} -> {result.metric:.3f}; {100 * result.overlap:.0f} % overlap: {output}"
    )
    told_warnings(warnings)


def _check(
    inputs: Sequence[Path | None], output: Path, transform: Path | None, overlay: Path | None, report: Path | None
) -> None:
    """Raise InputError unless the outputs can be written and no input is lost by it."""
    from surgical_style_engine.errors import InputError
    from surgical_style_engine.imageio.formats import ending_of
    from surgical_style_engine.imageio.write import check_output
    from surgical_style_engine.volumes.registration import TRANSFORM_ENDINGS
    from training_cli.cohort.checks import check_folders_of
    from training_cli.cohort.paths import check_outputs

    check_output(output)
    if transform is not None and ending_of(transform) not in TRANSFORM_ENDINGS:
        raise InputError(f"The transform {transform.name} needs one of the endings {', '.join(TRANSFORM_ENDINGS)}.")
    if overlay is not None and overlay.suffix.lower() != ".png":
        raise InputError(f"The picture {overlay.name} needs the ending .png.")
    check_outputs(inputs, [output, transform, overlay], report)
    check_folders_of(output, transform, report)


def _read(fixed: Path, moving: Path, mask: Path | None, output: Path) -> tuple[Volume, Volume, Volume | None]:
    """Both volumes, and the mask; raises InputError for what cannot be registered, or written in the output's form."""
    from surgical_style_engine.imageio.read import read_volume
    from surgical_style_engine.imageio.write import check_output
    from surgical_style_engine.volumes.volume import check_volume

    fixed_volume, moving_volume = read_volume(fixed), read_volume(moving)
    check_output(output, fixed_volume)
    check_volume(fixed_volume, f"The fixed volume {fixed.name}")
    check_volume(moving_volume, f"The moving volume {moving.name}")
    return fixed_volume, moving_volume, None if mask is None else read_volume(mask)


def _report(path: Path, **values: Any) -> None:
    from surgical_style_engine.app.report import new_report, write_report

    write_report(path, new_report(device="cpu", precision="fp64", **values))
