"""The slice views of the layout, of which there are none where Slicer runs without its main window."""

from __future__ import annotations

import slicer


def slice_widgets() -> dict[str, object]:
    """Slice widgets by the names of their views, in the layout's order."""
    manager = slicer.app.layoutManager()
    return {} if manager is None else {name: manager.sliceWidget(name) for name in manager.sliceViewNames()}
