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


# The same of many sites in one look: docs/harmonise.md. No neighbours: scanners differ in the distance of slices.
SITES_RECIPE: dict[str, Any] = {
    "generator": "bilateral",
    "generator_settings": {"features": 16, "bins": 12, "detail": 8},
    "patch_size": 160,
    "batch_size": 2,
    "learning_rate": 1e-3,
    "beta1": 0.9,
    "beta2": 0.99,
    "weight_decay": 0.01,
    "constant_fraction": 0.7,
    "ema_decay": 0.995,
    "lambda_adversarial": 0.5,
    "ndf": 32,
    "randomise": "strong",
    "preset": "none",
}
OF_NETWORK = ("generator", "generator_settings")  # what a training that starts from a model takes from that


def with_domains(values: dict[str, Any]) -> dict[str, Any]:
    """Settings of a method for many domains completed: what stands for source and target, the rest the recipe.

    Args:
        values: as they are given; those of other methods come back as they are.

    Raises:
        InputError: for too few domains, folders that are not named, or a reference that is none of them.
    """
    entry = methods().get(str(values.get("method")))
    many, to_one = entry is not None and entry.many_domains, entry is not None and entry.one_target
    if values.get("domains") and not many:
        raise InputError("Domains are for --method multi-domain and many-to-one.")
    if values.get("reference") and not to_one:
        raise InputError("A reference site is for --method many-to-one.")
    if not many:
        return values
    domains = _named(values.get("domains") or {})
    if len(domains) < 2 and to_one:
        raise InputError("Many sites are two at least: --domain SITE=DIR --domain OTHER=DIR --reference SITE.")
    if len(domains) < 2:
        raise InputError("Many domains are two at least: --domain T1w=DIR --domain T2w=DIR.")
    own = _of_sites(values, domains) if to_one else _of_first_two(domains)
    chosen = {key: value for key, value in _recipe(values, to_one).items() if values.get(key) in (None, "auto")}
    return {**values, **own, **chosen}


def _of_first_two(domains: dict[str, Any]) -> dict[str, Any]:
    """Settings of a training on domains that are all alike: the first two stand for source and target."""
    (first, source), (second, target) = list(domains.items())[:2]
    return {"source": source, "target": target, "source_name": first, "target_name": second, "domains": domains}


def _of_sites(values: dict[str, Any], domains: dict[str, Any]) -> dict[str, Any]:
    """Settings of a training on sites: scans of all of them are the source, the reference's look the target."""
    reference = str(values.get("reference") or "")
    if reference not in domains:
        what = f"'{reference}' is none of the sites" if reference else "Whose look is learned is said by --reference"
        raise InputError(f"{what}; there are {', '.join(domains)}.")
    name = values.get("source_name") or "scan"
    return {
        "source": next(folder for site, folder in domains.items() if site != reference),
        "target": domains[reference],
        "source_name": name,
        "target_name": values.get("target_name") or f"{name} in the look of {reference}",
        "title": values.get("title") or f"{name} of any scanner in the look of {reference}",
        "domains": domains,
    }


def _recipe(values: dict[str, Any], to_one: bool) -> dict[str, Any]:
    """What is taken where nothing else is given; what a model to start from decides is left to that."""
    if not to_one:
        return RECIPE
    return {key: value for key, value in SITES_RECIPE.items() if key not in OF_NETWORK or not values.get("init")}


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
