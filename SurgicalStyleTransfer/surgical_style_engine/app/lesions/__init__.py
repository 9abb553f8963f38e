"""The lesion ledger of translated cases."""

from __future__ import annotations

from .account import account, lesion_labels

__all__ = ["account", "lesion_labels"]
