"""What the worker can do. Each task takes a message's arguments and gives what goes into its ``result``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.preview import SlicePreview
from surgical_style_engine.inference.readjust import readjust
from surgical_style_engine.inference.result import Translation
from surgical_style_engine.inference.runners import runner_for
from surgical_style_engine.inference.suitability import check_suitable, suitability_warnings
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import StyleModel, load_model
from surgical_style_engine.volumes import geometry
from surgical_style_engine.volumes.volume import Volume, check_volume

from . import fusion_task
from .messages import read_array, write_array

Progress = Callable[[str, int, int], None]
Cancelled = Callable[[], bool]
KEPT_BYTES = 3 << 30  # of translations kept for adjusting and judging them; the latest is kept whatever its size
KEPT_RUNNERS = 4


@dataclass
class Kept:
    """A finished translation that may still be adjusted or judged."""

    volume: Volume
    model: StyleModel
    direction: str
    mask: Volume | None
    options: dict[str, Any]
    translation: Translation
    adjustments: Adjustments = field(default_factory=Adjustments)

    @property
    def bytes(self) -> int:
        made = self.translation
        arrays = (self.volume.array, made.normalized_input, made.normalized_output, made.adjusted, made.flattened)
        return sum(array.nbytes for array in arrays if array is not None)


class Tasks:
    """The tasks and what is kept warm between them: models, runners, translations, one prepared preview."""

    def __init__(self) -> None:
        self._models: dict[str, tuple[tuple, StyleModel]] = {}
        self._runners: OrderedDict[tuple, Runner] = OrderedDict()
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._preview: tuple[tuple, SlicePreview] | None = None

    def run(self, request: dict, progress: Progress, cancelled: Cancelled) -> dict[str, Any]:
        """Dispatch a request; raises StyleTransferError with one sentence."""
        tasks = {
            "check": self.check,
            "translate": self.translate,
            "adjust": self.adjust,
            "figures": self.figures,
            "preview": self.preview,
            "devices": self.devices,
            "import": self.import_model,
            "forget": self.forget,
            "fuse": fusion_task.fuse,
        }
        task = tasks.get(request.get("task"))
        if task is None:
            raise InputError(f"The worker knows no task {request.get('task')!r}; it may be of another version.")
        arguments = {key: value for key, value in request.items() if key not in ("id", "task")}
        return task(progress=progress, cancelled=cancelled, **arguments)

    def check(self, volume: dict, model: str, direction: str, **_: Any) -> dict[str, Any]:
        """Why a volume may not be what a model expects: ``problem`` (it cannot run) or ``warnings``. No torch."""
        image, style = _volume(volume), self._model(model)
        try:
            check_volume(image)
            check_suitable(image, style, direction)
        except InputError as error:
            return {"problem": str(error), "warnings": []}
        landmarks = style.card.domain_from(direction).normalization.fit(image.array)
        return {"problem": "", "warnings": suitability_warnings(image, style, direction, landmarks)}

    def translate(
        self,
        volume: dict,
        model: str,
        output: str,
        keep: str,
        progress: Progress,
        cancelled: Cancelled,
        direction: str = "forward",
        strength: float = 1.0,
        mask: dict | None = None,
        planes: list[str] | None = None,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int | None = None,
        adjustments: dict | None = None,
    ) -> dict[str, Any]:
        """Translate a volume into the file ``output``, and keep the translation under a key.

        adjustments: {structure_guard_mm: number or null, match: volume or null, match_by: "histogram" or "moments",
        flatten_bias: bool, least_consistency: number or null (automatic strength), ensemble: bool}, all optional.
        The result's ``strength`` is the one used, ``consistency`` the one it keeps (null with a given strength).
        """
        progress("load", 0, 1)
        wanted = _adjustments(adjustments)
        image, style = _volume(volume), self._model(model)
        # Kept in memory: the exchanged file may go before the translation is adjusted or judged.
        image = image.with_array(np.array(image.array))
        check_volume(image, _named(volume))
        region = None if mask is None else _volume(mask)
        if region is not None:
            region = region.with_array(np.array(region.array))
        runner = self._runner(style, direction, device, precision)
        translation = translate_volume(
            image,
            style,
            direction=direction,
            planes=planes,
            strength=strength,
            mask=region,
            batch_size=batch_size,
            adjustments=wanted,
            progress=lambda done, total: progress("translate", done, total),
            cancelled=cancelled,
            runner=runner,
        )
        write_array(Path(output), _for_display(translation.volume.array))
        options = {"planes": planes, "device": device, "precision": precision, "batch_size": batch_size}
        # The blend is made anew when it is asked for; without it a kept translation is a third smaller.
        slim = replace(translation, volume=image)
        self._keep(keep, Kept(image, style, direction, region, options, slim, wanted))
        return {
            "seconds": translation.seconds,
            "slices": translation.slices,
            "device": translation.device,
            "backend": translation.backend,
            "precision": translation.precision,
            "warnings": translation.warnings,
            "range": _range(translation.volume.array),
            "strength": translation.strength,
            "consistency": translation.consistency,
            "notes": _notes(style, direction, translation.strength, wanted),
        }

    def adjust(
        self, keep: str, output: str, strength: float = 1.0, adjustments: dict | None = None, **_: Any
    ) -> dict[str, Any]:
        """Adjust a kept translation anew into the file ``output``; the network does not run.

        adjustments: as in ``translate``; without them, those of the kept translation. What acts before the network
        (flatten_bias, ensemble) cannot change here, and may be left out. The figures then judge what was made last.
        """
        kept = self._find(keep)
        wanted = kept.adjustments if adjustments is None else _adjustments(adjustments, kept.adjustments)
        made = readjust(
            kept.volume,
            kept.model,
            kept.translation,
            direction=kept.direction,
            strength=strength,
            mask=kept.mask,
            adjustments=wanted,
        )
        write_array(Path(output), _for_display(made.volume.array))
        kept.translation, kept.adjustments = replace(made, volume=kept.volume), wanted
        return {
            "range": _range(made.volume.array),
            "strength": made.strength,
            "consistency": made.consistency,
            "notes": _notes(kept.model, kept.direction, made.strength, wanted),
        }

    def figures(
        self,
        keep: str,
        progress: Progress,
        cancelled: Cancelled,
        reference: dict | None = None,
        error_map: str | None = None,
        max_slices: int | None = None,
    ) -> dict[str, Any]:
        """The quality figures of a kept translation; with ``error_map`` also |F(G(x)) - x| per voxel, in that file.

        reference: a registered volume of the target domain on any grid.
        """
        from surgical_style_engine.inference.cycle import cycle_of
        from surgical_style_engine.metrics import quality_of
        from surgical_style_engine.volumes.body_mask import body_mask

        kept = self._find(keep)
        image = kept.volume
        valid = target = None
        if reference is not None:
            moving = _volume(reference)
            check_volume(moving, "The reference")
            if moving.channels != kept.model.card.domain_to(kept.direction).channels:
                raise InputError("The reference has other channels than the translation.")
            target = moving if moving.same_grid(image) else geometry.resample_like(moving, image, "linear")
            if target is not moving:
                everywhere = moving.with_array(np.ones((1, *moving.array.shape[1:]), np.uint8))
                valid = geometry.resample_like(everywhere, image, "nearest", default=0).array[0] != 0
        region = body_mask(image)
        if kept.mask is not None:
            inside = geometry.labels_like(kept.mask, image).array[0] != 0
            region = inside & region if (inside & region).any() else inside
        cycle = cycle_of(
            image,
            kept.model,
            kept.translation,
            direction=kept.direction,
            mask=region,
            max_slices=max_slices,
            progress=lambda done, total: progress("figures", done, total),
            cancelled=cancelled,
            **kept.options,
        )
        figures = quality_of(
            image,
            kept.model,
            kept.translation,
            target,
            region,
            direction=kept.direction,
            valid=valid,
            cycle=cycle,
            with_cycle=False,
        )
        if cycle is None:
            figures["cycle_note"] = "The model has no way back, so there are no cycle figures."
        elif error_map:
            error = np.where(region[None], np.nan_to_num(cycle.error.mean(axis=0, keepdims=True)), 0)
            write_array(Path(error_map), error.astype(np.float32))
        return {"figures": _finite(figures), "has_map": bool(cycle is not None and error_map)}

    def preview(
        self,
        volume: dict,
        model: str,
        output: str,
        position: list[float],
        plane: str,
        direction: str = "forward",
        device: str = "auto",
        precision: str = "auto",
        **_: Any,
    ) -> dict[str, Any]:
        """Translate the one slice of a plane at a position (mm LPS) into the file ``output``."""
        style = self._model(model)
        key = (volume["file"], str(style.folder), style.card.weights.sha256, direction)
        if self._preview is None or self._preview[0] != key:
            self._preview = key, SlicePreview(_volume(volume), style, direction)
        runner = self._runner(style, direction, device, precision)
        made, plane, index = self._preview[1].render(runner, plane, tuple(position))
        write_array(Path(output), _for_display(made.array))
        return {
            "spacing": list(made.spacing),
            "origin": list(made.origin),
            "direction": np.asarray(made.direction).tolist(),
            "plane": plane,
            "slice": index,
            "range": self._preview[1].range,
        }

    def devices(self, **_: Any) -> dict[str, Any]:
        """What there is to compute on: name, title, free and total bytes."""
        from surgical_style_engine.backends.devices import list_devices

        return {"devices": [vars(device) for device in list_devices()]}

    def import_model(self, source: str, folder: str, name: str = "", **arguments: Any) -> dict[str, Any]:
        """Bring a packed model, weights of the reference code or ONNX, or a style picture into the folder of models."""
        from surgical_style_engine.models.archive import import_archive, import_folder, is_model_archive
        from surgical_style_engine.models.importers.picture import import_picture, is_picture_file
        from surgical_style_engine.models.names import check_name

        for unused in ("progress", "cancelled"):
            arguments.pop(unused)
        path, models = Path(source), Path(folder)
        if not path.exists():
            raise InputError(f"There is no file {path}.")
        if path.is_dir():
            made = import_folder(path, models, name)
        elif path.suffix.lower() == ".zip" or is_model_archive(path):
            made = import_archive(path, models, name)
        elif is_picture_file(path):
            made = models / check_name(name)
            import_picture(path, made, name=name, **arguments)
        else:
            from surgical_style_engine.models.importers.reference import import_reference

            if not name or not arguments.get("source_name") or not arguments.get("target_name"):
                raise InputError("Weights say nothing of their data; give a name and both domains.")
            made = models / check_name(name)
            import_reference(path, made, name=name, **arguments)
        return {"name": made.name, "folder": str(made)}

    def forget(self, keep: str | None = None, **_: Any) -> dict[str, Any]:
        """Drop a kept translation, or all of them and the prepared preview."""
        if keep is None:
            self._kept.clear()
            self._preview = None
        else:
            self._kept.pop(keep, None)
        return {}

    def _model(self, folder: str) -> StyleModel:
        """A verified model, read anew only when its files changed."""
        path = Path(folder)
        stamp = tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(path.glob("*.*")))
        if folder not in self._models or self._models[folder][0] != stamp:
            self._models[folder] = stamp, load_model(path)
            self._runners.clear()
        return self._models[folder][1]

    def _runner(self, model: StyleModel, direction: str, device: str, precision: str) -> Runner:
        key = (str(model.folder), model.card.weights.sha256, direction, device, precision)
        if key not in self._runners:
            self._runners[key] = runner_for(model, direction, device=device, precision=precision)
            while len(self._runners) > KEPT_RUNNERS:
                self._runners.popitem(last=False)
        self._runners.move_to_end(key)
        return self._runners[key]

    def _keep(self, key: str, kept: Kept) -> None:
        self._kept.pop(key, None)
        self._kept[key] = kept
        while len(self._kept) > 1 and sum(entry.bytes for entry in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)

    def _find(self, key: str) -> Kept:
        if key not in self._kept:
            raise InputError("The translation is no longer in memory; press Apply again.")
        return self._kept[key]


def _volume(message: dict) -> Volume:
    """The volume a message describes; its array is mapped into memory."""
    array = read_array(message["file"])
    modality = message.get("modality", "")
    return Volume(
        array,
        tuple(message["spacing"]),
        tuple(message["origin"]),
        np.asarray(message["direction"], float),
        message.get("is_2d", False),
        {"Modality": modality} if modality else {},
        message.get("name", ""),
    )


def _adjustments(message: dict | None, kept: Adjustments | None = None) -> Adjustments:
    """The adjustments of a message; kept: those of the translation that is adjusted. Raises InputError."""
    values = {key: value for key, value in (message or {}).items() if value is not None}
    known = {"structure_guard_mm", "match", "match_by", "flatten_bias", "least_consistency", "ensemble"}
    if unknown := sorted(values.keys() - known):
        raise InputError(f"The worker knows no adjustment {unknown[0]!r}; it may be of another version.")
    for key in ("flatten_bias", "ensemble") if kept is not None else ():
        if bool(values.setdefault(key, getattr(kept, key))) != getattr(kept, key):
            raise InputError("Bias flattening and ensembles act before the network; press Apply again.")
    if "match" in values:
        reference = _volume(values["match"])
        # Kept in memory: the exchanged file may go before the translation is adjusted again.
        values["match"] = reference.with_array(np.array(reference.array))
    return Adjustments(**values)


def _named(message: dict) -> str | None:
    return f"The volume {message['name']}" if message.get("name") else None


def _for_display(array: np.ndarray) -> np.ndarray:
    """Colours as 8 bit, which is what viewers show as colours; scalars stay as they are."""
    if array.shape[0] != 3:
        return array
    return np.clip(np.round(array), 0, 255).astype(np.uint8)


def _range(array: np.ndarray) -> list[float]:
    """The 1 and 99 percentiles, for a first window."""
    step = max(1, int((array.size / 1e6) ** (1 / 3)))
    low, high = np.percentile(array[:, ::step, ::step, ::step], (1, 99.5))
    return [float(low), float(high)]


def _notes(model: StyleModel, direction: str, strength: float, adjustments: Adjustments) -> dict[str, str]:
    from surgical_style_engine.models.provenance import synthetic_notes

    return synthetic_notes(model.card, direction, strength, adjustments)


def _finite(values: Any) -> Any:
    from surgical_style_engine.app.report import plain

    return plain(values)
