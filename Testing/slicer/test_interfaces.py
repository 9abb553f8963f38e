"""What the Slicer side calls exists in Slicer 5.10, 5.12 and main, in Qt 5 and Qt 6: names taken from their sources."""

import functools
from pathlib import Path

import pytest
from interfaces import calls, headers, known

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "SurgicalStyleTransfer"
FILES = [
    MODULE_FOLDER / "SurgicalStyleTransfer.py",
    *sorted((MODULE_FOLDER / "SurgicalStyleTransferLib").rglob("*.py")),
]
# VTK's own classes that nodes hand out or that are made here; VTK is real in these tests.
VTK_CLASSES = (
    "vtkObject vtkIdList vtkMatrix4x4 vtkImageData vtkGeneralTransform vtkStringArray vtkTable vtkPointData "
    "vtkCollection vtkDoubleArray vtkFloatArray vtkTransform vtkDataArray vtkImageReslice vtkImageMapToColors "
    "vtkAlgorithm vtkImageCheckerboard vtkTrivialProducer vtkGridTransform"
).split()
# Asked for with getattr or by "except ImportError" where it may be missing.
GUARDED = {("slicer.packaging", "load_requirements"), ("slicer.packaging", "pip_ensure"), ("slicer", "packaging")}


def test_a_header_is_read_as_python_sees_it():
    made = headers.classes(
        """
        class QMRML_WIDGETS_EXPORT qMRMLThing : public QWidget /* a comment { */, private Other<int>
        {
          Q_OBJECT
          Q_PROPERTY(QString text READ text WRITE setText NOTIFY changed)
          Q_PROPERTY(bool isFull READ isFull)
        public:
          enum Side { Left = 0, Right };
          explicit qMRMLThing(QWidget* parent = nullptr);
          QString text() const;
          Q_INVOKABLE virtual void fill(int amount = 3, const QString& how = QString("()"));
          int inlined() const { return call(); }
        public slots:
          void setText(const QString& text);
        signals:
          void changed(const QString&);
        protected:
          void hidden();
        private slots:
          void secret();
        };
        """
    )["qMRMLThing"]
    assert made.bases == ["QWidget", "Other"]
    assert made.names == {
        "properties": {"text"},
        "constants": {"isFull"},
        "enumerators": {"Left", "Right"},
        "methods": {"text", "inlined"},
        "invokables": {"fill"},
        "slots": {"setText"},
        "signals": {"changed"},
    }


def test_the_names_are_those_of_the_sources():
    """A few that are known otherwise: in all, in some, in none, inherited, renamed between Qt 5 and 6."""
    assert known.lacking("ctkCollapsibleButton", "collapsed", "properties") == ()
    assert len(known.lacking("ctkCollapsibleButton", "setCollapsed")) == 6  # public in C++, but no slot
    assert known.lacking("ctkCollapsibleButton", "setToolTip") == ()
    assert known.lacking("qMRMLNodeComboBox", "setCurrentNode") == ()
    assert len(known.lacking("QLabel", "setTxt")) == 6
    assert known.lacking("QDialog", "exec_") == ()
    assert [text for text in known.lacking("QFontMetrics", "width") if "5.15" in text] == []
    assert all("6.4.2" in text for text in known.lacking("QFontMetrics", "width"))
    assert set(known.module_lacks("slicer.packaging", "pip_ensure")) == {"5.10"}
    assert known.module_lacks("slicer.util", "updateVolumeFromArray") == ()
    assert known.module_lacks("slicer.util", "updateVolumeFromArrays") == known.SLICER
    assert all(
        len(text.split()[1]) == 40 for name, text in known.data()["sources"].items() if not name.startswith("Qt")
    )


def problem_of(name):
    """Why a dotted name does not exist, or ""."""
    module, _, rest = name.partition(".")
    first, _, more = rest.partition(".")
    more = more.partition(".")[0]
    if module in ("qt", "ctk"):
        part = "qt" if module == "qt" else "slicer"
        if not known.is_known(first):
            return f"{module}.{first} was not collected" if first else ""
        absent = known.data()[part].get(first, {}).get("not in", ())
        return str(absent or (known.lacking(first, more) if more else "") or "")
    if module != "slicer" or not first:
        return ""
    if f"{module}.{first}" in calls.OBJECTS:
        return str(_object_lacks(calls.OBJECTS[f"{module}.{first}"], more) or "")
    python = f"slicer.{first}"
    if python in known.data()["python"] and more:
        return str(known.module_lacks(python, more) or "")
    if known.is_known(first):
        return str((known.lacking(first, more) if more and not _is_vtks(more) else "") or "")
    return ""


def _object_lacks(class_name, name):
    return known.lacking(class_name, name) if name and not _is_vtks(name) else ()


def _is_vtks(name):
    """VTK's own names are those of vtkObject here; VTK is real in these tests."""
    vtk = pytest.importorskip("vtk", exc_type=ImportError)
    return hasattr(vtk.vtkObject, name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(MODULE_FOLDER).as_posix())
def test_names_of_qt_ctk_and_slicer_exist(path):
    wrong = []
    for name, line in calls.used(path):
        parts = name.split(".")
        if (".".join(parts[:2]), parts[2] if len(parts) > 2 else "") in GUARDED or tuple(parts[:2]) in GUARDED:
            continue
        if problem := problem_of(name):
            wrong.append(f"line {line}: {name}: {problem}")
    assert wrong == []


def test_a_wrong_name_is_noticed():
    for name in ("qt.QLabel.setTxt", "qt.QNothing", "slicer.util.noSuchFunction", "slicer.app.nothing"):
        assert problem_of(name), name
    for name in ("slicer.mrmlScene.GetNodeById", "slicer.vtkMRMLLayoutNode.NoSuchLayout", "ctk.ctkNothing"):
        assert problem_of(name), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(MODULE_FOLDER).as_posix())
def test_methods_of_nodes_exist_in_every_version(path):
    """Methods with VTK's capital letter: of some class of MRML in each version of Slicer, or of VTK."""
    of_vtk, own = _names_of_vtk(), _own_names()
    wrong = []
    for name, line in calls.methods(path):
        if not name[0].isupper() or name in own | of_vtk or known.is_known(name):
            continue
        absent = [version for version in known.SLICER if name not in known.all_names("slicer", version, "vtk")]
        if absent:
            wrong.append(f"line {line}: {name} is not in Slicer {', '.join(absent)}")
    assert wrong == []


@functools.cache
def _own_names():
    return calls.own_names(FILES)


@functools.cache
def _names_of_vtk():
    vtk = pytest.importorskip("vtk", exc_type=ImportError)
    return {name for kind in VTK_CLASSES for name in dir(getattr(vtk, kind))}


@pytest.mark.parametrize("path", sorted(MODULE_FOLDER.rglob("*.ui")), ids=lambda path: path.name)
def test_the_ui_files_name_what_exists(path):
    wrong = set()
    for class_name, kind, name in calls.of_ui(path):
        assert known.is_known(class_name), class_name
        if name and (absent := known.lacking(class_name, name, kind)):
            wrong.add(f"{class_name} {name}: {absent}")
    assert wrong == set()
