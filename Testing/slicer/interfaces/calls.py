"""The names that Python files use of qt, ctk, slicer and MRML, by reading them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

# Objects of known classes by the name under which Slicer offers them.
OBJECTS = {
    "slicer.app": "qSlicerApplication",
    "slicer.mrmlScene": "vtkMRMLScene",
}
LAYOUT_MANAGER = ("qSlicerLayoutManager", "qMRMLLayoutManager")


def dotted(node: ast.AST) -> str:
    """'slicer.app.layoutManager' of an expression; "" of what is no chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        start = dotted(node.value)
        return f"{start}.{node.attr}" if start else ""
    return ""


def used(path: Path) -> Iterator[tuple[str, int]]:
    """Every longest dotted name of a file, and what is imported from slicer, with its line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner and (name := dotted(node)):
            yield name, node.lineno
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "slicer":
            for name in node.names:
                yield f"{node.module}.{name.name}", node.lineno


def methods(path: Path) -> Iterator[tuple[str, int]]:
    """Names of methods that are called on objects, with their lines; functions of imported modules are none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {name.asname or name.name for node in imports for name in node.names} - {"slicer", "vtk"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = dotted(node.func.value)
            if owner.partition(".")[0] not in modules and owner not in ("slicer", "vtk", "slicer.util"):
                yield node.func.attr, node.lineno


def own_names(paths: list[Path]) -> set[str]:
    """What the files define themselves: functions, classes, attributes, fields."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
    return names


def of_ui(path: Path) -> Iterator[tuple[str, str, str]]:
    """(class, kind, name) of every property, signal and slot in a .ui file; kind is "properties", "signals" or ""."""
    root = ElementTree.parse(path).getroot()
    kinds = {element.get("name"): element.get("class") for element in root.iter() if element.get("name")}
    for element in root.iter("widget"):
        yield element.get("class"), "", ""
        for entry in element.findall("property"):
            # A label's buddy is no property of Qt: whoever loads the file calls setBuddy.
            if entry.get("stdset") != "0" and entry.get("name") != "buddy":
                yield element.get("class"), "properties", entry.get("name")
    for entry in root.iter("connection"):
        for end, kind, what in (("sender", "signals", "signal"), ("receiver", "", "slot")):
            yield kinds[entry.findtext(end)], kind, re.sub(r"\(.*", "", entry.findtext(what))
