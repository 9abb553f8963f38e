"""What the worker can do: tasks take a checked request, call the use case, and give what goes into ``result``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.app.align_reference import align_reference
from surgical_style_engine.app.delivered import for_viewers
from surgical_style_engine.app.import_model import ImportDetails
from surgical_style_engine.app.import_model import import_model as import_case
from surgical_style_engine.app.judge_case import JudgeCase, judge_case
from surgical_style_engine.app.judging import Judging
from surgical_style_engine.app.report import plain
from surgical_style_engine.app.several.recognised import domain_of
from surgical_style_engine.app.translate_case import TranslateCase, adjust_case, translate_case
from surgical_style_engine.backends import autotune
from surgical_style_engine.backends.devices import list_devices
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import Cancelled as CancelledError
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.suitability import check_suitable, suitability_warnings
from surgical_style_engine.metrics.cycle import CycleMetrics
from surgical_style_engine.volumes.volume import Volume, check_volume

from . import schema
from .kept import Kept, Warm
from .looks import Looks
from .messages import write_array

Progress = Callable[[str, int, int], None]
Cancelled = Callable[[], bool]
NO_WAY_BACK = "The model has no way back, so there are no cycle figures."


class Tasks:
    """The tasks, and what is kept warm between them."""

    def __init__(self) -> None:
        self._warm = Warm()
        self._tasks: dict[str, Callable[..., dict[str, Any]]] = {
            "check": self.check,
            "translate": self.translate,
            "adjust": self.adjust,
            "figures": self.figures,
            "preview": self.preview,
            "measure": self.measure,
            "devices": self.devices,
            "import": self.import_model,
            "features": self.features,
            "export_dicom": self.export_dicom,
            "forget": self.forget,
            "fuse": self.fuse,
            "recognise": self.recognise,
            **Looks().tasks,
            "register": self.register,
        }

    def run(self, message: dict[str, Any], progress: Progress, cancelled: Cancelled) -> dict[str, Any]:
        """Answer a message; raises StyleTransferError with one sentence."""
        task, request = schema.parse(message)
        return self._tasks[task](request, progress, cancelled)

    def check(self, request: schema.Check, _progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """Why a volume may not be what a model expects: ``problem`` (it cannot run) or ``warnings``. No torch."""
        volume, model = request.volume.read(), self._warm.model(request.model)
        try:
            check_volume(volume)
            check_suitable(volume, model, request.direction)
        except InputError as error:
            return {"problem": str(error), "warnings": []}
        landmarks = model.card.domain_from(request.direction).normalization.fit(volume.array)
        return {"problem": "", "warnings": suitability_warnings(volume, model, request.direction, landmarks)}

    def recognise(self, request: schema.Recognise, _progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """``domain`` of a model for many that a volume is of, empty where nobody knows; ``sentence``: what it is."""
        card, message = self._warm.model(request.model).card, request.volume
        domain, sentence = domain_of(card, message.read(), message.title or "The volume")
        return {"domain": domain, "sentence": sentence}

    def translate(self, request: schema.Translate, progress: Progress, cancelled: Cancelled) -> dict[str, Any]:
        """Translate, and keep the translation.

        ``strength`` is the one used, ``consistency`` the one it keeps (null with a given strength). ``unmeasured``:
        another way may be faster here, which ``measure`` finds out. ``has_disagreement``: several runs were averaged,
        and how far they differ is in the file that was named.
        """
        progress("load", 0, 1)
        adjustments = Adjustments() if request.adjustments is None else request.adjustments.read()
        model = self._warm.model(request.model)
        # Kept in memory: the exchanged files may go before the translation is adjusted or judged.
        volume = request.volume.read(copy=True)
        check_volume(volume, request.volume.title)
        mask = None if request.mask is None else request.mask.read(copy=True)
        unmeasured = self._warm.is_unmeasured(model, request.direction, request.device, request.precision)
        runner = self._warm.runner(model, request.direction, request.device, request.precision)
        options = RunOptions(
            device=request.device, precision=request.precision, batch_size=request.batch_size, planes=request.planes
        )
        if unmeasured:  # judged the same way, at once
            options = replace(options, precision=runner.precision, backend=runner.backend)
        running = replace(
            options,
            runner=runner,
            progress=lambda done, total: progress("translate", done, total),
            cancelled=cancelled,
        )
        translated = translate_case(
            TranslateCase(
                volume,
                model,
                request.direction,
                request.strength,
                mask=mask,
                adjustments=adjustments,
                options=running,
                others=tuple(other.read() for other in request.others),
            )
        )
        translation = translated.translation
        write_array(request.output, for_viewers(translation.volume).array)
        kept = Kept(volume, model, request.direction, mask, options, translation)
        kept.take(translation, adjustments)
        self._warm.keep(request.keep, kept)
        return {
            "seconds": translation.seconds,
            "slices": translation.slices,
            "device": translation.device,
            "backend": translation.backend,
            "precision": translation.precision,
            "warnings": translated.warnings,
            "range": _range(translation.volume.array),
            "strength": translation.strength,
            "consistency": translation.consistency,
            "notes": translated.notes,
            "unmeasured": unmeasured,
            "has_disagreement": _write_disagreement(request.disagreement, translation.disagreement),
        }

    def measure(self, request: schema.Measure, progress: Progress, cancelled: Cancelled) -> dict[str, Any]:
        """Measure what is fastest, once for machine and model; what runs from then on is that."""

        def tell(done: int, total: int) -> None:
            if cancelled():
                raise CancelledError("The measuring was cancelled.")
            progress("measure", done, total)

        autotune.measure(self._warm.model(request.model), request.direction, tell)
        self._warm.forget_runners()
        return {}

    def adjust(self, request: schema.Adjust, _progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """Adjust a kept translation anew; the network does not run.

        What acts before it (flatten_bias, ensemble) cannot change here, and may be left out. ``stale``: metrics were
        given of what it was before.
        """
        kept = self._warm.find(request.keep)
        given = request.adjustments
        adjustments = kept.adjustments if given is None else given.read(kept.adjustments)
        translation, notes = adjust_case(kept.case(request.strength, adjustments), kept.translation)
        write_array(request.output, for_viewers(translation.volume).array)
        stale = kept.judged
        kept.take(translation, adjustments)
        return {
            "range": _range(translation.volume.array),
            "strength": translation.strength,
            "consistency": translation.consistency,
            "notes": notes,
            "stale": stale,
        }

    def figures(self, request: schema.Figures, progress: Progress, cancelled: Cancelled) -> dict[str, Any]:
        """The metrics of a kept translation as it is now.

        With ``error_map`` also |F(G(x)) - x| per voxel, in that file; with ``bound_map`` the calibrated error bound.
        """
        kept = self._warm.find(request.keep)
        reference = valid = None
        if request.reference is not None:
            real = request.reference.read()
            check_volume(real, "The reference")
            if real.channels != kept.model.card.domain_to(kept.direction).channels:
                raise InputError("The reference has other channels than the translation.")
            name = Path(request.reference.name or "reference")
            reference, valid, _how = align_reference(kept.volume, real, name, register=False)
        options = replace(
            kept.options, progress=lambda done, total: progress("figures", done, total), cancelled=cancelled
        )
        judgement = judge_case(
            JudgeCase(
                kept.volume,
                kept.model,
                kept.translation,
                kept.direction,
                kept.mask,
                reference=reference,
                valid=valid,
                judging=Judging(
                    cycle=request.cycle,
                    max_slices=request.max_slices,
                    sampled=request.sampled,
                    uncertainty=request.uncertainty,
                ),
                options=options,
            )
        )
        kept.judged = True
        quality, has_map = judgement.quality, False
        if judgement.cycle is None and request.cycle:
            quality["cycle_note"] = NO_WAY_BACK
        if judgement.cycle is not None and request.error_map is not None:
            write_array(request.error_map, _error_map(judgement.cycle, judgement.region))
            has_map = True
        has_bound = request.bound_map is not None and judgement.bound is not None
        if request.bound_map is not None and judgement.bound is not None:
            write_array(request.bound_map, judgement.bound.volume.array)
        return {"figures": plain(quality), "has_map": has_map, "has_bound": has_bound}

    def preview(self, request: schema.Preview, _progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """The slice's place, and ``range`` for a window that stays the same from slice to slice."""
        model = self._warm.model(request.model)
        preview = self._warm.preview(request.volume, request.others, model, request.direction)
        runner = self._warm.runner(model, request.direction, request.device, request.precision)
        image, plane, index = preview.render(runner, request.plane, request.position)
        write_array(request.output, for_viewers(image).array)
        return {
            "spacing": list(image.spacing),
            "origin": list(image.origin),
            "direction": np.asarray(image.direction).tolist(),
            "plane": plane,
            "slice": index,
            "range": preview.range,
        }

    def devices(self, _request: schema.Devices, _progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """name, title, free and total bytes of each."""
        return {"devices": [vars(device) for device in list_devices()]}

    def import_model(self, request: schema.Import, _progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """Bring a model into the folder of models: ``name`` and ``folder``."""
        details = {name: getattr(request, name) for name in ImportDetails.model_fields}
        folder = import_case(request.source, request.folder, ImportDetails(**details))
        return {"name": folder.name, "folder": str(folder)}

    def features(self, request: schema.Features, progress: Progress, cancelled: Cancelled) -> dict[str, Any]:
        """Fetch weights, with the consent that the panel has: ``sentence``, where they are and under which licence."""
        from surgical_style_engine.stylize.fetch import fetch_features  # noqa: PLC0415 - rarely needed

        progress("features", 0, 1)
        fetched = fetch_features(request.name, cancelled=cancelled)
        self._warm.forget_runners()  # what was made without them would go on without
        return {"sentence": fetched.sentence}

    def export_dicom(self, request: schema.ExportDicom, progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """Write a kept translation as DICOM: ``files``, how many."""
        from .dicom_export import export_dicom  # noqa: PLC0415 - rarely needed

        progress("export", 0, 1)
        return {"files": export_dicom(self._warm.find(request.keep), request.files, request.output)}

    def forget(self, request: schema.Forget, _progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """Drop what is kept."""
        self._warm.forget(request.keep)
        return {}

    def fuse(self, request: schema.Fuse, progress: Progress, cancelled: Cancelled) -> dict[str, Any]:
        """Fuse volumes. No torch, unless the method is a trained one.

        ``weights`` sum to 1; ``figures`` are {} where nothing is covered by all; ``moved`` is by how many mm and
        degrees each of the others was registered, null where the scanner's coordinates were taken.
        """
        from surgical_style_engine.app.fuse_case import FuseCase, fuse_case  # noqa: PLC0415 - it loads SimpleITK

        progress("fuse", 0, 1)
        fused = fuse_case(
            FuseCase(
                [volume.read() for volume in request.volumes],
                method=request.method,
                model=self._warm.model(request.model) if request.method == "learned" else None,
                weights=request.weights,
                register=request.registration,
                judge=request.quality,
                options=RunOptions(progress=lambda done, total: progress("fuse", done, total), cancelled=cancelled),
                stage=lambda text: progress("figures", 0, 1) if text == "judging" else None,
            )
        )
        fusion = fused.fusion
        write_array(request.output, fusion.volume.array)
        return {
            "weights": fusion.weights,
            "figures": plain(fused.quality),
            "moved": plain(fused.moved),
            "warnings": fused.warnings,
            "range": _range(fusion.volume.array),
            "seconds": fusion.seconds,
            "notes": fused.notes,
        }

    def register(self, request: schema.Register, progress: Progress, cancelled: Cancelled) -> dict[str, Any]:
        """Lay a volume over another one; see ``registering.register``."""
        from .registering import register  # noqa: PLC0415 - it loads SimpleITK

        model = self._warm.model(request.model) if request.model else None
        return register(request, model, progress, cancelled)


def _write_disagreement(path: Path | None, disagreement: Volume | None) -> bool:
    """Write how far the averaged runs differ where that was asked for and there is such; whether there is."""
    if path is None or disagreement is None:
        return False
    write_array(path, disagreement.array)
    return True


def _error_map(cycle: CycleMetrics, region: np.ndarray) -> np.ndarray:
    """(1, z, y, x) float32, 0 outside of what was judged."""
    error = np.nan_to_num(cycle.error.mean(axis=0, keepdims=True))
    return np.where(region[None], error, 0).astype(np.float32)


def _range(array: np.ndarray) -> list[float]:
    """The 1 and 99.5 percentiles, for a first window."""
    step = max(1, int((array.size / 1e6) ** (1 / 3)))
    low, high = np.percentile(array[:, ::step, ::step, ::step], (1, 99.5))
    return [float(low), float(high)]
