"""`sst register`: lay one volume over another of the same patient."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from surgical_style_engine.errors import InputError
from training_cli.terminal import echo

if TYPE_CHECKING:
    from surgical_style_engine.app.through.register_case import RegisteredCase
    from surgical_style_engine.volumes.volume import Volume

Fixed = Annotated[Path, typer.Argument(help="volume (file or DICOM folder) whose grid the result gets")]
Moving = Annotated[Path, typer.Argument(help="volume to move; any contrast and grid")]
Output = Annotated[Path, typer.Argument(help="the moved volume (.nii.gz, .nrrd, .mha ...)")]
Overlay = Annotated[
    Optional[Path], typer.Option("--overlay", help="PNG to check by eye: edges and checkerboard in three planes")
]
Transform = Annotated[
    Optional[Path], typer.Option("--transform", help="also write the transform (.tfm, .h5; Slicer reads it)")
]
Through = Annotated[
    Optional[str],
    typer.Option(
        "--through", help="folder or name of a model that translates one of the two into the other's contrast"
    ),
]
Kind = Annotated[str, typer.Option("--kind", help="rigid, affine or deformable")]
Mask = Annotated[Optional[Path], typer.Option("--mask", help="mask of the fixed volume; only what is inside counts")]
Report = Annotated[Optional[Path], typer.Option("--report", help="JSON report")]


def register(  # noqa: PLR0913 - a Typer command: one parameter an option
    fixed: Fixed,
    moving: Moving,
    output: Output,
    through: Through = None,
    kind: Kind = "rigid",
    overlay: Overlay = None,
    transform: Transform = None,
    mask: Mask = None,
    report: Report = None,
) -> None:
    """Register MOVING to FIXED (any two contrasts of one patient) and resample it there, in its own units.

    By mutual information; with --through by the difference to a translation, where that is trusted. The fixed volume's
    grid is kept exactly. Nothing is written unless everything succeeds up to the writing; a registration that found
    nothing common to both is a failure.
    """
    from training_cli.cohort.checks import told_warnings

    asked = _Asked(fixed, moving, output, overlay, transform, mask, report, through, kind)
    asked.check()
    begun = time.perf_counter()
    volume, registered, warnings = asked.run()
    result = registered.result
    asked.write(volume, registered)
    seconds = time.perf_counter() - begun
    if report is not None:
        asked.write_report(report, volume, registered, warnings, seconds)
    if registered.way is not None:
        echo(registered.sentence)
    if kind == "affine" != result.kind:
        echo("The transform stayed rigid: an affine one fits no better.")
    echo(
        f"Moved by {result.translation_mm:.1f} mm and {result.rotation_deg:.1f} degrees in {seconds:.1f} s; mutual "
        f"information {result.metric_before:.3f} -> {result.metric:.3f}; {100 * result.overlap:.0f} % overlap: {output}"
    )
    told_warnings(warnings)


@dataclass(frozen=True)
class _Asked:
    """What is asked for, as the options say it."""

    fixed: Path
    moving: Path
    output: Path
    overlay: Path | None
    transform: Path | None
    mask: Path | None
    report: Path | None
    through: str | None
    kind: str

    def check(self) -> None:
        """Raise InputError for what cannot be written, before anything is read."""
        from surgical_style_engine.imageio.formats import ending_of
        from surgical_style_engine.imageio.write import check_output
        from surgical_style_engine.models.names import find_model
        from surgical_style_engine.volumes.registration import TRANSFORM_ENDINGS
        from surgical_style_engine.volumes.registration.alike import KINDS
        from training_cli.cohort.checks import check_folders_of
        from training_cli.cohort.paths import check_outputs

        check_output(self.output)
        if self.kind not in KINDS:
            raise InputError(f"There is no registration '{self.kind}'; use {', '.join(KINDS)}.")
        if self.through is not None:
            find_model(self.through)
        elif self.kind == "deformable":
            raise InputError("--kind deformable goes through a translation: name a model with --through.")
        if self.transform is not None and ending_of(self.transform) not in TRANSFORM_ENDINGS:
            endings = ", ".join(TRANSFORM_ENDINGS)
            raise InputError(f"The transform {self.transform.name} needs one of the endings {endings}.")
        if self.overlay is not None and self.overlay.suffix.lower() != ".png":
            raise InputError(f"The picture {self.overlay.name} needs the ending .png.")
        check_outputs([self.fixed, self.moving, self.mask], [self.output, self.transform, self.overlay], self.report)
        check_folders_of(self.output, self.transform, self.report)

    def run(self) -> tuple[Volume, RegisteredCase, list[str]]:
        """The fixed volume, how the other lies on it, and warnings. Raises InputError."""
        from surgical_style_engine.app.inputs import left_out
        from surgical_style_engine.app.through.register_case import RegisterCase, register_case
        from surgical_style_engine.imageio.read import read_volume
        from surgical_style_engine.imageio.write import check_output
        from surgical_style_engine.models.folder import load_model
        from surgical_style_engine.volumes.file_warnings import file_warnings
        from surgical_style_engine.volumes.registration import NOTHING_COMMON
        from surgical_style_engine.volumes.resampling import resample_like
        from surgical_style_engine.volumes.volume import check_volume

        fixed, moving = read_volume(self.fixed), read_volume(self.moving)
        check_output(self.output, fixed)
        check_volume(fixed, f"The fixed volume {self.fixed.name}")
        check_volume(moving, f"The moving volume {self.moving.name}")
        region = mask = None
        if self.mask is not None:
            mask = read_volume(self.mask)
            region = resample_like(mask, fixed, "nearest", default=0).array[0] > 0
        model = None if self.through is None else load_model(self.through)
        registered = register_case(RegisterCase(fixed, moving, model, self.kind, region))
        if not registered.result.found_common:
            raise InputError(f"{self.moving.name} cannot be laid over {self.fixed.name}: {NOTHING_COMMON}.")
        warnings = [*left_out(self.fixed), *left_out(self.moving), *file_warnings(fixed, moving, mask)]
        return fixed, registered, [*warnings, *registered.warnings]

    def write(self, fixed: Volume, registered: RegisteredCase) -> None:
        """Write everything but the report, or nothing."""
        from surgical_style_engine.imageio.write import write_volume
        from surgical_style_engine.volumes.registration import write_transform
        from training_cli.cohort.all_or_nothing import all_or_nothing

        result = registered.result
        with all_or_nothing() as files:
            write_volume(result.moved, files.add(self.output))
            if self.transform is not None:
                write_transform(result.transform, files.add(self.transform))
            if self.overlay is not None:
                from training_cli.pictures.overlay import save_overlay

                title = f"{self.moving.name} on {self.fixed.name}"
                save_overlay(fixed, result.moved, files.add(self.overlay), title=title)

    def write_report(
        self, report: Path, fixed: Volume, registered: RegisteredCase, warnings: list[str], seconds: float
    ) -> None:
        """Write the report."""
        from surgical_style_engine.app.report import new_report, write_report

        write_report(
            report,
            new_report(
                inputs=[self.fixed, self.moving],
                output=self.output,
                device="cpu",
                precision="fp64",
                seconds=seconds,
                slices=fixed.array.shape[1],
                warnings=warnings,
                registration={**registered.entry(), "transform": self.transform, "overlay": self.overlay},
            ),
        )
