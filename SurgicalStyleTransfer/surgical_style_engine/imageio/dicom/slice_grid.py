"""Whether DICOM slices lie on one grid: their order, their distances, and what is odd about them."""

from __future__ import annotations

import numpy as np

from surgical_style_engine.errors import InputError

from .header import SliceHeader

# How far, in pixels, the farthest corner of a slice may move by its own orientation and pixel spacing.
_SAME_GRID = 0.05
_SIMILAR_GRID = 0.5
_UNEVEN = 0.01  # part of the slice distance from which uneven slices are worth a warning
_MISSING = 1.5  # times the usual distance: at least one slice is not there


def slice_distance(headers: list[SliceHeader], what: str) -> tuple[float, str]:
    """Judge slices that are in order of their place.

    Args:
        headers: Two or more, sorted along the first one's normal.
        what: Begins the sentences of InputError.

    Returns:
        The mean distance of neighbours in mm, and a warning on what is odd about the slices, empty if nothing is.

    Raises:
        InputError: For slices that make no single volume: on different grids, in several stacks, several at one place,
            or with gaps.
    """
    warnings = [_unlike_grids(headers, what), _unlike_spaces(headers, what)]
    if (stacks := len({h.stack for h in headers if h.stack})) > 1:
        raise InputError(f"{what} has {stacks} stacks of frames, which make no single volume.")
    normal = headers[0].direction[:, 2]
    gaps = np.diff([float(h.position @ normal) for h in headers])
    usual = float(np.median(gaps))
    if gaps.min() < max(1e-3, 0.05 * usual):
        raise InputError(f"{what} has several images at one place (time points or echoes?), not one volume.")
    if gaps.max() > _MISSING * usual:
        lost = int(np.sum(np.round(gaps / usual) - 1))
        raise InputError(
            f"{what} lacks about {max(lost, 1)} slices: they are {usual:.2f} mm apart, but {gaps.max():.2f} mm once."
        )
    warnings.append(_unevenness(gaps, headers, normal))
    # End to end the distances add up, however uneven they are; what readers take differs between ITK's versions.
    return float(gaps.mean()), " ".join(filter(None, warnings))


def _unlike_grids(headers: list[SliceHeader], what: str) -> str:
    """Warn if slices differ a little from the first one in orientation or pixel spacing, else return an empty text.

    Raises InputError if they differ by more.
    """
    first = headers[0]
    pixel = min(first.spacing[:2])
    turned = max(_moved(first, header.direction, first.spacing) for header in headers) / pixel
    stretched = max(_moved(first, first.direction, header.spacing) for header in headers) / pixel
    moved = max(turned, stretched, *(_moved(first, h.direction, h.spacing) / pixel for h in headers))
    difference = "orientation" if turned >= stretched else "PixelSpacing"
    if not moved <= _SIMILAR_GRID:
        raise InputError(f"{what} has images of different {difference}, which make no single volume.")
    if moved <= _SAME_GRID:
        return ""
    return (
        f"The slices differ slightly in {difference}, which moves their corners by up to {moved:.2f} pixels; "
        "the first one's is used."
    )


def _moved(header: SliceHeader, direction: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Return the mm that a slice's farthest corner moves if these are its axes."""
    columns, rows = (max(length - 1, 1) for length in header.size[:2])
    reach = np.array([[columns, 0], [0, rows], [columns, rows]], float)
    before, after = header.direction[:, :2] * header.spacing[:2], direction[:, :2] * spacing[:2]
    return float(np.linalg.norm(reach @ (after - before).T, axis=1).max())


def _unlike_spaces(headers: list[SliceHeader], what: str) -> str:
    """Warn if every slice has a FrameOfReferenceUID of its own, as programs that remove names may leave them.

    Raises InputError if some have the same one and others another.
    """
    spaces = [header.space for header in headers if header.space]
    if len(set(spaces)) < 2:
        return ""
    if len(set(spaces)) < len(spaces):
        raise InputError(f"{what} has images of different frames of reference, which make no single volume.")
    return "Every slice has a frame of reference of its own (renewed when names were removed?); they are taken for one."


def _unevenness(gaps: np.ndarray, headers: list[SliceHeader], normal: np.ndarray) -> str:
    """A warning if slices are shifted sideways or unevenly apart; gaps: mm between neighbours."""
    path = headers[-1].position - headers[0].position
    sideways = float(np.linalg.norm(path - (path @ normal) * normal))
    if sideways > max(0.01 * float(np.linalg.norm(path)), 0.1):
        return (
            f"The slices are shifted against each other by {sideways:.1f} mm in all (tilted gantry); "
            "they are stacked as if they were not."
        )
    if gaps.max() - gaps.min() > max(_UNEVEN * float(gaps.mean()), 1e-2):
        return f"The slices are {gaps.min():.2f} to {gaps.max():.2f} mm apart; {gaps.mean():.2f} mm is used."
    return ""
