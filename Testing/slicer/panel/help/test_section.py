"""Help opens the right part of the tutorial, and keys work while the module is in front."""

import re
from pathlib import Path

from worker_commands import SLOW_WORKER

TUTORIAL = Path(__file__).resolve().parents[4] / "docs" / "tutorial.md"


def anchors():
    """Of the tutorial's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_help_opens_what_the_panel_shows(slicer_app, open_panel, volume, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt, "QDesktopServices", type("Services", (), {"openUrl": staticmethod(opened.append)}))
    widget = open_panel()
    ui, seen = widget.ui, []
    ui.helpButton.click()
    seen.append(opened[-1].toString().partition("#")[2])
    widget._parameterNode.inputVolume = volume()
    sections = ("", "advanced", "quality", "adjust", "batch", "fusion")
    for section in sections:
        if section:
            getattr(ui, f"{section}CollapsibleButton").collapsed = False
        seen.append(widget.panel.help.section_of_tutorial())
        if section:
            getattr(ui, f"{section}CollapsibleButton").collapsed = True
    widget._parameterNode.model = "look:"
    assert widget.panel.help.section_of_tutorial() == "the-look-of-other-scans" in anchors()
    assert "any-contrast-from-several-inputs" in anchors()
    assert seen[0] == "2-sample-data" and len(set(seen)) == 7
    assert set(seen) <= anchors(), set(seen) - anchors()


def press(widget, name):
    for shortcut in widget.panel.help._shortcuts:
        if shortcut.key.toString() == name:
            shortcut._target.activated.emit()


def test_keys(slicer_app, ready, until):
    widget = ready(SLOW_WORKER, batchSize=1)
    assert "Ctrl+Alt+A Apply" in widget.ui.keysLabel.text
    press(widget, "Ctrl+Alt+A")
    assert widget.logic.engine.style_job is not None
    press(widget, "Ctrl+Alt+A")
    assert widget.logic.engine.style_job is not None, "Apply twice does not cancel"
    press(widget, "Ctrl+Alt+X")
    until(lambda: widget.logic.engine.style_job is None, "the end after Cancel")
    assert widget.ui.statusLabel.text.startswith("Cancelled")
    press(widget, "Ctrl+Alt+C")
    assert widget._parameterNode.compare == "", "there is nothing to compare"
    widget.exit()
    assert widget.panel.help._shortcuts == []
    widget.enter()
    assert len(widget.panel.help._shortcuts) == 3


def test_the_key_goes_from_one_comparison_to_the_next(slicer_app, done):
    widget = done()
    seen = []
    for _ in range(5):
        press(widget, "Ctrl+Alt+C")
        seen.append(widget._parameterNode.compare)
    assert seen == ["sides", "fade", "checkerboard", "", "sides"]
