"""Who made the extension: the one list, which CMakeLists.txt reads as well."""

from __future__ import annotations

from pathlib import Path

LIST = Path(__file__).resolve().parents[2] / "Resources" / "contributors.txt"


def contributors() -> list[str]:
    """'Firstname Lastname (Organization)' of each, in the list's order."""
    return [line.strip() for line in LIST.read_text(encoding="utf-8").splitlines() if line.strip()]
