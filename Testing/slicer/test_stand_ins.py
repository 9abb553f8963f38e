"""The stand-ins for Slicer refuse what Slicer has not."""

from pathlib import Path

import pytest

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "SurgicalStyleTransfer"


def test_the_stand_ins_are_strict(slicer_app, tmp_path):
    import qt

    label = qt.QLabel("text")
    assert label.text == "text"
    with pytest.raises(AttributeError):
        label.txt = "typo"
    with pytest.raises(AttributeError):
        _ = label.nothing
    with pytest.raises(TypeError):
        label.text = 5
    with pytest.raises(TypeError):
        label.text()
    with pytest.raises(ValueError, match="no signal"):
        qt.QPushButton().connect("clickd()", print)
    with pytest.raises(AttributeError):
        _ = qt.QNothing
    with pytest.raises(AttributeError):
        _ = slicer_app.app.nothing
    frame = (
        '<ui version="4.0"><widget class="{}" name="a"><property name="{}"><string>x</string></property></widget></ui>'
    )
    for class_name, name in (("qMRMLNothing", "toolTip"), ("QLabel", "tooltip")):
        (tmp_path / "x.ui").write_text(frame.format(class_name, name))
        with pytest.raises(ValueError):
            slicer_app.util.loadUI(str(tmp_path / "x.ui"))
