"""Which network describes content and style: one whose published weights are at hand, or random filters.

A new network with published weights is an entry of ``PRETRAINED``.
"""

from __future__ import annotations

from pathlib import Path

import torch

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.models.importers.reference import read_state
from surgical_style_engine.models.weights import sha256_of

from .feature_network import FeatureNetwork
from .random_features import RandomFeatures, random_features
from .vgg import VGG19, PublishedVgg, vgg_features

__all__ = [
    "KINDS",
    "PRETRAINED",
    "FeatureNetwork",
    "RandomFeatures",
    "cached_weights",
    "check_digest",
    "download_features",
    "load_features",
    "pick_features",
    "random_features",
]

PRETRAINED = {published.name: published for published in (VGG19,)}  # "auto" takes the first that is at hand
RANDOM = RandomFeatures.name
KINDS = ("auto", *PRETRAINED, RANDOM)


def pick_features(kind: str, file: Path | None = None) -> str:
    """Decide which network is used.

    Args:
        kind: One of ``KINDS``; "auto" is a pretrained network where its weights are at hand, else random filters.
        file: A copy of a pretrained network's weights.

    Returns:
        A name of ``PRETRAINED``, or "random".

    Raises:
        InputError: For a name that is no kind.
    """
    if kind not in KINDS:
        titles = " or ".join(published.title for published in PRETRAINED.values())
        raise InputError(f"There are no features '{kind}'; use {', '.join(KINDS)} or a file of {titles}'s weights.")
    if kind != "auto":
        return kind
    if file is not None:
        return _network_of(Path(file))
    return next((name for name in PRETRAINED if cached_weights(name).is_file()), RANDOM)


def load_features(kind: str, style: torch.Tensor, *, file: Path | None = None, seed: int = 0) -> FeatureNetwork:
    """The network that describes a style, frozen, on the CPU.

    Args:
        kind: One of ``KINDS``.
        style: The picture (1, 3, h, w) in [0, 1], which random filters are fitted to.
        file: A copy of a pretrained network's weights; torch hub's cache if None.
        seed: Of random filters.

    Raises:
        InputError: For an unknown kind, and for weights that are missing or others.
    """
    name = pick_features(kind, file)
    if name == RANDOM:
        return random_features(style, seed)
    published = PRETRAINED[name]
    path = cached_weights(name) if file is None else Path(file)
    if not path.is_file():
        if file is not None:
            raise InputError(f"There is no file {path}.")
        raise InputError(
            f"The weights of {published.title} are not on this machine: --download-features fetches them "
            f"({published.megabytes} MB), --features FILE takes a copy, and --features random does without."
        )
    check_digest(path, published)
    return vgg_features(published, read_state(path), f"The file {path}")


def cached_weights(name: str = VGG19.name) -> Path:
    """Where torch hub keeps the weights of a pretrained network, whether they are there or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / PRETRAINED[name].file


def check_digest(path: Path, published: PublishedVgg) -> None:
    """Raise InputError unless a file is the very one that was published."""
    if not sha256_of(path).startswith(published.sha256_prefix):
        raise InputError(f"The file {path} is damaged, or not torchvision's {published.file}.")


def download_features(name: str = VGG19.name) -> Path:
    """Fetch weights into torch hub's cache, if they are not there; checked by digest. For use with consent.

    Args:
        name: Of ``PRETRAINED``.

    Returns:
        The file.

    Raises:
        StyleTransferError: With what else can be done.
    """
    published, path = PRETRAINED[name], cached_weights(name)
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(published.url, str(path), hash_prefix=published.sha256_prefix, progress=False)
    except (OSError, RuntimeError) as error:  # no network is an OSError, a wrong digest a RuntimeError
        reason = str(getattr(error, "reason", None) or error).splitlines()[0].rstrip(".")
        raise StyleTransferError(
            f"{published.title} could not be downloaded from {published.url} ({reason}); fetch it elsewhere and give "
            "it by --features FILE, or use --features random."
        ) from None
    return path


def _network_of(file: Path) -> str:
    """The network whose published weights a file holds; the first where it holds none, as loading then says."""
    first, *others = PRETRAINED
    if not others or not file.is_file():
        return first
    digest = sha256_of(file)
    return next((name for name in PRETRAINED if digest.startswith(PRETRAINED[name].sha256_prefix)), first)
