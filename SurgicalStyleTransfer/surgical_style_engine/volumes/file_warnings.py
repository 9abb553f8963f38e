"""What was odd about files, for the warnings of whatever was made of them."""

from __future__ import annotations

from .volume import Volume


def file_warnings(*volumes: Volume | None) -> list[str]:
    """Collect a sentence for each volume whose file was odd (tilted gantry, uneven slices), with its name.

    Args:
        volumes: Volumes as they were read; None is left out.
    """
    sentences = []
    for volume in volumes:
        warning = "" if volume is None else volume.metadata.get("Warning", "")
        if volume is not None and warning:
            sentences.append(f"{volume.name}: {warning}" if volume.name else warning)
    return sentences
