"""The training methods by name, and what is known of each without importing it (and torch).

A method of this project is a line in ``_built_in``. One from outside calls ``register_method`` when it is imported: by
a script, or because its package names the module as an entry point of the group ``training_cli.methods``::

    [project.entry-points."training_cli.methods"]
    mine = "my_package.mine"
"""

from __future__ import annotations

import importlib.metadata
import warnings
from dataclasses import dataclass
from typing import Any

from surgical_style_engine.errors import InputError

from .method_settings import (
    CUTSettings,
    CycleGANSettings,
    ManyToOneSettings,
    MethodSettings,
    MultiDomainSettings,
    PairedSettings,
    PerceptualSettings,
)

ENTRY_POINTS = "training_cli.methods"


@dataclass(frozen=True)
class MethodEntry:
    """What is known of a method before it is imported.

    Args:
        implementation: the subclass of ``base.Method``, or ``"module:Class"``, which is imported when it is needed.
        settings: class of its section of the configuration.
        needs_pairs: whether it learns from registered pairs alone.
        any_generator: whether it works with every generator whose channels fit.
        useful_images: that a training should see, else it is told that it cannot become useful.
        many_domains: whether it learns from a folder for each of many domains, instead of a source and a target.
        one_target: whether one of these is the target of all others.
    """

    implementation: str | type
    settings: type[MethodSettings] = MethodSettings
    needs_pairs: bool = False
    any_generator: bool = True
    useful_images: int = 20_000
    many_domains: bool = False
    one_target: bool = False


def _built_in() -> dict[str, MethodEntry]:
    here = "training_cli.training.methods"
    return {
        "cyclegan": MethodEntry(f"{here}.cyclegan:CycleGAN", CycleGANSettings),
        "cut": MethodEntry(f"{here}.cut:CUT", CUTSettings, any_generator=False),
        "fastcut": MethodEntry(f"{here}.cut:FastCUT", CUTSettings, any_generator=False),
        "paired": MethodEntry(f"{here}.paired:Paired", PairedSettings, needs_pairs=True),
        "multi-domain": MethodEntry(
            f"{here}.multi_domain:MultiDomain", MultiDomainSettings, any_generator=False, many_domains=True
        ),
        "many-to-one": MethodEntry(
            f"{here}.many_to_one:ManyToOne", ManyToOneSettings, any_generator=False, many_domains=True, one_target=True
        ),
        # One picture's style is learned in fewer images than how two kinds of scans differ.
        "perceptual": MethodEntry(f"{here}.perceptual:Perceptual", PerceptualSettings, useful_images=2_000),
    }


_METHODS = _built_in()
_plugins_are_read = False


def register_method(name: str, implementation: str | type, **facts: Any) -> None:
    """Make a method known under a name, in this process.

    Args:
        name: as ``--method`` takes it.
        implementation: a subclass of ``base.Method``, or ``"module:Class"`` so that torch is imported only to train.
        **facts: the other fields of ``MethodEntry``.

    Raises:
        ValueError: where the name or the section of its settings belongs to another method.
    """
    entry = MethodEntry(implementation, **facts)
    if name in _METHODS and _METHODS[name] != entry:
        raise ValueError(f"There is a training method '{name}' already.")
    section = entry.settings.section
    if section and sections().get(section, entry.settings) is not entry.settings:
        raise ValueError(f"The section '{section}' of the configuration belongs to another training method.")
    _METHODS[name] = entry


def methods() -> dict[str, MethodEntry]:
    """All methods by name, those of installed packages included."""
    global _plugins_are_read
    if not _plugins_are_read:
        _plugins_are_read = True
        for entry_point in importlib.metadata.entry_points(group=ENTRY_POINTS):
            try:
                entry_point.load()
            except Exception as error:  # whatever a package of others does, the other methods still train
                warnings.warn(f"The training method '{entry_point.name}' cannot be used: {error}", stacklevel=2)
    return dict(_METHODS)


def sections() -> dict[str, type[MethodSettings]]:
    """The sections of the configuration by name, each with the class of its settings."""
    return {entry.settings.section: entry.settings for entry in _METHODS.values() if entry.settings.section}


def method_entry(name: str) -> MethodEntry:
    """What is known of the method ``name``. Raises InputError with one sentence where there is none."""
    known = methods()
    if name not in known:
        raise InputError(f"There is no training method '{name}'; there are {', '.join(sorted(known))}.")
    return known[name]
