"""Give a volume or picture the style of a picture, judge the result, and write it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.common.torch_presence import check_torch
from surgical_style_engine.imageio.style_picture import read_picture
from surgical_style_engine.imageio.write import check_output
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.models.weights import sha256_of
from surgical_style_engine.volumes.file_warnings import file_warnings

from .delivered import for_viewers
from .inputs import Files, VolumeOrPath, left_out
from .judge_case import JudgeCase, judge_case
from .judging import Judging
from .translate_case import notes_of

if TYPE_CHECKING:  # it needs torch
    from surgical_style_engine.inference.stylize import Stylization


@dataclass(frozen=True, eq=False)
class StylizeCase:
    """What is asked for.

    Attributes:
        content: the volume or picture, or its file or DICOM folder.
        picture: file of the picture whose style is wanted.
        style_name: what the style is called.
        settings: of the optimisation.
        complete: makes of the settings those that are used; called when all inputs are known to be usable (for what
            must be fetched first).
        window: values of the content that become black and white; a robust range if None.
        strength: 0 is the content, 1 the whole style.
        mask: labelmap on any grid, or its file; outside of it the content stays.
        features_file: a copy of the weights of the features that the settings name.
        compare_independent: also run every slice by itself, to tell how much less the volume flickers.
        judge: judge the result.
        output: file to write; None for none.
        options: device, planes, progress and cancelled of the run; the rest has no meaning here.
        files: reads and writes.
        stage: told what is done next, in a few words.
    """

    content: VolumeOrPath
    picture: Path
    style_name: str
    settings: StyleSettings = field(default_factory=StyleSettings)
    complete: Callable[[StyleSettings], StyleSettings] = lambda settings: settings
    window: tuple[float, float] | None = None
    strength: float = 1.0
    mask: VolumeOrPath | None = None
    features_file: Path | None = None
    compare_independent: bool = False
    judge: bool = False
    output: Path | None = None
    options: RunOptions = field(default_factory=RunOptions)
    files: Files = field(default_factory=Files)
    stage: Callable[[str], None] = lambda text: None


@dataclass(eq=False)
class StylizedCase:
    """What came of a case.

    Attributes:
        stylization: the run, with the volume as it was computed.
        settings: those that were used.
        digest: SHA-256 of the picture's file.
        notes: what a file's header says of the image.
        units: of the output, for a report.
        quality: what the optimisation came to, and the metrics where they were taken.
        warnings: sentences.
        seconds: for all of it.
    """

    stylization: Stylization
    settings: StyleSettings
    digest: str
    notes: dict[str, str]
    units: str
    quality: dict[str, Any]
    warnings: list[str]
    seconds: float

    def model_entry(self, picture: Path) -> dict[str, Any]:
        """What a report says of the style in the place of a model."""
        card = self.stylization.model.card
        return {
            "name": card.name,
            "title": card.title,
            "direction": "forward",
            "from": card.domains.source.name,
            "to": card.domains.target.name,
            "sha256": self.digest,
            "intended_use": card.intended_use,
            "style": picture,
            "features": self.stylization.figures["features"],
            "settings": self.settings.model_dump(),
        }


def stylize_case(case: StylizeCase) -> StylizedCase:
    """Stylise a volume or picture, judge the result, and write what was asked for.

    Args:
        case: what is asked for.

    Returns:
        What came of it.

    Raises:
        InputError: for what cannot be used.
        StyleTransferError: for what cannot be written.
        Cancelled: between two steps.
    """
    begun = time.perf_counter()
    picture = read_picture(case.picture)
    volume = case.files.read(case.content)
    if case.output is not None:
        check_output(case.output, volume)
    mask = case.files.read_optional(case.mask)
    check_torch("A style picture")
    from surgical_style_engine.inference.stylize import stylize_volume  # noqa: PLC0415 - torch is loaded with it

    settings = case.complete(case.settings)
    name = case.content.name or "the volume"
    case.stage(f"stylising {name}")
    stylization = stylize_volume(
        volume,
        picture,
        settings,
        style_name=case.style_name,
        window=case.window,
        strength=case.strength,
        mask=mask,
        features_file=case.features_file,
        compare_independent=case.compare_independent,
        options=case.options,
    )
    translation = stylization.translation
    quality: dict[str, Any] = {}
    if case.judge:
        case.stage(f"judging {name}")
        judged = JudgeCase(volume, stylization.model, translation, mask=mask, judging=Judging(cycle=False))
        quality = judge_case(judged).quality
    digest = sha256_of(case.picture)
    notes = notes_of(stylization.model, "forward", translation) | {"StyleModelSHA256": digest}
    if case.output is not None:
        case.files.write(for_viewers(translation.volume), case.output, notes)
    return StylizedCase(
        stylization=stylization,
        settings=settings,
        digest=digest,
        notes=notes,
        units="RGB, 0 to 255" if translation.volume.channels == 3 else "the input's",
        quality=quality | stylization.figures,
        warnings=[*left_out(case.content), *translation.warnings, *file_warnings(mask)],
        seconds=time.perf_counter() - begun,
    )
