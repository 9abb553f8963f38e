"""Adjusting a translation: bias, structure guard, matching to a reference, automatic strength, ensemble."""

from .options import Adjustments

__all__ = ["Adjustments"]
