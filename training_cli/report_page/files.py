"""The files that a report names: where they are now, and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.volume import Volume, check_volume
from training_cli.pictures import demo_volume


def find_file(path: str, folder: Path) -> Path | None:
    """Where a path of a report leads: as it stands, from the report's folder, or to that name beside the report."""
    for candidate in (Path(path), folder / path, folder / Path(path).name):
        try:
            if candidate.exists():
                return candidate
        except OSError:  # a name longer than names can be
            return None
    return None


def read_named(path: Any, folder: Path, notes: list[str]) -> Volume | None:
    """The volume of a path in a report, or None and a sentence in ``notes``; None alone where there is no path."""
    if not isinstance(path, str) or not path:
        return None
    try:
        if path == demo_volume.NAME:
            return demo_volume.icbm152()[0]
        place = find_file(path, folder)
        if place is None:
            notes.append(f"{path} is not there any more and is not shown.")
            return None
        volume = read_volume(place)
        check_volume(volume, path)
        return volume
    except InputError as error:
        notes.append(f"Not shown: {str(error).replace(str(find_file(path, folder) or path), path)}")
        return None
