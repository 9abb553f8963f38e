"""``body_mask.find_body`` under the name by which callers of version 0.1.0 import it."""

from __future__ import annotations

from .body_mask import find_body

__all__ = ["find_body"]
