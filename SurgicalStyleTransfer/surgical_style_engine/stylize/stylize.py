"""The old place of ``inference.stylize``, until the last call site has followed it."""

from surgical_style_engine.inference.stylize import Stylization, stylize_volume

__all__ = ["Stylization", "stylize_volume"]
