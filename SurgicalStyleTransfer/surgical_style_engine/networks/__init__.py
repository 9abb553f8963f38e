"""Generators and discriminators, by name."""

from .registry import (
    DISCRIMINATORS,
    GENERATORS,
    build_discriminator,
    build_generator,
    discriminator_settings,
    generator_settings,
    is_shallow,
    known_layout,
    setting_names,
)

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "build_discriminator",
    "build_generator",
    "discriminator_settings",
    "generator_settings",
    "is_shallow",
    "known_layout",
    "setting_names",
]
