"""Training methods, one file each, found by name."""

from __future__ import annotations

METHODS = {
    "cyclegan": "training_cli.training.methods.cyclegan:CycleGAN",
    "cut": "training_cli.training.methods.cut:CUT",
    "fastcut": "training_cli.training.methods.cut:CUT",
    "paired": "training_cli.training.methods.paired:Paired",
    "perceptual": "training_cli.training.methods.perceptual:Perceptual",
}


def build_method(name: str, *arguments):
    """The method object for ``name``; see ``base.Method`` for what it offers."""
    import importlib

    from surgical_style_engine.errors import InputError

    if name not in METHODS:
        raise InputError(f"There is no training method '{name}'; there are {', '.join(sorted(METHODS))}.")
    module, _, attribute = METHODS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)(*arguments)
