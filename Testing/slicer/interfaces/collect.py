"""Writes names.json anew: what Slicer, CTK, Qt and MRML offer to Python, taken from their sources.

    python Testing/slicer/interfaces/collect.py --slicer GIT --ctk GIT --qt FOLDER... --revisions 5.10 5.12 main

GIT is a clone (or its git directory) of Slicer/Slicer and of commontk/CTK; a FOLDER holds the headers of one Qt, with
QtCore, QtGui, QtWidgets and QtUiTools anywhere below it. Only names are kept, no text of those projects.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from interfaces.headers import Class, classes  # noqa: E402

QT_HEADERS = {
    "QtCore": "qobject qiodevicebase qtimer qprocess qiodevice qfile qfiledevice qbuffer qsettings qcoreapplication "
    "qurl qsize qpoint qrect qbytearray qdir qfileinfo qstandardpaths qabstractitemmodel qmimedata qthread qeventloop "
    "qdatetime qcoreevent qmargins qitemselectionmodel qsortfilterproxymodel qtemporarydir qsysinfo qthreadpool",
    "QtGui": "qdesktopservices qpixmap qimage qcolor qbrush qpen qpainter qicon qfont qfontmetrics qkeysequence "
    "qshortcut qaction qactiongroup qvalidator qtextdocument qtextcursor qcursor qclipboard qguiapplication qpalette "
    "qmovie qstandarditemmodel qevent qscreen qpaintdevice qtextoption qbitmap",
    "QtUiTools": "quiloader",
}
SLICER_FILES = (
    (r"Libs/MRML/Widgets/(qMRML|ctkVTK)\w+\.h", "pythonqt"),
    (r"Base/QT(Core|GUI|App)/qSlicer\w+\.h", "pythonqt"),
    (
        r"Modules/Loadable/(SubjectHierarchy|Segmentations|Volumes|Plots|Tables)/Widgets/q(MRML|Slicer)\w+\.h",
        "pythonqt",
    ),
    (r"Libs/MRML/(Core|Logic)/vtkMRML\w+\.h", "vtk"),
    (r"Base/Logic/vtkSlicer\w+Logic\.h", "vtk"),
    (r"Modules/Loadable/\w+/(Logic|MRML|VolumesLogic)/vtk(Slicer|MRML)\w+\.h", "vtk"),
    (r"Libs/vtkSegmentationCore/vtk\w+\.h", "vtk"),
)
NOT_FOR_US = re.compile(
    r"Diffusion|Tensor|Markups|Fiducial|CommandLine|VolumeRendering|ClipModels|Unstructured|Streaming|"
    r"ROI|Annotation|Reformat|Terminolog|CropVolume|ViewControllers|Scripted\w*Designer|_p\.h|Private|QuadTree|"
    r"Models|ExtensionsManager|SegmentEditor|ShaderProperty|OrientedGrid|BSpline|ThreeD|Camera|Endoscopy|RemoteIO|Cache|Texture|Hierarchies"
)
PYTHON_FILES = {
    "slicer.util": "Base/Python/slicer/util.py",
    "slicer.packaging": "Base/Python/slicer/packaging.py",
    "slicer.i18n": "Base/Python/slicer/i18n.py",
    "slicer.ScriptedLoadableModule": "Base/Python/slicer/ScriptedLoadableModule.py",
    "slicer.parameterNodeWrapper": "Base/Python/slicer/parameterNodeWrapper/",
}


class Git:
    """The files of a revision of a git repository."""

    def __init__(self, folder: str, revision: str) -> None:
        self.folder = folder
        self.commit = self._run("rev-parse", f"{revision}^{{commit}}").strip()
        self.files = self._run("ls-tree", "-r", "--name-only", self.commit).splitlines()

    def _run(self, *arguments: str) -> str:
        command = ["git", "-C", self.folder, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout

    def text(self, path: str) -> str:
        return self._run("show", f"{self.commit}:{path}") if path in self.files else ""

    def date(self) -> str:
        return self._run("log", "-1", "--format=%cs", self.commit).strip()


def visible(made: Class, seen_by: str) -> dict[str, list[str]]:
    """What Python sees of a class: "properties" to write, "signals", and "names" to call or read.

    PythonQt shows all public methods of Qt's own classes, but of others only properties, slots, signals, invokable
    methods and enumerators; VTK's wrapping shows public methods.
    """
    kinds = ["constants", "slots", "invokables", "enumerators"]
    kinds += ["methods"] if seen_by in ("qt", "vtk") else []
    names = set().union(*(made.names.get(kind, set()) for kind in kinds))
    result = {"properties": made.names.get("properties", set()), "signals": made.names.get("signals", set())}
    result["names"] = names - result["properties"] - result["signals"]
    return {kind: sorted(values) for kind, values in result.items() if values}


def slicer_classes(git: Git) -> Iterator[tuple[str, str, Class]]:
    """(name, who wraps it, class)."""
    for path in git.files:
        for pattern, seen_by in SLICER_FILES:
            if re.fullmatch(pattern, path) and not NOT_FOR_US.search(path) and "Decorators" not in path:
                for name, made in classes(git.text(path)).items():
                    yield name, seen_by, made


def ctk_classes(git: Git) -> Iterator[tuple[str, str, Class]]:
    for path in git.files:
        if re.fullmatch(r"Libs/(Widgets|Core)/ctk\w+\.h", path) and not re.search("_p.h|Decorators|Testing", path):
            for name, made in classes(git.text(path)).items():
                if name.startswith("ctk") and made.bases:
                    yield name, "pythonqt", made


def decorated(git: Git) -> Iterator[tuple[str, str]]:
    """(class, name) of methods that decorators add for Python."""
    for path in git.files:
        if path.endswith("PythonQtDecorators.h"):
            text = git.text(path)
            for name, owner in re.findall(r"\b(\w+)\s*\(\s*(?:const\s+)?(\w+)\s*\*\s*\w*", text):
                yield owner, name
            yield from re.findall(r"\bstatic_([A-Za-z]+)_(\w+)\s*\(", text)


def qt_classes(folder: Path) -> Iterator[tuple[str, str, Class]]:
    for library, names in {**QT_HEADERS, "QtWidgets": ""}.items():
        home = next(path for path in folder.rglob(library) if path.is_dir())
        files = [home / f"{name}.h" for name in names.split()] if names else sorted(home.glob("q*.h"))
        for path in files:
            if path.is_file() and not re.search("graphics|style|wizard|mdi|colormap|undo", path.name):
                for name, made in classes(path.read_text(encoding="utf-8", errors="replace")).items():
                    yield name, "qt", made
    header = next(folder.rglob("qnamespace.h")).read_text(encoding="utf-8", errors="replace")
    everything = "class Qt {\npublic:\n" + "\n".join(re.findall(r"\benum\b[^;{]*\{.*?\};", header, re.DOTALL)) + "\n};"
    yield "Qt", "qt", classes(everything)["Qt"]


def python_names(text: str) -> dict[str, list[str]]:
    """The names of a Python module, and "Class.method" of its classes."""
    names = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
        elif isinstance(node, ast.ImportFrom):
            names |= {name.asname or name.name for name in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    # What the wrapper of parameter nodes puts into the classes that it wraps.
    added = {f"+{name}" for name in re.findall(r'checkedSetAttr\(classtype, "(\w+)"', text)}
    return {"names": sorted(name for name in names | added if not name.startswith("_"))}


def put(store: dict, name: str, version: str, entry: dict) -> None:
    """Add what a version says of a class."""
    known = store.setdefault(name, {})
    said = known.setdefault(version, {"bases": [], "properties": [], "signals": [], "names": []})
    for kind, values in entry.items():
        said[kind] = sorted({*said[kind], *values})


def merged(store: dict, versions: list[str]) -> dict:
    """What holds in all versions, and what in some only."""
    result = {}
    for name, said in sorted(store.items()):
        entry: dict = {"bases": sorted({base for part in said.values() for base in part["bases"]})}
        if absent := [version for version in versions if version not in said]:
            entry["not in"] = absent
        for kind in ("properties", "signals", "names"):
            sets = [set(said[version][kind]) for version in versions if version in said]
            everywhere = set.intersection(*sets)
            if everywhere:
                entry[kind] = sorted(everywhere)
            for version in versions:
                if version in said and (rest := sorted(set(said[version][kind]) - everywhere)):
                    entry.setdefault("only in", {}).setdefault(version, {})[kind] = rest
        result[name] = entry
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slicer", required=True)
    parser.add_argument("--ctk", required=True)
    parser.add_argument("--qt", nargs="+", required=True, help="VERSION=FOLDER")
    parser.add_argument("--revisions", nargs="+", default=["5.10", "5.12", "main"])
    arguments = parser.parse_args()
    sources, slicer, python = {}, {}, {}
    for version in arguments.revisions:
        git = Git(arguments.slicer, version)
        tag = re.search(r"GIT_TAG\s+\"([0-9a-f]{40})\"", git.text("SuperBuild/External_CTK.cmake"))[1]
        ctk = Git(arguments.ctk, tag)
        sources[f"Slicer {version}"] = f"github.com/Slicer/Slicer {git.commit} ({git.date()})"
        sources[f"CTK of Slicer {version}"] = f"github.com/commontk/CTK {ctk.commit} ({ctk.date()})"
        for name, seen_by, made in (*slicer_classes(git), *ctk_classes(ctk)):
            put(slicer, name, version, {"bases": made.bases, **visible(made, seen_by)})
        for owner, name in (*decorated(git), *decorated(ctk)):
            if owner in slicer:
                put(slicer, owner, version, {"names": [name]})
        for name, path in PYTHON_FILES.items():
            for file in git.files:
                if file == path or (path.endswith("/") and file.startswith(path) and file.endswith(".py")):
                    put(python, name, version, python_names(git.text(file)))
    qt: dict = {}
    versions = [text.partition("=")[0] for text in arguments.qt]
    for text in arguments.qt:
        version, _, folder = text.partition("=")
        sources[f"Qt {version}"] = f"headers of Qt {version}"
        for name, seen_by, made in qt_classes(Path(folder)):
            put(qt, name, version, {"bases": made.bases, **visible(made, seen_by)})
    data = {
        "sources": sources,
        "qt": merged(qt, versions),
        "slicer": merged(slicer, arguments.revisions),
        "python": merged(python, arguments.revisions),
    }
    text = json.dumps(data, indent=None, separators=(",", ":"), sort_keys=True)
    # One class a line, so that a difference can be read.
    (HERE / "names.json").write_text(re.sub(r'(?<=\}),(?="[\w.]+":\{"bases")', ",\n", text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
