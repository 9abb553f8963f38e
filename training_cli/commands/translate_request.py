"""What `sst translate` is asked for: its options checked, and what they have in common for all volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from surgical_style_engine.errors import InputError

if TYPE_CHECKING:
    from surgical_style_engine.adjust.options import Adjustments
    from surgical_style_engine.app.translate_case import TranslateCase
    from surgical_style_engine.models.calibration import Quickness
    from surgical_style_engine.models.folder import StyleModel
    from surgical_style_engine.volumes.volume import Volume
    from training_cli.cohort.plan import Plan
    from training_cli.progress import Progress


@dataclass(frozen=True)
class Asked:
    """What is asked of `sst translate`, as its options say it."""

    source: Path
    output: Path
    direction: str
    plane: str | None
    strength: str
    mask: Path | None
    match: Path | None
    pattern: str
    dicom: bool
    report: Path | None
    quality: str
    maps: Path | None
    error_map: Path | None
    uncertainty: str
    deidentify: bool
    others: tuple[Path, ...] = ()  # inputs beside the source, or folders of them

    @property
    def blend(self) -> float:
        """The strength as a number; 1 where it is chosen automatically."""
        return 1.0 if self.strength == "auto" else float(self.strength)

    def plan(self, derivatives: Callable[[], Plan] | None = None) -> Plan:
        """What to do, everything checked that can be before a network is loaded.

        Args:
            derivatives: Plans what is to be translated of a BIDS data set, where the source is one.

        Raises:
            InputError: For what cannot be.
        """
        from surgical_style_engine.app.maps import check_maps_folder, map_files
        from surgical_style_engine.models.routes import AND, TO
        from training_cli.cohort import checks
        from training_cli.cohort.paths import check_outputs
        from training_cli.cohort.plan import plan

        checks.check_direction(self.direction)
        checks.check_plane(self.plane)
        if not 0 <= self.blend <= 1:
            raise InputError(f"--strength is between 0 and 1, not {self.blend:g}.")
        for name, value, known in (
            ("--quality", self.quality, ("quick", "full", "none")),
            ("--uncertainty", self.uncertainty, ("quick", "full")),
        ):
            if value not in known:
                raise InputError(f"{name} is quick or full, not '{value}'.")
        if self.deidentify and not self.dicom:
            raise InputError("--dicom-deidentify belongs to --dicom; other formats hold nothing of the patient.")
        checks.check_folders_of(self.report, self.error_map)
        contrasts = self.direction.partition(TO)[0].split(AND)[1:]
        if derivatives is None:
            others = list(zip(contrasts, self.others, strict=True))
            planned = plan(self.source, self.output, self.pattern, self.mask, self.dicom, others)
        elif self.others:
            raise InputError("Of a BIDS data set one contrast is translated; for several name folders of volumes.")
        elif self.dicom:
            raise InputError("A BIDS data set holds no DICOM files, so that --dicom has no meaning for it.")
        else:
            planned = derivatives()
        jobs = planned.jobs
        if self.error_map is not None and not planned.single:
            raise InputError("--error-map names the file of one volume; for a cohort use --maps FOLDER.")
        check_outputs(
            [path for job in jobs for path in (job.source, job.mask, *job.others)] + [self.match],
            [job.output for job in jobs]
            + [path for job in jobs for path in map_files(self.maps, job.name)]
            + ([] if self.error_map is None else [self.error_map]),
            self.report,
        )
        check_maps_folder(self.maps, [job.name for job in jobs])
        return planned

    def check_model(self, style: StyleModel) -> None:
        """Raise InputError unless the model can do what is asked for; no network is loaded."""
        from surgical_style_engine.app.trust.error_bound import calibration_of
        from surgical_style_engine.models.card import CARD_NAME
        from surgical_style_engine.models.dicom_output import check_target
        from training_cli.cohort.paths import check_outputs

        check_outputs([style.folder / CARD_NAME], [self.report])
        style.check_direction(self.direction)
        if self.dicom:
            check_target(style.card, self.direction)
        if self.error_map is not None and (why := calibration_of(style, self.direction)[1]):
            raise InputError(f"There is no error map: {why}")

    def case(
        self, style: StyleModel, adjustments: Adjustments, run: dict[str, Any], shown: Progress, judged: bool
    ) -> TranslateCase:
        """What all volumes have in common.

        Args:
            style: The model.
            adjustments: The reference to match still unread.
            run: Device, precision and so on, as for ``RunOptions``.
            shown: Where progress is shown.
            judged: Whether the translation is judged, unless quality is "none".

        Raises:
            InputError: For what this machine cannot do.
        """
        from surgical_style_engine.app.judging import Judging
        from surgical_style_engine.app.translate_case import TranslateCase, Writing
        from surgical_style_engine.common.run_options import RunOptions
        from surgical_style_engine.inference.runners import runner_for
        from training_cli.cohort.checks import planes_of

        if self.match is not None:
            adjustments = replace(adjustments, match=_reference(self.match))
        self.check_model(style)
        judging = None
        if judged and self.quality != "none":
            judging = Judging(sampled=self.quality == "quick", uncertainty=cast("Quickness", self.uncertainty))
        options = RunOptions(**run, planes=planes_of(self.plane), progress=shown, keep_normalized=judging is not None)
        runner = runner_for(style, self.direction, options)
        return TranslateCase(
            self.source,
            style,
            self.direction,
            self.blend,
            adjustments=adjustments,
            judging=judging,
            writing=Writing(dicom=self.dicom, deidentify=self.deidentify, maps=self.maps, error_map=self.error_map),
            options=replace(options, runner=runner),
            uncertainty=cast("Quickness", self.uncertainty),
            stage=shown.stage,
        )


def adjustments_of(strength: str, match: Path | None, values: dict[str, Any]) -> Adjustments:
    """The adjustments of the options, the reference to match still unread. Raises InputError."""
    from surgical_style_engine.adjust.options import Adjustments

    if strength != "auto":
        try:
            float(strength)
        except ValueError:
            raise InputError(f"--strength is between 0 and 1, or auto, not '{strength}'.") from None
    if (strength == "auto") != (values["least_consistency"] is not None):
        raise InputError("--strength auto and --least-consistency X belong together: X is what the strength must keep.")
    if match is not None and not match.exists():
        raise InputError(f"{match} does not exist.")
    if match is None and values["match_by"] != "histogram":
        raise InputError("--match-by needs --match REFERENCE.")
    return Adjustments(**values)


def _reference(path: Path) -> Volume:
    from surgical_style_engine.imageio.read import read_volume
    from surgical_style_engine.volumes.volume import check_volume

    reference = read_volume(path)
    check_volume(reference, path.name)
    return reference
