"""What the worker keeps warm between requests: models, runners, translations, one prepared preview."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.app.several.beside import beside_first
from surgical_style_engine.app.translate_case import TranslateCase
from surgical_style_engine.backends import select
from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.common.plain_reasons import shown
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.preview import SlicePreview
from surgical_style_engine.inference.result import Translation
from surgical_style_engine.inference.runners import runner_for
from surgical_style_engine.models.folder import StyleModel, load_model
from surgical_style_engine.models.picture_style import is_style_image
from surgical_style_engine.volumes.volume import Volume

from .schema import VolumeMessage

KEPT_BYTES = 3 << 30  # of translations kept for adjusting and judging them; the latest is kept whatever its size
KEPT_RUNNERS = 4


@dataclass
class Kept:
    """A finished translation that may still be adjusted or judged.

    Attributes:
        options: of its run, to be judged alike.
        judged: whether metrics were given of it as it is now.
    """

    volume: Volume
    model: StyleModel
    direction: str
    mask: Volume | None
    options: RunOptions
    translation: Translation
    adjustments: Adjustments = field(default_factory=Adjustments)
    judged: bool = False

    @property
    def bytes(self) -> int:
        """What its arrays take."""
        kept = self.translation
        arrays = (self.volume.array, kept.normalized_input, kept.normalized_output, kept.adjusted, kept.flattened)
        return sum(array.nbytes for array in arrays if array is not None)

    def case(self, strength: float, adjustments: Adjustments) -> TranslateCase:
        """What would be asked for with another strength and other adjustments."""
        return TranslateCase(self.volume, self.model, self.direction, strength, mask=self.mask, adjustments=adjustments)

    def take(self, translation: Translation, adjustments: Adjustments) -> None:
        """Put a translation in the place of the one before.

        The blend is made anew when it is asked for; without it a kept translation is a third smaller.
        """
        self.translation, self.adjustments = replace(translation, volume=self.volume), adjustments
        self.judged = False


class Warm:
    """The models, runners, translations and the preview, each found by what it was made of."""

    def __init__(self) -> None:
        self._models: dict[str, tuple[tuple, StyleModel]] = {}
        self._runners: OrderedDict[tuple, Runner] = OrderedDict()
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._preview: tuple[tuple, SlicePreview] | None = None

    def model(self, folder: str) -> StyleModel:
        """A verified model, read anew only when its files changed."""
        path = Path(folder)
        try:
            files = [(file.name, file.stat()) for file in sorted(path.glob("*.*"))]
        except (OSError, ValueError):  # a name that cannot be, a link to itself, or a file that goes meanwhile
            raise InputError(f"There is no readable model '{shown(folder)}'.") from None
        stamp = tuple((name, status.st_mtime_ns, status.st_size) for name, status in files)
        if folder not in self._models or self._models[folder][0] != stamp:
            self._models[folder] = stamp, load_model(path)
            self._runners.clear()
        return self._models[folder][1]

    def runner(self, model: StyleModel, direction: str, device: str, precision: str) -> Runner:
        """A runner of a model's direction."""
        key = (str(model.folder), model.card.stored.sha256, direction, device, precision)
        if key not in self._runners:
            if self.is_unmeasured(model, direction, device, precision):
                self._runners[key] = select.runner_at_once(model, direction)
            else:
                self._runners[key] = runner_for(model, direction, device=device, precision=precision)
            while len(self._runners) > KEPT_RUNNERS:
                self._runners.popitem(last=False)
        self._runners.move_to_end(key)
        return self._runners[key]

    def is_unmeasured(self, model: StyleModel, direction: str, device: str, precision: str) -> bool:
        """Whether what is fastest here is still to be found out; nobody waits for that before the first result."""
        return not is_style_image(model.card) and select.needs_measuring(model, direction, device, precision)

    def forget_runners(self) -> None:
        """Drop the runners; the next request makes them anew."""
        self._runners.clear()

    def preview(
        self, volume: VolumeMessage, others: Sequence[VolumeMessage], model: StyleModel, direction: str
    ) -> SlicePreview:
        """The preview of a volume, and of others beside it, by a model; made anew where one of these is another."""
        files = tuple(message.file for message in (volume, *others))
        whole = (files, str(model.folder), model.card.stored.sha256, direction)
        if self._preview is None or self._preview[0] != whole:
            first = volume.read()
            beside, _ = beside_first(first, [other.read() for other in others], model, direction)
            self._preview = whole, SlicePreview(first, model, direction, beside)
        return self._preview[1]

    def keep(self, key: str, kept: Kept) -> None:
        """Keep a translation, and drop the oldest where there is no room for all."""
        self._kept.pop(key, None)
        self._kept[key] = kept
        while len(self._kept) > 1 and sum(entry.bytes for entry in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)

    def find(self, key: str) -> Kept:
        """A kept translation. Raises InputError where there is none."""
        if key not in self._kept:
            raise InputError("The translation is no longer in memory; press Apply again.")
        return self._kept[key]

    def forget(self, key: str | None) -> None:
        """Drop a kept translation; all of them and the preview for None."""
        if key is None:
            self._kept.clear()
            self._preview = None
        else:
            self._kept.pop(key, None)
