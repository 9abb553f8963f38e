"""The user's folder of this program, also for accounts that have no home."""

from __future__ import annotations

import tempfile
from pathlib import Path


def own_folder() -> Path:
    """~/.surgical_style_transfer; where there is no home (a service's account), that in the temporary folder.

    Returns:
        The folder, which may not exist, nor be writable.
    """
    try:
        home = Path.home()
    except RuntimeError:
        home = Path(tempfile.gettempdir())
    return home / ".surgical_style_transfer"
