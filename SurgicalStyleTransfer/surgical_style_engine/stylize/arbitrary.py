"""The old place of ``models.importers.arbitrary``, until the last call site has followed it."""

from surgical_style_engine.models.importers.arbitrary import import_arbitrary_style, style_vector, with_style

__all__ = ["import_arbitrary_style", "style_vector", "with_style"]
