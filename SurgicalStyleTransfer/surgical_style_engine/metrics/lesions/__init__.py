"""What becomes of lesions: those of the real image, those that are invented, and those that are implanted to try it."""

from __future__ import annotations

from .implants import DIAMETERS_MM, TYPICAL_DIFFERENCE, choose_places, smallest_surviving, survival, trials
from .ledger import LedgerCase, lesion_ledger, summed

__all__ = [
    "DIAMETERS_MM",
    "TYPICAL_DIFFERENCE",
    "LedgerCase",
    "choose_places",
    "lesion_ledger",
    "smallest_surviving",
    "summed",
    "survival",
    "trials",
]
