"""The stand-ins for Slicer refuse what Slicer has not: each name of theirs is in Slicer 5.10, 5.12 and main."""

import pytest
from interfaces import known

# Stand-ins under names of their own, and what they stand in for.
APPLICATION = {
    "SliceWidget": "qMRMLSliceWidget",
    "LayoutManager": "qSlicerLayoutManager",
    "_ModuleManager": "qSlicerModuleManager",
    "Application": "qSlicerApplication",
    "_Module": "qSlicerScriptedLoadableModule",
}
# For Qt and for these tests themselves; PythonQt shows none of them, and neither does the stand-in.
TOOLS = {"SIGNATURES", "SLOTS", "HEADER", "STEPS", "staticMetaObject", "qt_object", "startup_slots"}


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


def own_names(kind):
    return {name for name in vars(kind) if not name.startswith("_")} - TOOLS


def test_widgets_have_nothing_that_ctk_and_qmrml_have_not(slicer_app):
    """What a stand-in overrides of Qt's is Qt's own: events, hints."""
    from slicer_stand_in import ctk_widgets, mrml_widgets

    wrong = []
    for kind in (*ctk_widgets.CLASSES, *mrml_widgets.CLASSES):
        assert known.is_known(kind.__name__), kind
        of_qt = {name for base in kind.__mro__ if base.__module__.startswith("PySide6") for name in dir(base)}
        for name in sorted(own_names(kind) - of_qt):
            if absent := known.lacking(kind.__name__, name):
                wrong.append(f"{kind.__name__} {name}: {absent[0]}")
        for signature in getattr(kind, "SIGNATURES", ()):
            assert not known.lacking(kind.__name__, signature.partition("(")[0], "signals"), signature
        for signature in getattr(kind, "SLOTS", ()):
            assert not known.lacking(kind.__name__, signature.partition("(")[0]), signature
    assert wrong == []
    for name in (*ctk_widgets.NAMED, *mrml_widgets.NAMED):
        assert known.is_known(name), name


def test_what_is_a_property_can_be_written_in_ctk_and_qmrml(slicer_app):
    from PySide6.QtCore import Property
    from slicer_stand_in import ctk_widgets, mrml_widgets

    count = 0
    for kind in (*ctk_widgets.CLASSES, *mrml_widgets.CLASSES):
        for name in own_names(kind):
            if isinstance(vars(kind)[name], Property) and vars(kind)[name].fset is not None:
                count += 1
                assert not known.lacking(kind.__name__, name, "properties"), (kind.__name__, name)
    assert count > 15


def test_the_application_has_nothing_that_slicers_has_not(slicer_app):
    from slicer_stand_in import application

    for stand_in, kind in APPLICATION.items():
        made = getattr(application, stand_in)
        names = own_names(made) - {"connect", "disconnect"}
        assert names or stand_in == "_ModuleManager"
        assert {name: known.lacking(kind, name) for name in names if known.lacking(kind, name)} == {}, stand_in
    app = slicer_app.app
    shown = {name for name in vars(app) if name[0] != "_"} - TOOLS
    assert not [name for name in shown if known.lacking("qSlicerApplication", name)]


def test_the_base_classes_of_modules_have_nothing_that_slicers_have_not(slicer_app):
    from slicer_stand_in import i18n, parameter_node_wrapper, scripted_module

    module = "slicer.ScriptedLoadableModule"
    for name, kind in vars(scripted_module).items():
        if name.startswith("Scripted"):
            assert known.module_lacks(module, name) == ()
            lacking = {part for part in own_names(kind) if known.module_lacks(module, f"{name}.{part}")}
            assert lacking == set(), (name, lacking)
    assert not [name for name in ("tr", "translate") if known.module_lacks("slicer.i18n", name)]
    assert callable(i18n.tr) and callable(i18n.translate)
    for name in ("parameterNodeWrapper", "WithinRange"):
        assert hasattr(parameter_node_wrapper, name) and known.module_lacks("slicer.parameterNodeWrapper", name) == ()
    # What Slicer's wrapper adds to a class, by its "checkedSetAttr".
    added = known.data()["python"]["slicer.parameterNodeWrapper"]["names"]
    assert own_names(parameter_node_wrapper._Wrapped) <= {name.removeprefix("+") for name in added if name[0] == "+"}
