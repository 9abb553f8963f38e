"""The classes of a C++ header: bases and the names that Python sees. Written for the style of Qt, CTK and Slicer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

CLASS = re.compile(
    r"\bclass\s+(?:(?:\w+_EXPORT|[A-Z][A-Z0-9_]+(?:\([^)]*\))?)\s+)*([A-Za-z_]\w*)\s*(?:final\s*)?(?::([^:{;][^{;]*))?\{"
)
SECTION = re.compile(
    r"\b(public|protected|private)\s*(slots|Q_SLOTS)?\s*:(?!:)|\b(signals|Q_SIGNALS)\s*:(?!:)", re.ASCII
)
PROPERTY = re.compile(r"Q_PROPERTY\(\s*[\w:<>,\s*&]*?[\s*&](\w+)\s+(?:READ|MEMBER)\b([^)]*)\)")
FUNCTION = re.compile(r"([~\w]+)\s*\([^{};]*\)[\s\w=]*(?:;|$)")
ENUM = re.compile(r"\benum\b[^{;]*\{([^}]*)\}")
VTK_MACROS = (
    (re.compile(r"\bvtkSet\w*Macro\(\s*(\w+)"), ("Set{0}",)),
    (re.compile(r"\bvtkGet\w*Macro\(\s*(\w+)"), ("Get{0}",)),
    (re.compile(r"\bvtkBooleanMacro\(\s*(\w+)"), ("{0}On", "{0}Off")),
    (re.compile(r"\bvtkMRML\w*Get\w*Macro\(\s*(\w+)"), ("Get{0}",)),
    (re.compile(r"\bvtkMRML\w*Set\w*Macro\(\s*(\w+)"), ("Set{0}",)),
)


@dataclass
class Class:
    """Attributes: bases; names by kind ("properties", "signals", "slots", "invokables", "methods", "enumerators")."""

    bases: list[str] = field(default_factory=list)
    names: dict[str, set[str]] = field(default_factory=dict)

    def add(self, kind: str, names: object) -> None:
        self.names.setdefault(kind, set()).update(names)


def classes(text: str) -> dict[str, Class]:
    """The classes that a header defines at its top, by name."""
    text = _without_comments(text)
    result = {}
    for start in CLASS.finditer(text):
        body = _body(text, start.end())
        bases = [re.sub(r"\b(public|protected|private|virtual)\b|<.*", "", base).strip() for base in _parts(start[2])]
        result[start[1]] = _class(start[1], body, [base for base in bases if re.fullmatch(r"\w+", base)])
    return result


def _without_comments(text: str) -> str:
    parts = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
    text = re.sub(parts, lambda part: '""' if part[0][0] == '"' else "", text, flags=re.DOTALL)
    text = re.sub(r"\\\n", " ", text)
    # Qt as it is usually built: not without QObject and the like.
    text = re.sub(
        r"#ifndef (QT_NO_\w+)\n((?:(?!#if|#endif).)*?)#else\n(?:(?!#if|#endif).)*?#endif", r"\2", text, flags=re.S
    )
    return re.sub(r"^[ \t]*#[^\n]*", "", text, flags=re.MULTILINE)


def _parts(bases: str | None) -> list[str]:
    return bases.split(",") if bases else []


def _body(text: str, start: int) -> str:
    depth = 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if not depth:
            return text[start:position]
    return text[start:]


def _class(name: str, body: str, bases: list[str]) -> Class:
    made = Class(bases)
    for property_ in PROPERTY.finditer(body):
        made.add("properties" if "WRITE" in property_[2] or "MEMBER" in property_[2] else "constants", [property_[1]])
    for kind, section in _sections(body):
        if kind in ("protected", "private"):
            continue
        for values in ENUM.findall(section):
            words = (re.match(r"\s*(\w+)", value) for value in values.split(","))
            made.add("enumerators", [word[1] for word in words if word])
        flat = _without_bodies(section)
        for expression, patterns in VTK_MACROS:
            found = expression.findall(flat)
            made.add("methods", [pattern.format(value) for value in found for pattern in patterns])
        for statement in flat.split(";"):
            function = FUNCTION.search(_without_arguments(statement) + ";")
            if function is None or function[1] == name or function[1].startswith("~") or "operator" in statement:
                continue
            if re.fullmatch(r"[A-Z0-9_]+|vtk\w*Macro", function[1]) or not re.search(r"[\w>*&]\s", statement.strip()):
                continue
            invokable = "Q_INVOKABLE" in statement or "Q_SCRIPTABLE" in statement
            made.add({"public": "invokables" if invokable else "methods"}.get(kind, kind), [function[1]])
    made.names = {kind: names for kind, names in made.names.items() if names}
    return made


def _sections(body: str) -> list[tuple[str, str]]:
    """(kind, text) of the parts between "public:", "signals:" and so on; what comes first is private."""
    marks = list(SECTION.finditer(body))
    kinds = ["private"]
    for mark in marks:
        slots = "slots" if mark[1] == "public" else "private"
        kinds.append("signals" if mark[3] else slots if mark[2] else mark[1])
    edges = [0, *(mark.end() for mark in marks)]
    ends = [*(mark.start() for mark in marks), len(body)]
    return [(kind, body[start:end]) for kind, start, end in zip(kinds, edges, ends, strict=True)]


def _without_bodies(text: str) -> str:
    """What stands in braces is gone, and a semicolon is in its place."""
    kept, depth = [], 0
    for letter in text:
        if letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                kept.append(";")
        elif depth == 0:
            kept.append(letter)
    return "".join(kept)


def _without_arguments(statement: str) -> str:
    """The arguments of a declaration's outermost parentheses are gone, with macros that only mark it."""
    statement = re.sub(
        r"\b(Q_INVOKABLE|Q_SCRIPTABLE|Q_REVISION\(\w+\)|QT_ASCII_CAST_WARN|VTK_NEWINSTANCE|"
        r"Q_DECL_\w+(\([^)]*\))?|QT_DEPRECATED\w*(\([^)]*\))?|VTK_DEPRECATED\w*(\([^)]*\))?|vtkTypeMacro\([^)]*\)|"
        r"vtkAbstractTypeMacro\([^)]*\)|Q_OBJECT|Q_GADGET|Q_DISABLE_COPY\w*\([^)]*\)|Q_DECLARE_\w+\([^)]*\)|"
        r"Q_(?:CLASSINFO|PROPERTY|ENUM|FLAG|ENUMS|FLAGS|INTERFACES|OVERRIDE)\([^)]*\)|QT_\w+\([^)]*\)|"
        r"vtk(?:Set|Get|Boolean)\w*Macro\([^)]*\)|vtkMRML\w*Macro\([^)]*\))",
        " ",
        statement,
    )
    kept, depth = [], 0
    for letter in statement:
        depth -= letter == ")"
        if depth == 0 or (letter == "(" and depth == 1):
            kept.append(letter)
        depth += letter == "("
    return "".join(kept).strip()
