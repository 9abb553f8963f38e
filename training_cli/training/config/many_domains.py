"""What a training on many domains has instead of a source and a target, and what is chosen for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surgical_style_engine.errors import InputError

from .method_registry import methods
from .method_settings import domains_of

# What the model in docs/domains.md was trained with; taken where nothing else is given.
RECIPE: dict[str, Any] = {
    "generator": "domain_grid",
    "stack": 3,
    "patch_size": 192,
    "batch_size": 2,
    "learning_rate": 1e-3,
    "beta1": 0.9,
    "beta2": 0.99,
    "weight_decay": 0.01,
    "constant_fraction": 0.7,
    "ema_decay": 0.999,
    "lambda_pairs": 30.0,
    "lambda_ssim": 0.3,
    "lambda_sharpness": 0.5,
    "ndf": 32,
    "randomise": "strong",
    "preset": "none",
}


def with_domains(values: dict[str, Any]) -> dict[str, Any]:
    """Settings of a method for many domains completed: source and target are the first two, the rest the recipe.

    Args:
        values: as they are given; those of other methods come back as they are.

    Raises:
        InputError: for too few domains, or folders that are not named.
    """
    entry = methods().get(str(values.get("method")))
    if entry is None or not entry.many_domains:
        if values.get("domains"):
            raise InputError("Domains are for --method multi-domain.")
        return values
    domains = _named(values.get("domains") or {})
    if len(domains) < 2:
        raise InputError("Many domains are two at least: --domain T1w=DIR --domain T2w=DIR.")
    (first, source), (second, target) = list(domains.items())[:2]
    own = {"source": source, "target": target, "source_name": first, "target_name": second, "domains": domains}
    chosen = {key: value for key, value in RECIPE.items() if values.get(key) in (None, "auto")}
    return {**values, **own, **chosen}


def joined_domains(entries: Sequence[str]) -> dict[str, str]:
    """The domains of several options NAME=DIR. Raises InputError."""
    domains: dict[str, str] = {}
    for entry in entries:
        name, equals, folder = (part.strip() for part in entry.partition("="))
        if not (name and equals and folder):
            raise InputError(f"--domain takes NAME=DIR, such as T1w=scans/t1, not '{entry}'.")
        if name in domains:
            raise InputError(f"The domain {name} is named twice.")
        domains[name] = folder
    return domains


def _named(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    try:
        return domains_of(str(value))
    except ValueError as error:
        raise InputError(f"The domains cannot be used: {error}.") from None
