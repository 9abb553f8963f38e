"""The court: any models, and folders of volumes that any tool made, judged side by side."""

from __future__ import annotations

from .candidates import Candidate, Details, resolve
from .court import CourtCase, Patient, Verdicts, hold_court

__all__ = ["Candidate", "CourtCase", "Details", "Patient", "Verdicts", "hold_court", "resolve"]
