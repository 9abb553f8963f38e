"""The volumes that a case names, given as they are or as the file or folder to read; and how files are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from surgical_style_engine.imageio import read as reading
from surgical_style_engine.imageio.formats import DICOM_ENDINGS, ending_of, list_volumes
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume

VolumeOrPath = Volume | Path


def read(source: VolumeOrPath) -> Volume:
    """The volume itself, or that of a file or DICOM folder. Raises InputError."""
    return source if isinstance(source, Volume) else reading.read_volume(source)


def read_optional(source: VolumeOrPath | None) -> Volume | None:
    """The same, None for None."""
    return None if source is None else read(source)


class Files:
    """Reads what a case names, and writes its result, at once; others may have read before, and write later."""

    def read(self, source: VolumeOrPath) -> Volume:
        """The volume itself, or that of a file or DICOM folder. Raises InputError."""
        return read(source)

    def read_optional(self, source: VolumeOrPath | None) -> Volume | None:
        """The same, None for None."""
        return None if source is None else self.read(source)

    def write(self, volume: Volume, path: Path, notes: dict[str, str]) -> None:
        """Write a volume, with notes in its header. Raises StyleTransferError."""
        write_volume(volume, path, notes)

    def later(self, action: Callable[[], None]) -> None:
        """Do what is to be done after ``write``."""
        action()


def left_out(source: VolumeOrPath | None) -> list[str]:
    """A sentence on the images beside the DICOM series that a folder is taken for, where there are any."""
    if not isinstance(source, Path) or source.is_file():
        return []
    others = [path for path in list_volumes(source) if ending_of(path) not in DICOM_ENDINGS]
    return [f"Beside the DICOM series, {source.name} holds {listed(others)}, which was left out."] if others else []


def listed(paths: Sequence[Path]) -> str:
    """The names of at most three files, and how many more there are."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(path.name for path in paths[:3]) + more
