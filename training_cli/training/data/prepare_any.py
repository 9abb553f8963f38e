"""Preparing the data of a training, of two domains or of many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training_cli.training.config import TrainingConfig
from training_cli.training.config.method_registry import method_entry

from .items import TrainingData
from .many.prepare import prepare_many
from .many.sites import prepare_sites
from .prepare import prepare_data


def prepare_any(config: TrainingConfig, folder: Path, say: Callable[[str], None] = lambda line: None) -> TrainingData:
    """Prepare the data as the training's method takes them.

    Args:
        config: of the training.
        folder: of the cache.
        say: gets lines for the person watching.

    Raises:
        InputError: for unusable data.
    """
    entry = method_entry(config.method)
    if entry.one_target:
        return prepare_sites(config, folder, say)
    return prepare_many(config, folder, say) if entry.many_domains else prepare_data(config, folder, say)
