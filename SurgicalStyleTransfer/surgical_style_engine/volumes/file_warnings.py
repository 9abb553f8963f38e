"""What was odd about files, for the warnings of whatever was made of them."""

from __future__ import annotations

from .volume import Volume


def file_warnings(*volumes: Volume | None) -> list[str]:
    """A sentence for each volume whose file was odd (tilted gantry, uneven slices), with its name; None is left out."""
    found = []
    for volume in volumes:
        doubt = "" if volume is None else volume.metadata.get("Warning", "")
        if doubt:
            found.append(f"{volume.name}: {doubt}" if volume.name else doubt)
    return found
