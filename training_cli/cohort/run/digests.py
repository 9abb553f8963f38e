"""By what a second run knows that nothing has changed: digests of inputs, model and options."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surgical_style_engine.models.calibration import CALIBRATION_NAME
from surgical_style_engine.models.folder import StyleModel

_CHUNK = 1 << 20
_HEADERS = (".mhd", ".nhdr")  # their voxels lie in files beside them


def stamp_of(paths: Sequence[Path]) -> str:
    """Digest of names, sizes and times of files: as long as it stays, nobody has to read them.

    Args:
        paths: Files, or folders of which the files directly in them count.

    Raises:
        OSError: For one that is not there.
    """
    digest = hashlib.sha256()
    for path in _files(paths):
        status = path.stat()
        digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def content_of(paths: Sequence[Path]) -> str:
    """SHA-256 of what files hold, in their order.

    Args:
        paths: Files, or folders of which the files directly in them count, by name.

    Raises:
        OSError: For one that cannot be read.
    """
    digest = hashlib.sha256()
    for path in _files(paths):
        digest.update(f"{path.stat().st_size}\n".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def options_of(options: Mapping[str, Any]) -> str:
    """SHA-256 of options; of files among them, of what they hold.

    Args:
        options: JSON types, and paths of files and folders.

    Raises:
        OSError: For a file that cannot be read.
        TypeError: For values that are neither.
    """
    return hashlib.sha256(json.dumps(options, sort_keys=True, default=_content).encode()).hexdigest()


def model_of(style: StyleModel) -> str:
    """SHA-256 of all of a model that its translations and verdicts depend on.

    The card names the weights by their digest. Figures and what people read do not count: they may be added later.
    """
    told = {"title", "training", "metrics", "lesions", "licence", "citation"}
    values = style.card.model_dump(mode="json", exclude=told)
    calibration = style.folder / CALIBRATION_NAME
    return options_of({"card": values, "calibration": calibration if calibration.is_file() else None})


def _content(value: Any) -> str:
    if isinstance(value, Path):
        return content_of([value])
    raise TypeError(f"An option cannot be a {type(value).__name__}.")


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(p for p in path.iterdir() if p.is_file())
        elif path.suffix.lower() in _HEADERS:
            files += sorted(p for p in path.parent.iterdir() if p.name.startswith(f"{path.stem}."))
        else:
            files.append(path)
    return files
