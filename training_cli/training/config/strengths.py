"""How strongly contrasts of the inputs are randomised. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Mapping

# What each strength means stands in ``data.randomise.Randomise``, whose fields these are.
STRENGTHS: dict[str, dict[str, float]] = {
    "none": dict.fromkeys(("gamma", "window", "dark", "curve", "floor", "bias", "noise", "blur", "probability"), 0.0),
    "mild": {
        "gamma": 0.2,
        "window": 0.1,
        "dark": 0.0,
        "curve": 0.3,
        "floor": 0.0,
        "bias": 0.15,
        "noise": 0.02,
        "blur": 0.0,
        "probability": 0.8,
    },
    "strong": {
        "gamma": 0.35,
        "window": 0.25,
        "dark": 1.5,
        "curve": 0.6,
        "floor": 0.35,
        "bias": 0.3,
        "noise": 0.03,
        "blur": 0.8,
        "probability": 0.8,
    },
}


def randomise_strengths(kind: str, changes: Mapping[str, float]) -> dict[str, float] | None:
    """The strengths of a kind of randomisation with some of them changed.

    Args:
        kind: of ``STRENGTHS``.
        changes: strengths by name.

    Returns:
        All strengths by name, or None where nothing is randomised.

    Raises:
        ValueError: for a name that is none, a strength below 0, a probability above 1, or changes of nothing.

    >>> randomise_strengths("mild", {"blur": 0.5})["blur"]
    0.5
    """
    for name, value in changes.items():
        if name not in STRENGTHS["none"]:
            raise ValueError(f"randomise_settings has no '{name}'; there are {', '.join(STRENGTHS['none'])}")
        if value < 0 or (name == "probability" and value > 1):
            raise ValueError(f"randomise_settings: {name} cannot be {value:g}")
    if kind == "none":
        if changes:
            raise ValueError("randomise_settings needs randomise mild or strong")
        return None
    return {**STRENGTHS[kind], **changes}
