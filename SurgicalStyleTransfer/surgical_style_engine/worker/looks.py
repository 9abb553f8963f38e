"""Tasks of the worker about looks: bring a volume into one, without training and without torch, and save one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from surgical_style_engine.app.harmonise_case import harmonise_case, look_like, measure_look
from surgical_style_engine.common.plain_reasons import shown
from surgical_style_engine.errors import InputError
from surgical_style_engine.harmonise.harmonise import kind_to_harmonise
from surgical_style_engine.harmonise.look import ENDING, Look, load_look
from surgical_style_engine.harmonise.references import references_below
from surgical_style_engine.volumes.recognise.kinds import same_family
from surgical_style_engine.volumes.volume import check_volume

from . import schema
from .messages import write_array

Progress = Callable[[str, int, int], None]
Cancelled = Callable[[], bool]
KEPT = 16


class Looks:
    """The tasks, and the looks that were measured: found again as long as what they were measured on is the same."""

    def __init__(self) -> None:
        self._measured: dict[tuple, tuple[Look, list[str]]] = {}

    @property
    def tasks(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """By their names."""
        return {"check_look": self.check, "harmonise": self.harmonise, "save_look": self.save}

    def check(self, request: schema.CheckLook, _progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """Why a volume cannot be brought into a look: ``problem``; ``look``, where it is known already."""
        try:
            volume, like = request.volume.read(), request.like
            check_volume(volume, request.volume.title)
            _check_path(like)
            kind, _ = kind_to_harmonise(volume)
            look, other, name = self._known(like), "", ""
            if look is not None:
                other, name = look.kind, look.name
            elif like.volume is not None:
                reference = like.volume.read()
                check_volume(reference, like.volume.title)
                other, name = kind_to_harmonise(reference)[0], reference.name
            if other and not same_family(kind, other):
                raise InputError(
                    f"{volume.name or 'The volume'} is {kind}, the look '{name}' is of {other} scans; translate it "
                    "first."
                )
        except InputError as error:
            return {"problem": str(error), "look": None}
        return {"problem": "", "look": None if look is None else look.entry()}

    def harmonise(self, request: schema.Harmonise, progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """Bring a volume into a look.

        ``look`` is what its file would hold, ``tissues`` the levels of the volume's tissues before and after.
        """
        progress("look", 0, 1)
        volume = request.volume.read()
        check_volume(volume, request.volume.title)
        kind_to_harmonise(volume)  # refused before a folder is measured in vain; it is worked out once
        look, told = self._find(request.like, progress)
        progress("harmonise", 0, 1)
        case = harmonise_case(volume, look)
        result = case.harmonised.volume
        write_array(request.output, result.array)
        return {
            "seconds": case.seconds,
            "slices": result.array.shape[1],
            "warnings": [*told, *case.warnings],
            "range": [0.0, 1.25 * float(look.levels[-1])],  # the same window for all that has the look
            "notes": case.notes,
            "look": look.entry(),
            "tissues": case.tissues(look),
        }

    def save(self, request: schema.SaveLook, progress: Progress, _cancelled: Cancelled) -> dict[str, Any]:
        """Save a look as ``sst harmonise --save-look`` does: ``look``, and ``warnings`` on scans that were left out."""
        if not request.output.name.endswith(ENDING):
            raise InputError(f"A look is saved in a file that ends in {ENDING}, not in '{request.output.name}'.")
        progress("look", 0, 1)
        look, told = self._find(request.like, progress)
        look.save(request.output)
        return {"look": look.entry(), "warnings": told}

    def _known(self, like: schema.Like) -> Look | None:
        """The look without measuring it."""
        if like.path is not None and like.path.name.endswith(ENDING):
            return load_look(like.path)
        known = self._measured.get(_stamp(like))
        return None if known is None else known[0]

    def _find(self, like: schema.Like, progress: Progress) -> tuple[Look, list[str]]:
        """The look, and a sentence on each scan that does not count for it."""
        _check_path(like)
        stamp, told = _stamp(like), list[str]()
        if stamp in self._measured:
            return self._measured[stamp]

        def step(done: int, total: int) -> None:
            progress("look", done, total)

        look = _measured(like, told.append, step)
        self._measured[stamp] = look, told
        while len(self._measured) > KEPT:
            del self._measured[next(iter(self._measured))]
        return look, told


def _measured(like: schema.Like, tell: Callable[[str], None], step: Callable[[int, int], None]) -> Look:
    if like.path is not None:
        return look_like(like.path, tell, step)
    volume = cast("schema.VolumeMessage", like.volume).read()
    return measure_look([volume], volume.name, tell, step)


def _check_path(like: schema.Like) -> None:
    """Raise InputError for a path where nothing is."""
    try:
        is_there = like.path is None or like.path.exists()
    except (OSError, ValueError):  # a name that cannot be
        is_there = False
    if not is_there:
        raise InputError(f"{shown(str(like.path))} does not exist.")


def _stamp(like: schema.Like) -> tuple:
    """What a look depends on, as far as that can be told without reading it. Raises InputError for no such path."""
    if like.path is None:
        return (like.model_dump_json(),)
    files = [like.path] if like.path.is_file() else _files_of(references_below(like.path))
    return (str(like.path), *((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files))


def _files_of(volumes: list[Path]) -> list[Path]:
    return [file for path in volumes for file in ([path] if path.is_file() else sorted(path.iterdir()))]
