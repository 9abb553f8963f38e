"""Adjusting a translation: bias flattening, structure guard, matching to a reference, automatic strength, ensembling."""

from .options import Adjustments

__all__ = ["Adjustments"]
