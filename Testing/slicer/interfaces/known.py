"""Questions about names.json: does a class, module or function of Slicer have a name, in every version?"""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path

# What PythonQt adds to every object (PythonQt's own decorators), beside what the class has.
PYTHONQT = frozenset(
    "connect disconnect className delete help name parent children findChild findChildren property setProperty "
    "metaObject inherits isWidgetType".split()
)
QT, SLICER = ("5.15.8", "6.4.2"), ("5.10", "5.12", "main")


@functools.cache
def data() -> dict:
    """What collect.py wrote."""
    return json.loads((Path(__file__).resolve().parent / "names.json").read_text(encoding="utf-8"))


def is_known(class_name: str) -> bool:
    """Whether a class was collected."""
    return class_name in data()["slicer"] or class_name in data()["qt"]


@functools.cache
def ancestors(class_name: str) -> tuple[str, ...]:
    """A class and its bases that were collected."""
    result, waiting = [], [class_name]
    while waiting:
        name = waiting.pop(0)
        if is_known(name) and name not in result:
            result.append(name)
            waiting += (data()["slicer"].get(name) or data()["qt"][name])["bases"]
    return tuple(result)


@functools.cache
def names(class_name: str, version: str, kind: str = "") -> frozenset[str]:
    """The names of a class alone in a version of Slicer or of Qt; ``kind`` is "properties", "signals" or "names"."""
    entry = data()["slicer"].get(class_name)
    if entry is None:
        entry = data()["qt"][class_name]
        if version not in QT:
            return frozenset()
    elif version not in SLICER:
        return frozenset()
    if version in entry.get("not in", ()):
        return frozenset()
    kinds = (kind,) if kind else ("properties", "signals", "names")
    rest = entry.get("only in", {}).get(version, {})
    return frozenset(name for kind in kinds for name in (*entry.get(kind, ()), *rest.get(kind, ())))


@functools.cache
def lacking(class_name: str, name: str, kind: str = "") -> tuple[str, ...]:
    """The versions of Slicer and Qt, as "5.10 with Qt 5.15.8", in which a class has no such name; () if all have it.

    Args:
        class_name: one that was collected.
        name: of a property, a method, a signal, an enumerator.
        kind: "properties" (that can be written), "signals" or "names"; "" for any.
    """
    if not kind and name in PYTHONQT:
        return ()
    if name == "exec_":
        name = "exec"
    chain = ancestors(class_name)
    return tuple(
        f"Slicer {slicer} with Qt {qt}"
        for slicer, qt in itertools.product(SLICER, QT)
        if not any(name in names(ancestor, version, kind) for ancestor in chain for version in (slicer, qt))
    )


@functools.cache
def all_names(part: str, version: str, prefix: str = "") -> frozenset[str]:
    """The names of all collected classes of "qt" or "slicer" in a version, of those whose name starts so."""
    return frozenset().union(*(names(name, version) for name in data()[part] if name.startswith(prefix)))


def module_lacks(module: str, name: str) -> tuple[str, ...]:
    """The versions of Slicer whose Python module has no such function or class ("Class.method" for a method)."""
    entry = data()["python"][module]
    absent = set(entry.get("not in", ()))
    only = entry.get("only in", {})
    return tuple(
        version
        for version in SLICER
        if version in absent or not (name in entry.get("names", ()) or name in only.get(version, {}).get("names", ()))
    )
